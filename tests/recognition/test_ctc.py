"""Greedy CTC decoding: collapse, confidence, positions."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrsvc.recognition import ctc
from ocrsvc.results import LineText

ALPHABET = "abc你 "


def decode(
    *rows: str, probability: list[list[float]] | None = None, width: int | None = None
) -> list[LineText]:
    """Decode rows written as one symbol a time step, ``-`` for the blank; a time step is 8 pixels wide."""
    best = np.array([[0 if c == "-" else ALPHABET.index(c) + 1 for c in row] for row in rows], np.int32)
    values = (
        np.full(best.shape, 0.9, np.float32) if probability is None else np.array(probability, np.float32)
    )
    widths = [width or best.shape[1] * 8] * len(rows)
    runs = ctc.collapse(best, values)
    return ctc.lines(runs, widths=widths, alphabet=ALPHABET, stride=8, reach_pixels=24)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ("----", ""),
        ("abc", "abc"),
        ("aabbcc", "abc"),
        ("a-a", "aa"),
        ("aa-a-", "aa"),
        ("-你-你你-", "你你"),
        ("--c", "c"),
        ("a- -b", "a b"),
        (" a ", "a"),
        ("   ", ""),
    ],
)
def test_repeats_collapse_and_blanks_vanish(steps: str, text: str) -> None:
    assert decode(steps)[0].text == text


def test_rows_do_not_touch_each_other() -> None:
    # The last class of a row and the first of the next are equal: they must not merge.
    assert [line.text for line in decode("--a", "aa-", "aaa", "---", "a-b")] == ["a", "a", "a", "", "ab"]


def test_confidence_is_that_of_the_peak_and_the_mean_of_the_line() -> None:
    (line,) = decode("aa-b", probability=[[0.5, 0.8, 0.99, 0.6]])
    assert [c.confidence for c in line.characters] == pytest.approx([0.8, 0.6])
    assert line.confidence == pytest.approx(0.7)


def test_an_empty_line_has_no_confidence() -> None:
    (line,) = decode("---")
    assert (line.text, line.confidence, line.characters) == ("", 0.0, ())


def test_positions_are_fractions_of_the_line_and_not_of_its_bucket() -> None:
    # Two characters at pixels 8-16 and 40-48 of a line of 64 pixels that is padded to 128.
    (line,) = decode("-a---b" + "-" * 10, width=64)
    first, second = line.characters
    assert (first.start, first.end) == pytest.approx((0.0, 28 / 64))
    assert (second.start, second.end) == pytest.approx((28 / 64, 1.0))


def test_a_character_reaches_no_further_than_half_a_line_height() -> None:
    (line,) = decode("-" * 10 + "a" + "-" * 10 + "b" + "-" * 10)
    first, _ = line.characters
    assert first.start * 32 * 8 == pytest.approx(80 - 24)
    assert first.end * 32 * 8 == pytest.approx(88 + 24)


def test_a_character_read_in_the_padding_stays_inside_the_line() -> None:
    (line,) = decode("a---------b", width=24)
    assert all(0 <= c.start <= c.end <= 1 for c in line.characters)


@given(
    st.integers(1, 12).flatmap(
        lambda steps: st.lists(
            st.text("-" + ALPHABET, min_size=steps, max_size=steps), min_size=1, max_size=6
        )
    )
)
def test_the_vectorised_decoder_agrees_with_the_textbook(rows: list[str]) -> None:
    expected = ["".join(symbol for symbol, _ in groupby(row) if symbol != "-").strip() for row in rows]
    lines = decode(*rows)
    assert [line.text for line in lines] == expected
    for line in lines:
        starts = [c.start for c in line.characters]
        assert starts == sorted(starts)
        assert "".join(c.text for c in line.characters) == line.text
