"""Removes the space that a wide apostrophe seems to leave in an English contraction: don’t, not don’ t.

Chinese typefaces draw ’ as wide as a Chinese character, so that the gap behind it looks like a space (Umi-OCR #993).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.ctc import Runs

_APOSTROPHES = "’'"
_ENDINGS = frozenset({"s", "t", "d", "m", "re", "ve", "ll"})
_LONGEST = max(map(len, _ENDINGS))


class Contractions:
    """English contractions, for a model with this ``alphabet`` (``alphabet[i - 1]`` is class i)."""

    def __init__(self, alphabet: str) -> None:
        self._alphabet = f"\0{alphabet}"
        self._apostrophes = np.array([c in _APOSTROPHES for c in self._alphabet])
        self._space = self._alphabet.find(" ")

    def judges(self, characters: str) -> bool:
        """Return whether text restricted to these characters can have contractions."""
        return " " in characters and any(mark in characters for mark in _APOSTROPHES)

    def choose(self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs) -> Runs:
        """Return the characters without the spaces between an apostrophe and the end of a contraction."""
        marks = np.flatnonzero(self._apostrophes[runs.classes[:-1]] & (runs.classes[1:] == self._space))
        dropped = [at + 1 for at in marks.tolist() if self._contracted(runs, at)]
        return runs.without(dropped) if dropped else runs

    def _contracted(self, runs: Runs, at: int) -> bool:
        """Return whether a letter comes before the apostrophe ``at``, and an ending after it and its space."""
        row = runs.rows[at]
        if at == 0 or runs.rows[at - 1] != row or not _is_letter(self._alphabet[runs.classes[at - 1]]):
            return False
        ending = ""
        for place in range(at + 2, min(at + 3 + _LONGEST, len(runs.rows))):
            character = self._alphabet[runs.classes[place]]
            if runs.rows[place] != row or not _is_letter(character):
                break
            ending += character
        return ending in _ENDINGS


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()
