"""Alternatives of lines and characters: which there are, in which order, how probable."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny_model
from numpy.typing import NDArray

from ocrsvc.machine import cpu
from ocrsvc.recognition import alternatives, ctc
from ocrsvc.recognition.alternatives import ranked
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import Alternative, Character, LineText, TimeSteps

ALPHABET = "abc "


@pytest.fixture(scope="module")
def tiny() -> Recogniser:
    return Recogniser(tiny_model.manifest(), cpu=cpu.inspect())


def between(first: str, second: str, share: float = 0.5) -> NDArray[np.uint8]:
    """A stripe whose grey is between those of two characters, ``share`` of the way to the second, and its blank."""
    one, other = (tiny_model.draw(each).astype(np.float64) for each in (first, second))
    return np.asarray(np.round(one * (1 - share) + other * share), np.uint8)


def test_without_being_asked_there_are_none(tiny: Recogniser) -> None:
    (line,) = tiny.run(64, [tiny_model.draw("01")])
    assert line.steps is None
    assert line.alternatives == ()
    assert all(c.alternatives == () for c in line.characters)


def test_asking_for_them_changes_no_text(tiny: Recogniser) -> None:
    crops = [tiny_model.draw(text) for text in ("0123", "中文 42", "A")]
    for charset in (None, tiny.charset("digits")):
        plain = tiny.run(128, crops, charset)
        asked = tiny.run(128, crops, charset, steps=True)
        assert [(line.text, line.confidence) for line in asked] == [
            (line.text, line.confidence) for line in plain
        ]


def test_the_steps_are_what_the_text_was_decoded_from(tiny: Recogniser) -> None:
    (line,) = tiny.run(64, [tiny_model.draw("01")], steps=True)
    assert line.steps is not None
    assert line.steps.width_pixels == tiny_model.STRIDE
    assert [step[0][0] for step in line.steps.steps] == ["0", "", "1", "", "", "", "", ""]


def test_a_doubtful_stripe_has_its_neighbour_as_alternative(tiny: Recogniser) -> None:
    crop = np.concatenate([tiny_model.draw("7"), between("2", "3", 0.48), tiny_model.draw("7")], axis=1)
    (line,) = alternatives.of_lines(tiny.run(64, [crop], steps=True))
    assert line.text == "727"
    assert line.steps is None
    assert line.alternatives[0].text == "737"
    assert line.alternatives[0].confidence > 0.9  # nearly all that is not 727
    assert line.characters[1].alternatives[0].text == "3"
    assert {other.text for other in line.characters[0].alternatives} == {"6", "8"}  # the next greys


def test_alternatives_stay_within_the_charset(tiny: Recogniser) -> None:
    crop = np.concatenate([between("9", "A", 0.48), tiny_model.draw("5")], axis=1)
    texts = {}
    for name in (None, "digits"):
        charset = tiny.charset(name) if name else None
        (line,) = alternatives.of_lines(tiny.run(64, [crop], charset, steps=True))
        texts[name] = [line.text, *(other.text for other in line.alternatives)]
        for other in (other for c in line.characters for other in c.alternatives):
            assert not charset or other.text in charset.characters
    assert texts[None][:2] == ["95", "A5"]
    assert texts["digits"][0] == "95"
    assert all(set(text) <= set("0123456789") for text in texts["digits"])


def test_a_character_that_was_replaced_has_the_best_class_as_alternative() -> None:
    """Word tables may take the second class of a step; the first is then an alternative, the blank never."""
    indices = np.array([[[1, 2, 0, 3]]], np.int32)
    probabilities = np.array([[[0.5, 0.3, 0.15, 0.05]]], np.float32)
    runs = ctc.collapse(indices[:, :, 0], probabilities[:, :, 0])
    chosen = ctc.Runs(runs.rows, runs.starts, runs.ends, np.array([2], np.int32), np.array([0.4], np.float32))
    ((first, second),) = alternatives.of_characters(indices, probabilities, chosen, ALPHABET)
    assert (first.text, second.text) == ("a", "c")
    assert first.confidence == pytest.approx(0.5 / 0.6)
    assert second.confidence == pytest.approx(0.05 / 0.6)


def test_improbable_classes_are_left_out_but_never_the_best() -> None:
    indices = np.array([[[1, 2], [1, 2]]], np.int32)
    probabilities = np.array([[[0.9, 0.00009], [0.00008, 0.00007]]], np.float32)
    (found,) = alternatives.time_steps(indices, probabilities, ALPHABET, 8)
    assert [[text for text, _ in step] for step in found.steps] == [["a"], ["a"]]


def line_of(text: str, *steps: tuple[tuple[str, float], ...]) -> LineText:
    characters = tuple(Character(c, 0.9, 0, 1) for c in text)
    return LineText(text, 0.9, characters, steps=TimeSteps(steps, 8))


def test_shares_are_of_what_the_text_leaves() -> None:
    (line,) = alternatives.of_lines([line_of("a", (("a", 0.6), ("b", 0.3), ("", 0.1)))])
    assert [other.text for other in line.alternatives] == ["b", ""]
    assert [other.confidence for other in line.alternatives] == pytest.approx([0.75, 0.25])


def test_the_text_itself_is_no_alternative_wherever_the_search_ranks_it() -> None:
    """Here a word table made b of a."""
    (line,) = alternatives.of_lines([line_of("b", (("a", 0.6), ("b", 0.4)))])
    assert [other.text for other in line.alternatives] == ["a"]
    assert line.alternatives[0].confidence == pytest.approx(1.0)


def test_a_text_that_the_steps_cannot_say_has_alternatives_all_the_same() -> None:
    (line,) = alternatives.of_lines([line_of("x", (("a", 0.6), ("b", 0.4)))])
    assert [other.text for other in line.alternatives] == ["a", "b"]
    assert [other.confidence for other in line.alternatives] == pytest.approx([0.6, 0.4])


def test_ranked_begins_with_the_text_and_none_is_above_it() -> None:
    others = (Alternative("b", 0.9), Alternative("c", 0.1))
    assert ranked("a", 0.2, others, 5) == (
        Alternative("a", 0.2),
        Alternative("b", 0.2),  # 0.72 of the doubt, but what was read stays first
        Alternative("c", pytest.approx(0.08)),  # type: ignore[arg-type]
    )
    assert ranked("a", 0.2, others, 1) == (Alternative("a", 0.2),)
    assert math.fsum(each.confidence for each in ranked("a", 0.9, others, 3)) == pytest.approx(1.0)
