"""Decoding with a draft writes what decoding one character at a time writes, in few passes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrsvc.recognition import speculative
from ocrsvc.recognition.speculative import END, MOST_PASSES, Text

LONGEST = 12
Choice = Callable[[Sequence[int]], tuple[int, float]]


class Causal:
    """A decoder whose choice depends on the line and on the text before, and on nothing else; it counts its passes."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.choices = choices
        self.shapes: list[tuple[int, ...]] = []
        self.passes = [0] * len(choices)

    def __call__(
        self, lines: NDArray[np.intp], tokens: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        self.shapes.append(tokens.shape)
        classes = np.zeros(tokens.shape, np.int32)
        peaks = np.zeros(tokens.shape, np.float32)
        for row, line in enumerate(lines.tolist()):
            self.passes[line] += 1
            assert tokens[row, 0] == END
            for place in range(tokens.shape[1]):
                before = tokens[row, 1 : place + 1].tolist()
                classes[row, place], peaks[row, place] = self.choices[line](before)
        return classes, peaks


def naive(choice: Choice, longest: int) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
    """Greedy decoding one character at a time."""
    text: list[int] = []
    peaks: list[float] = []
    while len(text) <= longest:
        best, peak = choice(text)
        if best == END:
            return tuple(text), tuple(peaks)
        text.append(best)
        peaks.append(peak)
    return None


def moody(seed: int, classes: int, end: float) -> Choice:
    """Any choice at all after each text, but always the same one; ``end`` is the share of texts that end there."""

    @cache
    def chosen(before: tuple[int, ...]) -> tuple[int, float]:
        rng = random.Random(hash((seed, *before)))
        best = END if rng.random() < end else rng.randint(1, classes)
        return best, float(np.float32(rng.random()))

    return lambda before: chosen(tuple(before))


def reader(text: Sequence[int]) -> Choice:
    """The choice of a decoder that reads ``text``, whatever the text before says."""
    return lambda before: (text[len(before)] if len(before) < len(text) else END, 0.5)


def chars(text: str) -> list[int]:
    return [ord(character) - 96 for character in text]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.lists(st.integers(1, 3), max_size=LONGEST + 3)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.05, 0.2, 0.6]),
)
def test_the_text_is_that_of_greedy_decoding(drafts: list[tuple[int, list[int]]], end: float) -> None:
    choices = [moody(seed, 3, end) for seed, _ in drafts]
    found = speculative.greedy([draft for _, draft in drafts], Causal(choices), LONGEST, 100)
    for choice, (_, draft), text in zip(choices, drafts, found, strict=True):
        expected = naive(choice, LONGEST) if len(draft) <= LONGEST else None
        assert (None if text is None else (text.classes, text.peaks)) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(1, 3), max_size=LONGEST), min_size=2, max_size=6), st.integers(0, 99))
def test_a_text_does_not_depend_on_the_other_lines(drafts: list[list[int]], seed: int) -> None:
    choices = [moody(seed + at, 3, 0.1) for at in range(len(drafts))]
    together = speculative.greedy(drafts, Causal(choices), LONGEST)
    for choice, draft, text in zip(choices, drafts, together, strict=True):
        assert speculative.greedy([draft], Causal([choice]), LONGEST) == [text]


@pytest.mark.parametrize(
    ("draft", "text", "passes"),
    [
        ("abcdefgh", "abcdefgh", 1),
        ("abxdefgh", "abcdefgh", 2),  # one character substituted
        ("xbcdefgx", "abcdefgh", 3),
        ("abccdefgh", "abcdefgh", 2),  # one too many
        ("abdefgh", "abcdefgh", 3),  # one missing
        ("abcdefghi", "abcdefgh", 1),
        ("abcdefg", "abcdefgh", 2),
        ("", "", 1),
        ("abc", "", 1),
        ("", "ab", 3),
    ],
)
def test_a_nearly_right_draft_takes_few_passes(draft: str, text: str, passes: int) -> None:
    (found,) = speculative.greedy([chars(draft)], Causal([reader(chars(text))]), LONGEST)
    assert found == Text(tuple(chars(text)), (0.5,) * len(text), passes)


def test_no_line_takes_more_passes_than_allowed() -> None:
    """The second decoder never ends; the third reads something else than the draft at every place."""
    drafts = [[1, 1], [2], [1] * 60]
    decoder = Causal([reader([1, 1]), lambda _: (2, 0.5), reader([2] * 60)])
    found = speculative.greedy(drafts, decoder, 90)
    assert found == [Text((1, 1), (0.5, 0.5), 1), None, None]
    assert decoder.passes == [1, MOST_PASSES, MOST_PASSES]


def test_a_longer_draft_is_not_decoded() -> None:
    decoder = Causal([reader([1]), reader([1])])
    found = speculative.greedy([[1] * 13, [1] * 12], decoder, LONGEST)
    assert found == [None, Text((1,), (0.5,), 1)]
    assert decoder.passes == [0, 1]


def test_rows_of_tokens_have_few_lengths_and_a_pass_has_few_tokens() -> None:
    drafts = [[1] * length for length in range(60) for _ in range(3)]
    decoder = Causal([reader(draft) for draft in drafts])
    assert speculative.greedy(drafts, decoder, 60) == [
        Text(tuple(draft), (0.5,) * len(draft), 1) for draft in drafts
    ]
    assert {length for _, length in decoder.shapes} == {16, 32, 48, 64}
    assert max(rows * length for rows, length in decoder.shapes) <= 512
