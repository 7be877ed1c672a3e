"""Resolves ambiguous letters with a dictionary of English words: versions, not veraions.

A sequence of letters is replaced by one that is almost as probable if that is in the dictionary and the first is not.
Only letters are compared, and only in sequences of at least ``SHORTEST`` that touch no digit. Numbers, codes,
abbreviations and clearly legible names stay unchanged.
"""

from __future__ import annotations

import gzip
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import resources
from string import ascii_letters

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.ctc import CERTAIN, Runs, peak_steps

WORDS = "words.txt.gz"
SHORTEST = 5  # letters; shorter sequences are too often words by chance
_MOST = 256  # most alternatives examined for a sequence

_Letters = list[tuple[int, str, float]]  # class, letter and nats below the best one


class Lexicon:
    """Dictionary of English words, for a model with this ``alphabet`` (``alphabet[i - 1]`` is class i).

    ``nats``: log-probability bonus for a word.
    """

    def __init__(self, alphabet: str, nats: float, words: Iterable[str] | None = None) -> None:
        self._words = frozenset(shipped() if words is None else words)
        self._nats = nats
        self._alphabet = f"\0{alphabet}"
        self._letters = np.array([c.isascii() and c.isalpha() for c in self._alphabet])
        self._digits = np.array([c.isascii() and c.isdigit() for c in self._alphabet])

    def judges(self, characters: str) -> bool:
        """Return whether to resolve text restricted to these characters: only if they include all letters."""
        return set(ascii_letters) <= set(characters)

    def choose(self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs) -> Runs:
        """Return the characters, ambiguous letters resolved with the dictionary.

        ``indices`` and ``probabilities`` ``[N,T,K]`` are the K best classes of each time step, the best first. The
        probability of an ambiguous letter is its share among all alternatives of its sequence, words with their bonus.
        """
        doubtful = self._letters[runs.classes] & (runs.peaks < CERTAIN)
        if not doubtful.any():
            return runs
        classes, peaks = runs.classes.copy(), runs.peaks.copy()
        for first, end in self._rows(runs):
            at = first + np.flatnonzero(doubtful[first:end])
            if not len(at):
                continue
            rows, steps = runs.rows[at], peak_steps(probabilities[:, :, 0], runs, at)
            letters: list[_Letters] = [[(int(c), self._alphabet[c], 0.0)] for c in classes[first:end]]
            seen = np.where(self._letters[indices[rows, steps]], probabilities[rows, steps], 0)
            for i, candidates, shares in zip((at - first).tolist(), indices[rows, steps], seen, strict=True):
                letters[i] = self._candidates(candidates, shares)
            mass = dict(zip(at.tolist(), seen.sum(axis=1).tolist(), strict=True))
            for place, (chosen, share) in self._best(letters).items():
                classes[first + place] = chosen
                peaks[first + place] = share * mass[first + place]
        return replace(runs, classes=classes, peaks=peaks)

    def _rows(self, runs: Runs) -> Iterator[tuple[int, int]]:
        """Yield first and end (exclusive) of each sequence of letters that may be a word."""
        letters, digits = self._letters[runs.classes], self._digits[runs.classes]
        same = np.concatenate(([False], (np.diff(runs.rows) == 0), [False]))
        joined = np.append(letters[1:] & letters[:-1], False) & same[1:]
        firsts = np.flatnonzero(letters & ~np.append(False, joined[:-1]))
        ends = np.flatnonzero(letters & ~joined) + 1
        for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
            touched = (same[first] and digits[first - 1]) or (same[end] and digits[end])
            if end - first >= SHORTEST and not touched:
                yield first, end

    def _candidates(self, classes: NDArray[np.int32], shares: NDArray[np.float32]) -> _Letters:
        """Return the possible letters at one place: those at most ``nats`` less probable than the best."""
        return [
            (int(c), self._alphabet[c], math.log(share / shares[0]))
            for c, share in zip(classes, shares, strict=True)
            if share > shares[0] * math.exp(-self._nats)
        ]

    def _best(self, letters: list[_Letters]) -> dict[int, tuple[int, float]]:
        """Return, for each ambiguous place, the class in the best alternative and its share of all alternatives."""
        ways: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
        for place in letters:
            further = (
                (nats + less, (*way, i))
                for (nats, way), (i, (_, _, less)) in itertools.product(ways, enumerate(place))
            )
            ways = sorted((way for way in further if way[0] > -self._nats), reverse=True)[:_MOST]
        scores = {way: nats + self._nats * self._is_word(letters, way) for nats, way in ways}
        best = max(scores, key=scores.__getitem__)
        weights = {way: math.exp(score) for way, score in scores.items()}
        total = sum(weights.values())
        return {
            place: (
                candidates[best[place]][0],
                sum(weight for way, weight in weights.items() if way[place] == best[place]) / total,
            )
            for place, candidates in enumerate(letters)
            if len(candidates) > 1
        }

    def _is_word(self, letters: list[_Letters], way: tuple[int, ...]) -> bool:
        text = "".join(place[i][1] for place, i in zip(letters, way, strict=True))
        return text.lower() in self._words and (text.islower() or text.isupper() or text.istitle())


def shipped() -> list[str]:
    """Return the words of the dictionary in this package, in lower case."""
    return (
        gzip.decompress(resources.files("ocrsvc.recognition").joinpath(WORDS).read_bytes())
        .decode("ascii")
        .split()
    )
