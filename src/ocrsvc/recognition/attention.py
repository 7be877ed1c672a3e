"""The attention decoder of a recogniser: reads again the lines on which CTC is in doubt.

CTC's text is the draft (``speculative``). The places of the characters come from CTC's time steps (``alignment``),
their probabilities from the decoder. A line on which the decoder finds no end, or whose text is no plausible reading of
the same line, keeps CTC's text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ocrsvc.models.manifest import Manifest, ModelFile
from ocrsvc.recognition import speculative
from ocrsvc.recognition.alignment import align
from ocrsvc.recognition.ctc import BLANK, Runs, neighbours
from ocrsvc.recognition.speculative import END, Classes, Decoder, Peaks, Text

FILE = "decoder"  # key of the decoder's graph in a manifest's files
# By how many characters a decoder's text may be longer or shorter than CTC's: a third of it, or so many. CTC misses or
# doubles a character or two of a line; a text further off is one that ran away or broke off.
_LEAST_MARGIN = 2
_MORE_REPEATS = 2  # by how much the longest run of one character may be longer than CTC's (leaders, dashes)


def valid_frames(width: int, stride: int) -> int:
    """Return how many time steps of a line of ``width`` pixels show it, and one more for what reaches over its end."""
    return -(-width // stride) + 1


class Attention:
    """The decoder graph of a model, ready to run; thread-safe."""

    def __init__(self, spec: Manifest, opened: Callable[[ModelFile], ort.InferenceSession]) -> None:
        self._session = opened(spec.files[FILE])
        self._below = spec.decoder["below"]
        self._longest = int(spec.decoder["longest"])
        self._stride = spec.input.width_stride

    def choose(
        self,
        indices: NDArray[np.int32],
        probabilities: NDArray[np.float32],
        memory: NDArray[np.float32],
        runs: Runs,
        widths: Sequence[int],
    ) -> Runs:
        """Return the characters of a batch, those of lines in doubt as the decoder reads them.

        ``indices`` and ``probabilities`` ``[N,T,K]`` are the best classes, ``memory`` ``[N,T,d]`` is the graph's output
        of that name, ``widths`` are the lines' own in pixels.
        """
        doubted = np.flatnonzero(in_doubt(indices, probabilities, runs, self._below)).tolist()
        if not doubted:
            return runs
        bounds = np.searchsorted(runs.rows, np.arange(len(indices) + 1))
        drafts = [runs.classes[bounds[row] : bounds[row + 1]].tolist() for row in doubted]
        frames = np.array([valid_frames(width, self._stride) for width in widths], np.int32)
        seen, seen_frames = memory[doubted], frames[doubted]

        def passed(lines: NDArray[np.intp], tokens: Classes) -> tuple[Classes, Peaks]:
            feed = {"memory": seen[lines], "frames": seen_frames[lines], "tokens": tokens}
            classes, peaks = self._session.run(["classes", "peaks"], feed)
            return classes, peaks

        texts = decoded(drafts, passed, self._longest)
        found = {row: text for row, text in zip(doubted, texts, strict=True) if text is not None}
        shown = [(indices[row, : n - 1], probabilities[row, : n - 1]) for row, n in enumerate(frames)]
        return _replaced(runs, found, bounds, shown)

    def warm(self, width: int) -> None:
        """Run the decoder once on a blank line of this bucket."""
        shapes = {each.name: each.shape for each in self._session.get_inputs()}
        memory = np.zeros((1, width // self._stride, shapes["memory"][2]), np.float32)
        tokens = np.full((1, self._longest + 1), END, np.int32)
        self._session.run(
            None, {"memory": memory, "frames": np.array([memory.shape[1]], np.int32), "tokens": tokens}
        )


def decoded(drafts: Sequence[Sequence[int]], decoder: Decoder, longest: int) -> list[Text | None]:
    """Return the decoder's text of each line, None where CTC's, the draft, is to stay (``greedy``, ``plausible``)."""
    texts = speculative.greedy(drafts, decoder, longest)
    return [
        text if text is not None and plausible(text.classes, draft) else None
        for text, draft in zip(texts, drafts, strict=True)
    ]


def plausible(classes: Sequence[int], draft: Sequence[int]) -> bool:
    """Return whether the classes may be a reading of the line that CTC reads as ``draft``, by length and repeats.

    No text is no reading of a line on which CTC reads something.
    """
    if not classes:
        return not draft
    margin = max(_LEAST_MARGIN, len(draft) // 3)
    repeats = _longest_run(classes) - max(1, _longest_run(draft))
    return abs(len(classes) - len(draft)) <= margin and repeats <= _MORE_REPEATS


def _longest_run(classes: Iterable[int]) -> int:
    return max((len(list(run)) for _, run in groupby(classes)), default=0)


def in_doubt(
    indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs, below: float
) -> NDArray[np.bool_]:
    """Return for each line ``[N]`` whether a character has a lower peak than ``below``, or one may have been missed.

    A character may have been missed where the blank is the best class, the second best one is neither the character
    before nor the one after, and is more probable than ``1 - below``.
    """
    lines, steps, _ = indices.shape
    doubted = np.zeros(lines, dtype=bool)
    doubted[runs.rows[runs.peaks < below]] = True
    best, second = indices[:, :, 0], indices[:, :, 1]
    before, after = neighbours(runs, lines, steps)
    missed = (best == BLANK) & (probabilities[:, :, 1] > 1 - below) & (second != before) & (second != after)
    found: NDArray[np.bool_] = doubted | missed.any(axis=1)
    return found


def _replaced(
    runs: Runs,
    found: dict[int, Text],
    bounds: NDArray[np.intp],
    shown: Sequence[tuple[NDArray[np.int32], NDArray[np.float32]]],
) -> Runs:
    """Return the runs with the texts ``found`` by line; ``shown``: best classes of the steps that show each line."""
    lines = []
    for row in range(len(bounds) - 1):
        own = Runs(*(column[bounds[row] : bounds[row + 1]] for column in _columns(runs)))
        text = found.get(row)
        if text is not None:
            peaks = np.array(text.peaks, np.float32)
            if list(text.classes) == own.classes.tolist():
                own = replace(own, peaks=peaks)
            else:
                starts, ends = align(*shown[row], text.classes).T
                rows = np.full(len(peaks), row, own.rows.dtype)
                own = Runs(rows, starts, ends, np.array(text.classes, np.int32), peaks)
        lines.append(own)
    return Runs(*(np.concatenate(column) for column in zip(*map(_columns, lines), strict=True)))


def _columns(runs: Runs) -> tuple[NDArray[Any], ...]:
    return runs.rows, runs.starts, runs.ends, runs.classes, runs.peaks
