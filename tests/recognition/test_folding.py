"""Folded peaks: doubts between forms of one character do not count, a missed character does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrsvc.recognition import ctc
from ocrsvc.recognition.ctc import Runs
from ocrsvc.recognition.folding import Folding

ALPHABET = "oO0,， ab"
TWO = 2  # classes of each step
Step = list[tuple[str, float]]


def read(*lines: list[Step]) -> tuple[NDArray[np.int32], NDArray[np.float32], Runs]:
    """Classes, probabilities and characters of lines of equal length; "" is the blank."""
    indices = np.array(
        [[[ALPHABET.find(c) + 1 if c else 0 for c, _ in step] for step in line] for line in lines]
    )
    seen = np.array([[[p for _, p in step] for step in line] for line in lines], np.float32)
    classes = indices.astype(np.int32)
    return classes, seen, ctc.collapse(classes[:, :, 0], seen[:, :, 0])


def folded(*lines: list[Step]) -> list[float]:
    return [round(float(peak), 3) for peak in Folding(ALPHABET).peaks(*read(*lines))]


NONE: Step = [("", 1.0), ("a", 0.0)]


def test_forms_of_one_character_are_added_and_others_are_not() -> None:
    assert folded([[("o", 0.5), ("O", 0.4)], NONE]) == [0.9]
    assert folded([[("o", 0.5), ("0", 0.4)], NONE]) == [0.5]
    assert folded([[(",", 0.6), ("，", 0.39)], NONE]) == [0.99]
    assert folded([[("o", 0.6), ("O", 0.4000001)], NONE]) == [1.0]


def test_a_space_is_as_sure_as_that_there_is_no_character() -> None:
    a, b = [("a", 1.0), ("", 0.0)], [("b", 1.0), ("", 0.0)]
    assert folded([a, [(" ", 0.6), ("", 0.4)], b]) == [1.0, 1.0, 1.0]
    assert folded([a, [(" ", 0.6), ("o", 0.4)], b]) == [1.0, 0.6, 1.0]


def test_a_character_that_may_have_been_missed_counts_for_its_neighbour() -> None:
    a, b = [("a", 0.9), ("", 0.1)], [("b", 0.9), ("", 0.1)]
    assert folded([a, [("", 0.7), ("o", 0.3)], b]) == [0.63, 0.9]
    assert folded([[("", 0.7), ("o", 0.3)], a, NONE]) == [0.63]
    # The edge of a character, in any form, is not another one, and neither is a space.
    assert folded([a, [("", 0.7), ("a", 0.3)], b]) == [0.9, 0.9]
    assert folded([a, [("", 0.7), ("b", 0.3)], b]) == [0.9, 0.9]
    assert folded([[("o", 0.9), ("", 0.1)], [("", 0.7), ("O", 0.3)], b]) == [0.9, 0.9]
    assert folded([a, [("", 0.7), (" ", 0.3)], b]) == [0.9, 0.9]


def test_two_forms_that_touch_may_be_one_character() -> None:
    assert folded([[("o", 0.6), ("O", 0.4)], [("O", 0.7), ("o", 0.3)]]) == [0.6, 0.7]
    assert folded([[("o", 0.6), ("O", 0.4)], NONE, [("O", 0.7), ("o", 0.3)]]) == [1.0, 1.0]


@pytest.mark.parametrize("row", [0, 1, 2])
def test_lines_of_a_batch_do_not_mix(row: int) -> None:
    line: list[Step] = [[("", 0.8), ("b", 0.2)], [("a", 0.9), ("", 0.1)], [("", 0.7), ("o", 0.3)]]
    empty: list[Step] = [[("", 0.6), ("b", 0.4)]] * 3
    lines = [empty, empty, empty]
    lines[row] = line
    assert folded(*lines) == folded(line) == [0.63]
    assert folded(line, empty, line) == [0.63, 0.63]
    assert folded(empty, empty) == []
