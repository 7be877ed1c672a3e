"""The attention decoder of a recogniser: reads again the lines on which CTC is in doubt.

CTC's text is the draft (``speculative``). The places of the characters come from CTC's time steps (``alignment``),
their probabilities from the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ocrsvc.models.manifest import Manifest, ModelFile
from ocrsvc.recognition import speculative
from ocrsvc.recognition.alignment import align
from ocrsvc.recognition.ctc import BLANK, Runs
from ocrsvc.recognition.speculative import END, Text

FILE = "decoder"  # key of the decoder's graph in a manifest's files


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
        of that name, ``widths`` are the lines' own in pixels. A line on which the decoder finds no end stays as it is.
        """
        doubted = np.flatnonzero(in_doubt(indices, probabilities, runs, self._below))
        if not len(doubted):
            return runs
        bounds = np.searchsorted(runs.rows, np.arange(len(indices) + 1))
        drafts = [runs.classes[bounds[row] : bounds[row + 1]].tolist() for row in doubted]
        frames = np.array([valid_frames(widths[row], self._stride) for row in doubted], np.int32)
        seen = memory[doubted]

        def passed(
            lines: NDArray[np.intp], tokens: NDArray[np.int32]
        ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
            feed = {"memory": seen[lines], "frames": frames[lines], "tokens": tokens}
            classes, peaks = self._session.run(["classes", "peaks"], feed)
            return classes, peaks

        texts = speculative.greedy(drafts, passed, self._longest)
        found = {int(row): text for row, text in zip(doubted, texts, strict=True) if text is not None}
        return _replaced(runs, found, bounds, indices, probabilities)

    def warm(self, width: int) -> None:
        """Run the decoder once on a blank line of this bucket."""
        shapes = {each.name: each.shape for each in self._session.get_inputs()}
        memory = np.zeros((1, width // self._stride, shapes["memory"][2]), np.float32)
        tokens = np.full((1, self._longest + 1), END, np.int32)
        self._session.run(
            None, {"memory": memory, "frames": np.array([memory.shape[1]], np.int32), "tokens": tokens}
        )


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
    # The nearest characters on both sides of each step, by the numbers of the runs.
    before = np.zeros((lines, steps), dtype=np.int32)
    after = np.zeros((lines, steps), dtype=np.int32)
    before[runs.rows, runs.ends - 1] = runs.classes
    after[runs.rows, runs.starts] = runs.classes
    before, after = _carried(before), _carried(after[:, ::-1])[:, ::-1]
    missed = (best == BLANK) & (probabilities[:, :, 1] > 1 - below) & (second != before) & (second != after)
    return doubted | missed.any(axis=1)


def _carried(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return each value ``[N,T]``, or the last one before it that is not 0."""
    at = np.maximum.accumulate(np.where(values != 0, np.arange(values.shape[1]), 0), axis=1)
    return np.take_along_axis(values, at, axis=1)


def _replaced(
    runs: Runs,
    found: dict[int, Text],
    bounds: NDArray[np.intp],
    indices: NDArray[np.int32],
    probabilities: NDArray[np.float32],
) -> Runs:
    """Return the runs with the texts ``found`` by line."""
    rows, starts, ends, classes, peaks = [], [], [], [], []
    for row in range(len(bounds) - 1):
        own = slice(bounds[row], bounds[row + 1])
        text = found.get(row)
        if text is None:
            line = (runs.starts[own], runs.ends[own], runs.classes[own], runs.peaks[own])
        elif list(text.classes) == runs.classes[own].tolist():
            line = (runs.starts[own], runs.ends[own], runs.classes[own], np.array(text.peaks, np.float32))
        else:
            places = align(indices[row], probabilities[row], text.classes)
            written = np.array(text.classes, np.int32), np.array(text.peaks, np.float32)
            line = (places[:, 0], places[:, 1], *written)
        for column, values in zip((starts, ends, classes, peaks), line, strict=True):
            column.append(values)
        rows.append(np.full(len(line[0]), row, np.intp))
    return Runs(*(np.concatenate(column) for column in (rows, starts, ends, classes, peaks)))
