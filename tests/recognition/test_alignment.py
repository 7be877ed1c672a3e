"""Forced alignment: where the characters of a given text lie on the time steps of CTC."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrsvc.recognition import alignment
from ocrsvc.recognition.alignment import align

CLASSES = 3  # beside the blank


def steps(path: str, sure: float = 0.9) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The best classes of each step of a path such as ``1-2``, and the blank as the second, or ``3``."""
    best = [0 if c == "-" else int(c) for c in path]
    indices = np.array([[c, 0 if c else 3] for c in best], np.int32)
    return indices, np.array([[sure, 1 - sure]] * len(best), np.float32)


def test_a_text_that_ctc_reads_lies_where_ctc_reads_it() -> None:
    assert align(*steps("-11--2-3"), [1, 2, 3]).tolist() == [[1, 3], [5, 6], [7, 8]]
    assert align(*steps("1-1"), [1, 1]).tolist() == [[0, 1], [2, 3]]


def test_a_substituted_character_lies_where_ctc_reads_another() -> None:
    assert align(*steps("-1--2--3-"), [1, 7, 3]).tolist() == [[1, 2], [4, 5], [7, 8]]


def test_a_missed_character_lies_between_its_neighbours() -> None:
    (_, first), (start, end), (last, _) = align(*steps("1----3"), [1, 7, 3]).tolist()
    assert first <= start < end <= last


def test_a_character_too_many_is_passed_over() -> None:
    found = align(*steps("1-2-3"), [1, 3]).tolist()
    assert found[0][0] == 0
    assert found[1][1] == 5


def test_a_text_that_needs_more_steps_is_spread_evenly() -> None:
    assert align(*steps("12-"), [1, 1, 2]).tolist() == [[0, 1], [1, 2], [2, 3]]
    assert align(*steps("12"), [1, 2, 3, 1]).tolist() == [[0, 1], [0, 1], [1, 2], [1, 2]]


def test_no_text_lies_nowhere() -> None:
    assert align(*steps("1-2"), []).shape == (0, 2)


@settings(deadline=None)
@given(st.data())
def test_the_path_is_the_most_probable_of_all(data: st.DataObject) -> None:
    """Compared with the enumeration of all paths."""
    count = data.draw(st.integers(1, 6))
    text = data.draw(st.lists(st.integers(1, CLASSES), min_size=1, max_size=3))
    if len(text) + sum(a == b for a, b in itertools.pairwise(text)) > count:
        return
    weights = np.array(
        data.draw(
            st.lists(
                st.lists(st.integers(1, 1000), min_size=CLASSES + 1, max_size=CLASSES + 1),
                min_size=count,
                max_size=count,
            )
        )
    )
    probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    indices = np.tile(np.arange(CLASSES + 1, dtype=np.int32), (count, 1))
    found = align(indices, probabilities, text)
    path = [0] * count
    for place, (start, end) in enumerate(found.tolist()):
        path[start:end] = [text[place]] * (end - start)
    assert collapsed(path) == text

    def worth(path: Sequence[int]) -> float:
        return float(np.prod([probabilities[step, c] for step, c in enumerate(path)], dtype=np.float64))

    best = max(
        worth(each) for each in itertools.product(range(CLASSES + 1), repeat=count) if collapsed(each) == text
    )
    assert worth(path) == pytest.approx(best)


def collapsed(path: Sequence[int]) -> list[int]:
    return [c for c, _ in itertools.groupby(path) if c]


def test_the_least_probability_keeps_logarithms_finite() -> None:
    indices, probabilities = steps("1-2", sure=1.0)
    assert np.isfinite(np.log(alignment._emissions(indices, probabilities, np.array([5])))).all()
