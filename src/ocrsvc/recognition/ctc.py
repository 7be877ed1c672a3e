"""Greedy CTC decoding of a graph's top-k output, vectorised over the whole batch (Graves 2006).

``collapse`` takes the most probable class of each time step, merges repeats and drops the blank. ``bigrams`` and
``lexicon`` may then replace ambiguous classes. ``lines`` turns the result into text.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ocrsvc.results import Alternative, Character, LineText

BLANK = 0
CERTAIN = 0.98  # a character with at least this peak is not ambiguous


@dataclass(frozen=True, slots=True)
class Runs:
    """Characters of a batch, line after line, one array element each.

    ``rows``: the line; ``starts`` and ``ends``: the time steps ``[start, end)`` where the class is the best one;
    ``classes``: the class; ``peaks``: its highest probability in these time steps.
    """

    rows: NDArray[np.intp]
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    classes: NDArray[np.int32]
    peaks: NDArray[np.float32]

    def without(self, places: Sequence[int]) -> Runs:
        """Return the characters except those at these indices."""
        kept = np.ones(len(self.rows), dtype=bool)
        kept[list(places)] = False
        return Runs(self.rows[kept], self.starts[kept], self.ends[kept], self.classes[kept], self.peaks[kept])


def collapse(best: NDArray[np.int32], probability: NDArray[np.float32]) -> Runs:
    """Return the characters of a batch, repeats merged and blanks dropped.

    ``best`` and ``probability`` are ``[N,T]``: the top class of each time step and its probability.
    """
    # A run begins, and the previous one ends, at each time step where the class changes.
    changes = np.ones((best.shape[0], best.shape[1] + 1), dtype=bool)
    changes[:, 1:-1] = best[:, 1:] != best[:, :-1]
    rows, starts = np.nonzero(changes[:, :-1] & (best != BLANK))
    change_rows, change_steps = np.nonzero(changes)
    order = np.searchsorted(key(change_rows, change_steps), key(rows, starts), side="right")
    ends = change_steps[order]
    return Runs(rows, starts, ends, best[rows, starts], _peaks(probability, rows, starts, ends))


def lines(
    runs: Runs,
    *,
    widths: Sequence[int],
    alphabet: str,
    stride: int,
    reach_pixels: int,
    folded: NDArray[np.float32] | None = None,
    doubts: Sequence[tuple[Alternative, ...]] | None = None,
) -> list[LineText]:
    """Return the text of each line of a batch.

    ``widths`` are the lines' own widths in pixels, without padding; ``alphabet[i - 1]`` is class i; ``stride`` is the
    width of a time step in pixels. A character spans its time steps, widened half-way to its neighbours but by no
    more than ``reach_pixels``; its place is given as fractions of the line's own width. ``folded``: the folded peak of
    each character; ``doubts``: its alternatives, if they are wanted.
    """
    lefts, rights = _spans(runs.rows, runs.starts * stride, runs.ends * stride, reach_pixels)
    own = np.asarray(widths, dtype=np.float64)[runs.rows]
    lefts, rights = np.clip(lefts / own, 0, 1), np.clip(rights / own, 0, 1)
    seen = [None] * len(runs.rows) if folded is None else folded.tolist()
    columns = zip(
        runs.classes.tolist(), runs.peaks.tolist(), lefts.tolist(), rights.tolist(), seen, strict=True
    )
    characters = [
        Character(alphabet[c - 1], p, left, right, folded_peak=every) for c, p, left, right, every in columns
    ]
    if doubts is not None:
        characters = [replace(c, alternatives=own) for c, own in zip(characters, doubts, strict=True)]
    bounds = np.searchsorted(runs.rows, np.arange(len(widths) + 1)).tolist()
    return [line_of(characters[first:last]) for first, last in itertools.pairwise(bounds)]


def line_of(characters: Sequence[Character]) -> LineText:
    """Return the line of these characters, without spaces at its ends; its confidence is the mean of theirs."""
    first, last = 0, len(characters)
    while first < last and characters[first].text.isspace():
        first += 1
    while last > first and characters[last - 1].text.isspace():
        last -= 1
    kept = tuple(characters[first:last])
    mean = sum(c.confidence for c in kept) / len(kept) if kept else 0.0
    return LineText("".join(c.text for c in kept), mean, kept)


def peak_steps(best: NDArray[np.float32], runs: Runs, at: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the time step where each of the characters ``at`` is most probable, by ``best`` ``[N,T]``."""
    rows, starts, ends = runs.rows[at], runs.starts[at], runs.ends[at]
    steps: NDArray[np.intp] = starts.copy()
    for further in range(1, int((ends - starts).max())):
        others = np.minimum(starts + further, ends - 1)
        steps = np.where(best[rows, others] > best[rows, steps], others, steps)
    return steps


def neighbours(runs: Runs, lines: int, steps: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return for each time step ``[N,T]`` the classes of the nearest characters before and after it, 0 for none.

    A step inside a character has that character on both sides.
    """
    before = np.zeros((lines, steps), dtype=np.int32)
    after = np.zeros((lines, steps), dtype=np.int32)
    before[runs.rows, runs.ends - 1] = runs.classes
    after[runs.rows, runs.starts] = runs.classes
    return _carried(before), _carried(after[:, ::-1])[:, ::-1]


def _carried(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return each value ``[N,T]``, or the last one before it that is not 0."""
    at = np.maximum.accumulate(np.where(values != 0, np.arange(values.shape[1]), 0), axis=1)
    return np.take_along_axis(values, at, axis=1)


def key(rows: NDArray[np.intp], steps: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return one ascending number for each (row, time step)."""
    return rows.astype(np.int64) * (1 << 32) + steps


def _peaks(
    probability: NDArray[np.float32], rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return the highest probability in each run [start, end)."""
    if not len(rows):
        return np.empty(0, dtype=np.float32)
    steps = probability.shape[1]
    # One spare element, because a run that ends with the last row's last step ends one past the array.
    flat = np.append(probability.ravel(), np.float32(0))
    edges = np.stack([rows * steps + starts, rows * steps + ends], axis=1).ravel()
    return np.asarray(np.maximum.reduceat(flat, edges)[::2], dtype=np.float32)


def _spans(
    rows: NDArray[np.intp], lefts: NDArray[np.intp], rights: NDArray[np.intp], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Widen runs, in pixels, half-way to their neighbours, because CTC peaks are narrower than characters."""
    before = np.full(len(rows), float(reach))
    after = np.full(len(rows), float(reach))
    if len(rows) > 1:
        same = rows[1:] == rows[:-1]
        half = np.where(same, (lefts[1:] - rights[:-1]) / 2, reach)
        before[1:] = np.minimum(half, reach)
        after[:-1] = np.minimum(half, reach)
    return lefts - before, rights + after
