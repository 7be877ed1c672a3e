"""CTC prefix beam search, compared with the enumeration of all paths."""

from __future__ import annotations

import itertools
import math
import sys
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrsvc.recognition import beam
from ocrsvc.results import TimeStep

EXHAUSTIVE = 10**6  # prefixes: none is ever dropped


def all_paths(steps: list[TimeStep]) -> dict[str, float]:
    """The texts of all paths with their probabilities, by the definition of CTC."""
    found: dict[str, float] = defaultdict(float)
    for path in itertools.product(*steps):
        merged = "".join(character for character, _ in itertools.groupby(each for each, _ in path))
        found[merged.strip()] += math.prod(p for _, p in path)
    return found


@st.composite
def lattices(draw: st.DrawFn, *, steps: int = 5) -> list[TimeStep]:
    """A few time steps of up to four classes: the blank, two characters, and a space."""
    made = []
    for _ in range(draw(st.integers(1, steps))):
        classes = draw(st.lists(st.sampled_from(["", "a", "b", " "]), min_size=1, max_size=4, unique=True))
        weights = draw(st.lists(st.integers(1, 100), min_size=len(classes), max_size=len(classes)))
        whole = sum(weights) + draw(
            st.integers(0, 20)
        )  # the classes that are not among the best have the rest
        made.append(tuple((c, w / whole) for c, w in zip(classes, weights, strict=True)))
    return made


@given(lattices())
def test_the_search_finds_every_text_with_its_probability(steps: list[TimeStep]) -> None:
    expected = all_paths(steps)
    found = beam.search(steps, beam=EXHAUSTIVE)
    assert {text: math.exp(nats) for text, nats in found} == pytest.approx(expected)
    assert [nats for _, nats in found] == sorted((nats for _, nats in found), reverse=True)


@given(lattices(steps=7))
def test_a_narrow_beam_finds_fewer_paths_but_no_others(steps: list[TimeStep]) -> None:
    expected = all_paths(steps)
    found = beam.search(steps, beam=3)
    assert 1 <= len(found) <= 3
    assert len({text for text, _ in found}) == len(found)
    for text, nats in found:
        assert math.exp(nats) <= expected[text] * (1 + 1e-9)


@pytest.mark.parametrize(
    ("path", "text"),
    [("aab", "ab"), ("a-a", "aa"), ("--a", "a"), ("-", ""), (" a b ", "a b"), ("aa-aa", "aa")],
)
def test_a_certain_path_is_its_only_text(path: str, text: str) -> None:
    steps = [(("" if c == "-" else c, 1.0),) for c in path]
    assert beam.search(steps) == [(text, 0.0)]


def test_two_paths_of_one_text_may_beat_the_best_path() -> None:
    """Greedy decoding takes the blank twice (0.36); "a" has three paths with 0.64 together."""
    steps: list[TimeStep] = [(("", 0.6), ("a", 0.4))] * 2
    (first, second) = beam.search(steps)
    assert (first[0], second[0]) == ("a", "")
    assert (math.exp(first[1]), math.exp(second[1])) == pytest.approx((0.64, 0.36))


def test_a_long_line_of_improbable_steps_keeps_its_probabilities() -> None:
    """3000 steps of 0.5 * 0.5: the product is far below the smallest float."""
    steps: list[TimeStep] = [(("", 0.5), ("a", 0.25)), (("b", 0.5), ("", 0.25))] * 1500
    texts = beam.search(steps)
    assert len(texts) > 1
    assert texts[0][1] < math.log(sys.float_info.min)
    assert all(math.isfinite(nats) for _, nats in texts)


def test_no_steps_are_the_empty_text() -> None:
    assert beam.search([]) == [("", 0.0)]


def test_work_is_linear_in_the_length_of_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in extensions of a beginning, at most the beam times the classes for each step."""
    counts: list[int] = []
    extend = beam._Beginnings.extend

    def counted(self: beam._Beginnings, number: int, character: str) -> int:
        counts[-1] += 1
        return extend(self, number, character)

    monkeypatch.setattr(beam._Beginnings, "extend", counted)
    step: TimeStep = tuple((c, 0.2) for c in ("a", "b", "c", "d", ""))
    for length in (50, 100, 200):
        counts.append(0)
        beam.search([step] * length)
        assert counts[-1] <= length * beam.BEAM * 4
    assert counts[2] < 2.1 * counts[1] < 4.5 * counts[0]
