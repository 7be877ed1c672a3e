"""The search for values of a grammar, compared with the enumeration of all paths."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrsvc.recognition.automaton import Automaton, Within, choice, literal, one_of, repeated, sequence
from ocrsvc.recognition.grammar_search import certain, search
from ocrsvc.results import TimeStep

EXHAUSTIVE = 10**6
DIGITS = frozenset("12")
PATTERN = Automaton(choice(sequence(literal("1"), repeated(one_of("12"), 1, 2)), literal("2.")))


def grammar(*, spaced: bool) -> Within:
    return Within(PATTERN, DIGITS, DIGITS, spaced=spaced)


@st.composite
def lattices(draw: st.DrawFn) -> list[TimeStep]:
    made = []
    for _ in range(draw(st.integers(1, 6))):
        classes = draw(
            st.lists(st.sampled_from(["", "1", "2", ".", " "]), min_size=1, max_size=3, unique=True)
        )
        weights = draw(st.lists(st.integers(1, 50), min_size=len(classes), max_size=len(classes)))
        whole = sum(weights) + draw(st.integers(0, 20))
        made.append(tuple((c, w / whole) for c, w in zip(classes, weights, strict=True)))
    return made


def values_in(text: str, *, spaced: bool) -> list[str]:
    """Every value in a text, once for each place: an independent definition of ``Within``."""
    found = []
    for start, end in itertools.combinations(range(len(text) + 1), 2):
        part = text[start:end]
        left, right = text[:start], text[end:]
        if part[0] == " " or (spaced and part[-1] == " "):
            continue
        if spaced:
            left, right, part = left.rstrip(), right.lstrip(), part.replace(" ", "")
        if left[-1:] in DIGITS or right[:1] in DIGITS or not PATTERN.matches(part):
            continue
        found.append(part)
    return found


@settings(deadline=None)
@given(lattices(), st.booleans())
def test_the_search_finds_every_value_with_its_probability(steps: list[TimeStep], spaced: bool) -> None:
    expected: dict[str, float] = defaultdict(float)
    for path in itertools.product(*steps):
        text = "".join(character for character, _ in itertools.groupby(each for each, _ in path))
        for value in values_in(text, spaced=spaced):
            expected[value] += math.prod(p for _, p in path)
    found = search(steps, grammar(spaced=spaced), beam=EXHAUSTIVE, least_share=0)
    assert {value: math.exp(nats) for value, nats in found} == pytest.approx(
        {value: min(1.0, p) for value, p in expected.items()}, rel=1e-6
    )
    assert [nats for _, nats in found] == sorted((nats for _, nats in found), reverse=True)


@settings(deadline=None)
@given(lattices(), st.integers(1, 8))
def test_what_is_found_satisfies_the_grammar(steps: list[TimeStep], beam: int) -> None:
    for value, nats in search(steps, grammar(spaced=True), beam=beam):
        assert PATTERN.matches(value)
        assert nats <= 0


@pytest.mark.parametrize(
    ("text", "value"),
    [("no 12", "12"), ("no 12 2 x", "122"), ("1 1 1", "111"), ("2.x", "2."), ("１１", "11")],
)
def test_a_value_is_found_in_a_text(text: str, value: str) -> None:
    assert search(certain(text), grammar(spaced=True)) == [(value, 0.0)]


@pytest.mark.parametrize("text", ["", "1", "1111", "112 2", "x2", "a1"])
def test_a_text_without_a_value_has_none(text: str) -> None:
    assert search(certain(text), grammar(spaced=True)) == []


def test_a_long_line_does_not_underflow() -> None:
    doubtful: TimeStep = (("x", 1e-3), ("y", 5e-4))
    steps = [doubtful] * 200 + list(certain("12"))
    (found,) = search(steps, grammar(spaced=True))
    assert found[0] == "12"
    assert -2000 < found[1] < -1000
