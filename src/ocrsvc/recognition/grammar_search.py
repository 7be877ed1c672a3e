"""Search for the values of a grammar in the time steps of a line, each with its probability.

It is the prefix beam search of ``beam``, with two changes. A beginning is what has been read of the value, and the
state of the grammar; those from which no value can follow are dropped at once. The text around the value does not
count, so that all readings of a label add up. The probability of a value is therefore the probability that the line has
this value in it. A value that fits at two places counts twice, up to 1.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import Protocol, TypeVar

from ocrsvc.results import TimeStep

S = TypeVar("S", bound=Hashable)

BEAM = 256  # beginnings that are kept: of those that fit a pattern, a check digit accepts one in 11 or 31
# Less probable beginnings, compared with the best, are dropped. The values that follow from them are even less probable
# than a character that a time step does not list (1e-4).
_LEAST_SHARE = 1e-5
_SMALL = 1e-100  # probabilities below this are scaled up; a float ends at 1e-308


class Grammar(Protocol[S]):
    """Automaton over the characters of a line, possibly nondeterministic, that writes the value as it goes."""

    @property
    def start(self) -> S:
        """Return the state before the first character."""

    def step(self, place: S, character: str, /) -> Iterable[tuple[S, str]]:
        """Yield each state after one more character, with what it adds to the value."""

    def accepts(self, place: S, /) -> bool:
        """Return whether the line may end in this state."""


# A beginning: what it has of the value, the state of the grammar, and the last character read.
_Key = tuple[str, S, str]
_Ends = list[float]  # the probability of its paths that end in the blank, and of those that do not
_Moves = dict[tuple[S, str], list[tuple[S, str]]]  # steps of the grammar that were asked for


def search(
    steps: Sequence[TimeStep], grammar: Grammar[S], beam: int = BEAM, least_share: float = _LEAST_SHARE
) -> list[tuple[str, float]]:
    """Return the values that the time steps may have, with natural logarithms of their probabilities, best first."""
    alive: dict[_Key[S], _Ends] = {("", grammar.start, ""): [1.0, 0.0]}
    best, scale = 1.0, 0.0
    moves: _Moves[S] = {}
    for step in steps:
        if len(step) == 1 and not step[0][0]:  # most steps of a line: nothing but the blank
            alive = {key: [sum(ends) * step[0][1], 0.0] for key, ends in alive.items()}
            continue
        floor = best * least_share
        alive = _extended(alive, step, grammar, moves, floor)
        best = max(map(sum, alive.values()), default=0.0)
        if not best:
            return []
        if len(alive) > beam:
            alive = dict(nlargest(beam, alive.items(), key=_total))
        if best < _SMALL:
            alive = {key: [blank / best, own / best] for key, (blank, own) in alive.items()}
            best, scale = 1.0, scale + math.log(best)
    found: dict[str, float] = {}
    for (value, place, _), ends in alive.items():
        if grammar.accepts(place):
            found[value] = found.get(value, 0.0) + sum(ends)
    ranked = sorted(found.items(), key=itemgetter(1), reverse=True)
    return [(value, min(0.0, math.log(p) + scale)) for value, p in ranked if p]


def certain(text: str) -> tuple[TimeStep, ...]:
    """Return time steps that say this text and nothing else."""
    blank: TimeStep = (("", 1.0),)
    return tuple(step for character in text for step in (((character, 1.0),), blank))


def _total(entry: tuple[object, _Ends]) -> float:
    return sum(entry[1])


def _extended(
    alive: dict[_Key[S], _Ends], step: TimeStep, grammar: Grammar[S], moves: _Moves[S], floor: float
) -> dict[_Key[S], _Ends]:
    """Return all beginnings after one more time step, without those that were below ``floor`` before."""
    longer: dict[_Key[S], _Ends] = {}
    least = floor * step[0][1]
    for key, (blank, own) in alive.items():
        total = blank + own
        if total < floor:
            continue
        value, place, last = key
        for character, probability in step:
            gained = total * probability
            if not character:
                _ends(longer, key)[0] += gained
                continue
            if character == last:
                # Without a blank between, a repeat is the same character; after a blank, it is one more.
                _ends(longer, key)[1] += own * probability
                gained = blank * probability
            if gained < least or not gained:
                continue
            following = moves.get((place, character))
            if following is None:
                following = moves[place, character] = list(grammar.step(place, character))
            for state, written in following:
                _ends(longer, (value + written, state, character))[1] += gained
    return longer


def _ends(beginnings: dict[_Key[S], _Ends], key: _Key[S]) -> _Ends:
    found = beginnings.get(key)
    if found is None:
        found = beginnings[key] = [0.0, 0.0]
    return found
