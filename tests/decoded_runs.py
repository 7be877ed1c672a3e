"""Runs of characters as CTC gives them, for tests of what judges them."""

from __future__ import annotations

import numpy as np

from ocrsvc.recognition.ctc import Runs

NOTHING = (
    np.empty((1, 0, 8), np.int32),
    np.empty((1, 0, 8), np.float32),
)  # a judge that asks for no alternatives


def runs_of(alphabet: str, *lines: str) -> Runs:
    """Return lines as runs of one time step and one blank each; class i is ``alphabet[i - 1]``."""
    rows = [row for row, line in enumerate(lines) for _ in line]
    starts = [2 * place for line in lines for place in range(len(line))]
    return Runs(
        np.array(rows, np.intp),
        np.array(starts, np.intp),
        np.array(starts, np.intp) + 1,
        np.array([alphabet.index(c) + 1 for line in lines for c in line], np.int32),
        np.full(len(rows), 0.9, np.float32),
    )


def texts_of(alphabet: str, runs: Runs, count: int) -> list[str]:
    """Return the texts of ``count`` lines."""
    return ["".join(alphabet[c - 1] for c in runs.classes[runs.rows == row]) for row in range(count)]
