"""Finite automata over characters, built from parts, and their use within a line of other text.

An automaton says which texts are values, such as 18 digits that begin with a birth date. Its states are sets of nodes
of a nondeterministic automaton (Thompson 1968), found as they are needed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

State: TypeAlias = frozenset[int]
Phase = Literal["before", "inside", "after"]
Place: TypeAlias = tuple[Phase, State, bool]


@dataclass(slots=True)
class _Nodes:
    """Nodes of an automaton: the characters that lead on (None: any time, without one), and the nodes that follow."""

    characters: list[frozenset[str] | None] = field(default_factory=list)
    following: list[tuple[int, ...]] = field(default_factory=list)

    def add(self, characters: frozenset[str] | None, following: tuple[int, ...]) -> int:
        self.characters.append(characters)
        self.following.append(following)
        return len(self.characters) - 1


Part = Callable[[_Nodes, int], int]
"""Adds its nodes before the node that follows it, and returns the first of them."""


def one_of(characters: str) -> Part:
    """Return the part that is one of these characters."""
    return lambda nodes, following: nodes.add(frozenset(characters), (following,))


def literal(text: str) -> Part:
    """Return the part that is this text."""
    return sequence(*(one_of(character) for character in text))


def sequence(*parts: Part) -> Part:
    """Return the part that is these parts, one after the other."""

    def build(nodes: _Nodes, following: int) -> int:
        for part in reversed(parts):
            following = part(nodes, following)
        return following

    return build


def choice(*parts: Part) -> Part:
    """Return the part that is any one of these parts."""
    return lambda nodes, following: nodes.add(None, tuple(part(nodes, following) for part in parts))


def repeated(part: Part, least: int, most: int) -> Part:
    """Return the part that is this part ``least`` to ``most`` times."""

    def build(nodes: _Nodes, following: int) -> int:
        end = following
        for _ in range(most - least):
            following = nodes.add(None, (part(nodes, following), end))
        for _ in range(least):
            following = part(nodes, following)
        return following

    return build


def optional(part: Part) -> Part:
    """Return the part that is this part or nothing."""
    return repeated(part, 0, 1)


class Automaton:
    """Automaton that accepts the texts of a part."""

    def __init__(self, part: Part) -> None:
        self._nodes = _Nodes()
        self._end = self._nodes.add(frozenset(), ())
        self._steps: dict[tuple[State, str], State | None] = {}
        self.start: State = self._reached({part(self._nodes, self._end)})

    def step(self, state: State, character: str) -> State | None:
        """Return the state after one more character; None if no value continues so."""
        key = (state, character)
        if key not in self._steps:
            nodes = self._nodes
            passed = [node for node in state if character in (nodes.characters[node] or ())]
            reached = self._reached({each for node in passed for each in nodes.following[node]})
            if not reached:
                return None  # not kept: there are any number of characters
            self._steps[key] = reached
        return self._steps[key]

    def accepts(self, state: State) -> bool:
        """Return whether a value may end in this state."""
        return self._end in state

    def matches(self, text: str) -> bool:
        """Return whether the text as a whole is a value."""
        state = self.start
        for character in text:
            following = self.step(state, character)
            if following is None:
                return False
            state = following
        return self.accepts(state)

    def _reached(self, nodes: set[int]) -> State:
        """Return these nodes and all that follow without a character."""
        found, waiting = set(nodes), list(nodes)
        while waiting:
            node = waiting.pop()
            if self._nodes.characters[node] is None:
                new = set(self._nodes.following[node]) - found
                found |= new
                waiting += new
        return frozenset(node for node in found if self._nodes.characters[node] is not None)


def folded(character: str) -> str:
    """Return a character in NFKC and upper case: half-width, and without the difference of x and X."""
    return unicodedata.normalize("NFKC", character).upper()


_NOWHERE: State = frozenset()


@dataclass(frozen=True, slots=True)
class Within:
    """Grammar of lines that have one value of an automaton in them, with any text before and after it.

    The characters ``before`` and ``after`` do not stand directly beside a value: eight digits of a longer number are no
    value. With ``spaced``, spaces within the value do not count, and a value ends at the first other character.
    ``fold`` returns the form of a character in the value.
    """

    automaton: Automaton
    before: frozenset[str]
    after: frozenset[str]
    spaced: bool = True
    fold: Callable[[str], str] = folded

    @property
    def start(self) -> Place:
        """Return the state before the first character."""
        return ("before", _NOWHERE, False)

    def step(self, place: Place, character: str) -> Iterator[tuple[Place, str]]:
        """Yield each state after one more character, with what the character adds to the value."""
        phase, state, joined = place
        if phase == "after":
            yield place, ""
            return
        form = self.fold(character)
        space = character.isspace()
        if phase == "before":
            begun = None if joined or space else self.automaton.step(self.automaton.start, form)
            if begun is not None:
                yield ("inside", begun, False), form
            yield ("before", _NOWHERE, joined if space and self.spaced else form in self.before), ""
            return
        if space and self.spaced:
            yield place, ""
            return
        longer = self.automaton.step(state, form)
        if longer is not None:
            yield ("inside", longer, False), form
        if self.automaton.accepts(state) and form not in self.after:
            yield ("after", _NOWHERE, False), ""

    def accepts(self, place: Place) -> bool:
        """Return whether the line may end in this state."""
        phase, state, _ = place
        return phase == "after" or (phase == "inside" and self.automaton.accepts(state))
