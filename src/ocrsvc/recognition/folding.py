"""Folded peaks: how sure a line is in the form in which texts are compared (``ocrsvc.text.fold``).

A line is right if it equals its label without white space, case and width. Whether a letter is o or O, a comma , or ，
or a gap a space is often unsure and changes nothing there. The folded peak of a character is the probability of all
characters that fold to the same, at the time step where it is most probable. For a space that is the probability of no
character at all. Where a character may have been missed beside it, the folded peak is multiplied by the probability
that there is none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.ctc import BLANK, Runs, key, neighbours, peak_steps
from ocrsvc.text import fold


class Folding:
    """Folded peaks for a model with this ``alphabet`` (``alphabet[i - 1]`` is class i)."""

    def __init__(self, alphabet: str) -> None:
        numbers = {"": BLANK}  # white space folds to nothing, which is what the blank stands for
        forms = [BLANK, *(numbers.setdefault(fold(character), len(numbers)) for character in alphabet)]
        self._forms = np.array(forms, np.int32)

    def peaks(
        self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs
    ) -> NDArray[np.float32]:
        """Return the folded peak of each character.

        ``indices`` and ``probabilities`` ``[N,T,K]`` are the K best classes of each time step, the best first.
        """
        if not len(runs.rows):
            return runs.peaks
        folded = np.minimum(runs.peaks + self._others(indices, probabilities, runs), 1)
        return np.asarray(folded * (1 - self._missed(indices, probabilities, runs)), np.float32)

    def _others(
        self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs
    ) -> NDArray[np.float32]:
        """Return the probability of the other forms of each character."""
        steps = peak_steps(probabilities[:, :, 0], runs, np.arange(len(runs.rows)))
        classes, own = indices[runs.rows, steps], self._forms[runs.classes]
        same = (self._forms[classes] == own[:, None]) & (classes != runs.classes[:, None])
        found = np.where(same, probabilities[runs.rows, steps], 0).sum(axis=1)
        # oO without a blank between them may be one character in two forms, or two characters: that does count.
        touching = (
            (runs.rows[1:] == runs.rows[:-1]) & (runs.ends[:-1] == runs.starts[1:]) & (own[1:] == own[:-1])
        )
        found[np.append(touching, False) | np.append(False, touching)] = 0
        return np.asarray(found, np.float32)

    def _missed(
        self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs
    ) -> NDArray[np.float32]:
        """Return the highest probability of another character in the blank steps after each character.

        The steps before the first character of a line count for that character.
        """
        before, after = neighbours(runs, indices.shape[0], indices.shape[1])
        forms = self._forms[indices]
        other = (
            (forms != BLANK)
            & (forms != self._forms[before][:, :, None])
            & (forms != self._forms[after][:, :, None])
        )
        mass = np.where(other, probabilities, 0).sum(axis=2)
        rows, steps = np.nonzero((indices[:, :, 0] == BLANK) & (mass > 0))
        firsts = np.searchsorted(runs.rows, rows)
        owners = np.searchsorted(key(runs.rows, runs.starts), key(rows, steps), side="right") - 1
        kept = (
            runs.rows[np.minimum(firsts, len(runs.rows) - 1)] == rows
        )  # lines without characters have no owner
        found = np.zeros(len(runs.rows), np.float32)
        np.maximum.at(found, np.maximum(owners, firsts)[kept], mass[rows, steps][kept])
        return found
