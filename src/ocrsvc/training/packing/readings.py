"""Reads labelled lines with the real engine and marks which of the characters are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from ocrsvc.machine import cpu
from ocrsvc.models.calibration import folded_peaks
from ocrsvc.models.manifest import Manifest
from ocrsvc.reading.lines import LineImage, prepare
from ocrsvc.recognition import segments
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import LineText
from ocrsvc.settings import Precision
from ocrsvc.text import fold
from ocrsvc.training.data.samples import Sample

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """One labelled line as a model reads it; ``marks`` are pairs of each character's peak and whether it is right.

    ``text``: what was read; ``height_pixels``: that of the picture; ``peaks``: the folded peak of each character.
    """

    source: str
    text: str
    height_pixels: int
    peaks: tuple[float, ...]
    mean: float
    right: bool
    marks: tuple[tuple[float, bool], ...]


def read(samples: Sequence[Sample], spec: Manifest, precision: Precision) -> list[LineText]:
    """Return the engine's reading of each sample, long lines in segments as in serving; '' for a line without text.

    Confidences are uncalibrated peaks.
    """
    recogniser = Recogniser(spec, cpu=cpu.inspect(), precision=precision)
    images = [next(iter(prepare(sample.image, None, spec)), None) for sample in samples]
    queues: dict[int, list[tuple[int, int]]] = {}
    for i, line in enumerate(images):
        for j, pixels in enumerate(line.pixels if line else ()):
            queues.setdefault(spec.buckets.of(pixels.shape[1]), []).append((i, j))
    parts: dict[tuple[int, int], LineText] = {}
    for width, queue in queues.items():
        for start in range(0, len(queue), _BATCH):
            batch = queue[start : start + _BATCH]
            texts = recogniser.run(width, [cast(LineImage, images[i]).pixels[j] for i, j in batch])
            parts.update(zip(batch, texts, strict=True))
    return [
        segments.join(line.parts, [parts[i, j] for j in range(len(line.parts))], spec.input.height)
        if line
        else LineText("", 0.0)
        for i, line in enumerate(images)
    ]


def judged(samples: Sequence[Sample], spec: Manifest, precision: Precision) -> list[Reading]:
    """Return the readings of labelled lines, in the order of the samples, without those that have no text."""
    lines = read(samples, spec, precision)
    readings = [_judge(sample, line) for sample, line in zip(samples, lines, strict=True)]
    return [reading for reading in readings if reading.peaks]


def _judge(sample: Sample, line: LineText) -> Reading:
    """Compare a line with its label, both in normal form."""
    label = fold(cast(str, sample.text))
    spelt = [(each, c.confidence) for c in line.characters for each in fold(c.text)]
    marks = matches([each for each, _ in spelt], label)
    return Reading(
        source=sample.source,
        text=line.text,
        height_pixels=sample.image.shape[0],
        peaks=tuple(folded_peaks(line)),
        mean=line.confidence,
        right=fold(line.text) == label,
        marks=tuple((peak, mark) for (_, peak), mark in zip(spelt, marks, strict=True)),
    )


def matches(read: Sequence[str], label: str) -> list[bool]:
    """Return for each character read whether an alignment of least edit distance matches it to the label."""
    cost = np.zeros((len(read) + 1, len(label) + 1), dtype=np.int64)
    cost[:, 0], cost[0, :] = np.arange(len(read) + 1), np.arange(len(label) + 1)
    for i, ours in enumerate(read, start=1):
        for j, theirs in enumerate(label, start=1):
            change = cost[i - 1, j - 1] + (ours != theirs)
            cost[i, j] = min(change, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    found = [False] * len(read)
    i, j = len(read), len(label)
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + (read[i - 1] != label[j - 1]):
            i, j = i - 1, j - 1
            found[i] = read[i] == label[j]
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return found
