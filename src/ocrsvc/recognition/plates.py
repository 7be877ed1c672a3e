"""Leaves out the separator of a Chinese number plate: 皖A12345, not 皖A·12345.

The dot on the plate is no part of the number (GA 36). It is legible on some pictures only, so that the same plate would
be read in two ways.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.charsets import PROVINCES
from ocrsvc.recognition.ctc import Runs

_SEPARATORS = "·.-• "
_PLATE = re.compile(rf"[{PROVINCES}][A-Z]([{re.escape(_SEPARATORS)}]+)[0-9A-Z]{{4,5}}[0-9A-Z学警挂领港澳]")


class Plates:
    """Number plates that are a whole line, for a model with this ``alphabet`` (``alphabet[i - 1]`` is class i)."""

    def __init__(self, alphabet: str) -> None:
        self._alphabet = f"\0{alphabet}"
        self._separators = np.array([c in _SEPARATORS for c in self._alphabet])

    def judges(self, characters: str) -> bool:
        """Return whether text restricted to these characters can be a plate with a separator."""
        return any(c in characters for c in PROVINCES) and any(c in characters for c in _SEPARATORS)

    def choose(self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs) -> Runs:
        """Return the characters without the separators of lines that are a plate."""
        dropped: list[int] = []
        for row in np.unique(runs.rows[self._separators[runs.classes]]).tolist():
            places = np.flatnonzero(runs.rows == row)
            text = "".join(self._alphabet[c] for c in runs.classes[places].tolist())
            if found := _PLATE.fullmatch(text):
                dropped += places[slice(*found.span(1))].tolist()
        return runs.without(dropped) if dropped else runs
