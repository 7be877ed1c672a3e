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
_LEAST_SHARE = 1e-8  # less probable beginnings, compared with the best, are dropped
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
_Ends = tuple[float, float]  # the probability of its paths that end in the blank, and of those that do not


def search(steps: Sequence[TimeStep], grammar: Grammar[S], beam: int = BEAM) -> list[tuple[str, float]]:
    """Return the values that the time steps may have, with natural logarithms of their probabilities, best first."""
    alive: dict[_Key[S], _Ends] = {("", grammar.start, ""): (1.0, 0.0)}
    scale = 0.0
    moves: dict[tuple[S, str], list[tuple[S, str]]] = {}
    for step in steps:
        alive = _extended(alive, step, grammar, moves)
        best = max(map(sum, alive.values()), default=0.0)
        if not best:
            return []
        if len(alive) > 1:
            alive = {key: ends for key, ends in alive.items() if sum(ends) >= best * _LEAST_SHARE}
        if len(alive) > beam:
            alive = dict(nlargest(beam, alive.items(), key=_total))
        if best < _SMALL:
            alive = {key: (blank / best, own / best) for key, (blank, own) in alive.items()}
            scale += math.log(best)
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
    alive: dict[_Key[S], _Ends],
    step: TimeStep,
    grammar: Grammar[S],
    moves: dict[tuple[S, str], list[tuple[S, str]]],
) -> dict[_Key[S], _Ends]:
    """Return all beginnings after one more time step; ``moves`` keeps the steps of the grammar."""
    if len(step) == 1 and not step[0][0]:  # most steps of a line: nothing but the blank
        probability = step[0][1]
        return {key: ((blank + own) * probability, 0.0) for key, (blank, own) in alive.items()}
    blanks: dict[_Key[S], float] = {}
    owns: dict[_Key[S], float] = {}
    for key, (blank, own) in alive.items():
        value, place, last = key
        for character, probability in step:
            if not character:
                blanks[key] = blanks.get(key, 0.0) + (blank + own) * probability
                continue
            before = blank + own
            if character == last:
                # Without a blank between, a repeat is the same character; after a blank, it is one more.
                owns[key] = owns.get(key, 0.0) + own * probability
                before = blank
            if not before:
                continue
            move = (place, character)
            if move not in moves:
                moves[move] = list(grammar.step(place, character))
            for following, written in moves[move]:
                longer = (value + written, following, character)
                owns[longer] = owns.get(longer, 0.0) + before * probability
    return {key: (blanks.get(key, 0.0), owns.get(key, 0.0)) for key in dict.fromkeys([*blanks, *owns])}
