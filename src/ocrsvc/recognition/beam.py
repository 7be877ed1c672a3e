"""CTC prefix beam search: the most probable texts of a line, each with its probability over all of its paths.

Several paths give the same text (``a-a``, ``aa-a``), and the probability of a text is the sum of theirs (Graves 2006).
The search keeps the most probable beginnings of a text and extends them step by step (Hannun et al. 2014,
arXiv:1408.2873). Its work is bounded: for each time step at most ``BEAM`` beginnings times the classes of the step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import nlargest
from operator import itemgetter

from ocrsvc.results import TimeStep

BEAM = (
    16  # beginnings that are kept; five alternatives need a few more, because beginnings merge and drop out
)
_SMALL = 1e-100  # probabilities below this are scaled up; a float ends at 1e-308

# For each beginning, by its number: the probability of its paths that end in the blank, and of those that do not.
_Beam = Mapping[int, tuple[float, float]]


class _Beginnings:
    """Beginnings of texts, numbered: each is another one, ``parents[n]``, and one more character, ``characters[n]``."""

    def __init__(self) -> None:
        self.characters = [""]
        self._parents = [0]
        self._longer: dict[tuple[int, str], int] = {}

    def extend(self, number: int, character: str) -> int:
        """Return the number of this beginning with one more character, always the same for the same text."""
        key = (number, character)
        found = self._longer.get(key)
        if found is None:
            found = self._longer[key] = len(self.characters)
            self.characters.append(character)
            self._parents.append(number)
        return found

    def text(self, number: int) -> str:
        """Return the beginning of this number as text."""
        characters = []
        while number:
            characters.append(self.characters[number])
            number = self._parents[number]
        return "".join(reversed(characters))


def search(steps: Sequence[TimeStep], beam: int = BEAM) -> list[tuple[str, float]]:
    """Return the texts with the natural logarithms of their probabilities, the most probable first, at most ``beam``.

    Spaces at the ends are removed, as in the line of an answer; texts that are then equal count as one.
    """
    beginnings = _Beginnings()
    alive: _Beam = {0: (1.0, 0.0)}
    scale = 0.0
    for step in steps:
        alive = _extended(alive, step, beginnings)
        if len(alive) > beam:
            alive = dict(nlargest(beam, alive.items(), key=_total))
        best = max(map(sum, alive.values()), default=0.0)
        if not best:
            return []
        if best < _SMALL:
            alive = {number: (blank / best, own / best) for number, (blank, own) in alive.items()}
            scale += math.log(best)
    found: dict[str, float] = {}
    for number, ends in alive.items():
        text = beginnings.text(number).strip()
        found[text] = found.get(text, 0.0) + sum(ends)
    ranked = sorted(found.items(), key=itemgetter(1), reverse=True)
    return [(text, math.log(probability) + scale) for text, probability in ranked if probability]


def _total(entry: tuple[int, tuple[float, float]]) -> float:
    return sum(entry[1])


def _extended(alive: _Beam, step: TimeStep, beginnings: _Beginnings) -> _Beam:
    """Return all beginnings after one more time step."""
    if len(step) == 1 and not step[0][0]:  # most steps of a line: nothing but the blank
        probability = step[0][1]
        return {number: ((blank + own) * probability, 0.0) for number, (blank, own) in alive.items()}
    blanks: dict[int, float] = {}
    owns: dict[int, float] = {}
    for number, (blank, own) in alive.items():
        last = beginnings.characters[number]
        for character, probability in step:
            if not character:
                blanks[number] = (blank + own) * probability
                continue
            before = blank + own
            if character == last:
                # Without a blank between, a repeat is the same character; after a blank, it is one more.
                owns[number] = owns.get(number, 0.0) + own * probability
                before = blank
            if before:
                longer = beginnings.extend(number, character)
                owns[longer] = owns.get(longer, 0.0) + before * probability
    return {
        number: (blanks.get(number, 0.0), owns.get(number, 0.0)) for number in dict.fromkeys([*blanks, *owns])
    }
