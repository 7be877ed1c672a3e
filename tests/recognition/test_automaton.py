"""Automata over characters, compared with regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrsvc.recognition.automaton import (
    Automaton,
    Part,
    choice,
    folded,
    literal,
    one_of,
    optional,
    repeated,
    sequence,
)

Pair = tuple[str, Part]


def _repeat(inner: Pair, least: int, more: int) -> Pair:
    return f"(?:{inner[0]}){{{least},{least + more}}}", repeated(inner[1], least, least + more)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """The same language as a regular expression and as a part."""
    leaf = st.sampled_from([("[ab]", one_of("ab")), ("a", one_of("a")), ("ab", literal("ab"))])
    return draw(
        st.recursive(
            leaf,
            lambda inner: st.one_of(
                st.tuples(inner, inner).map(lambda p: (p[0][0] + p[1][0], sequence(p[0][1], p[1][1]))),
                st.tuples(inner, inner).map(lambda p: (f"(?:{p[0][0]}|{p[1][0]})", choice(p[0][1], p[1][1]))),
                inner.map(lambda p: (f"(?:{p[0]})?", optional(p[1]))),
                st.builds(_repeat, inner, st.integers(0, 2), st.integers(0, 2)),
            ),
            max_leaves=6,
        )
    )


@settings(deadline=None)
@given(pairs(), st.text("abc", max_size=8))
def test_an_automaton_accepts_what_the_regular_expression_does(pair: Pair, text: str) -> None:
    expression, part = pair
    assert Automaton(part).matches(text) == bool(re.fullmatch(expression, text))


def test_a_state_from_which_no_value_follows_is_none() -> None:
    automaton = Automaton(literal("12"))
    assert automaton.step(automaton.start, "2") is None
    one = automaton.step(automaton.start, "1")
    assert one is not None
    assert not automaton.accepts(one)


@pytest.mark.parametrize(("character", "form"), [("x", "X"), ("１", "1"), ("：", ":"), ("年", "年")])
def test_characters_are_folded(character: str, form: str) -> None:
    assert folded(character) == form
