"""Lines in batches as serving makes them, read by two workers with one thread each.

Only pieces of one width share a batch, which is capped in rows and in time as the service's batcher does (see
``OCRSVC_MAX_BATCH`` and ``OCRSVC_T_MAX_MS``). Wide ones go first, so that no worker is left alone at the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ocrsvc.settings import Settings
from peers.recogniser import Picture, Prepared, Recogniser

_TRIALS = 3  # timed runs of the batch that says what a pixel costs; the quickest counts
_TRIAL_PIXELS = 1280  # of width in that batch


@dataclass(frozen=True)
class Batch:
    """Pieces read together; ``owners`` says for each which line and which piece of it it is."""

    width: int
    pieces: tuple[Any, ...]
    owners: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Plan:
    """All lines of a data set as one recogniser prepared them, and the batches that read them."""

    recogniser: Recogniser[Any, Any]
    lines: tuple[Prepared[Any], ...]
    batches: tuple[Batch, ...]

    def read(self, pool: ThreadPoolExecutor) -> tuple[list[str], float]:
        """The text of each line, and the seconds from the first batch to the last decoded one."""
        begun = time.perf_counter()
        answers = list(pool.map(lambda batch: self.recogniser.run(batch.width, batch.pieces), self.batches))
        seconds = time.perf_counter() - begun
        readings: list[list[Any]] = [[None] * len(line.pieces) for line in self.lines]
        for batch, answer in zip(self.batches, answers, strict=True):
            for (line, piece), reading in zip(batch.owners, answer, strict=True):
                readings[line][piece] = reading
        texts = [self.recogniser.text(line, said) for line, said in zip(self.lines, readings, strict=True)]
        return texts, seconds


def plan(recogniser: Recogniser[Any, Any], pictures: Sequence[Picture]) -> Plan:
    """Prepare the pictures and put them into batches; runs the recogniser a few times to learn what it costs."""
    lines = tuple(recogniser.prepare(picture) for picture in pictures)
    waiting: dict[int, list[tuple[int, int]]] = {}
    for number, line in enumerate(lines):
        for part, piece in enumerate(line.pieces):
            waiting.setdefault(recogniser.width(piece), []).append((number, part))
    pixel_seconds = 0.0
    if recogniser.fixed_rows is None and waiting:
        pixel_seconds = seconds_per_pixel(recogniser, lines, waiting)
    batches = []
    for width in sorted(waiting, reverse=True):
        owners, most = waiting[width], rows(recogniser, width, pixel_seconds)
        for start in range(0, len(owners), most):
            some = tuple(owners[start : start + most])
            batches.append(Batch(width, tuple(lines[line].pieces[part] for line, part in some), some))
    return Plan(recogniser, lines, tuple(batches))


def rows(recogniser: Recogniser[Any, Any], width: int, pixel_seconds: float) -> int:
    """How many pieces of this width share a batch: what serving allows by number and by estimated time."""
    if recogniser.fixed_rows is not None:
        return recogniser.fixed_rows
    allowed = Settings.model_fields["max_batch"].default
    seconds = Settings.model_fields["t_max_ms"].default / 1000
    return int(max(1, min(allowed, seconds / max(pixel_seconds * width, 1e-9))))


def seconds_per_pixel(
    recogniser: Recogniser[Any, Any],
    lines: Sequence[Prepared[Any]],
    waiting: dict[int, list[tuple[int, int]]],
) -> float:
    """What a pixel of width costs on one thread, by the width that most pieces have."""
    width = max(waiting, key=lambda each: len(waiting[each]))
    line, part = waiting[width][0]
    pieces = [lines[line].pieces[part]] * max(1, _TRIAL_PIXELS // width)
    recogniser.run(width, pieces)  # the first run allocates
    quickest = float("inf")
    for _ in range(_TRIALS):
        begun = time.perf_counter()
        recogniser.run(width, pieces)
        quickest = min(quickest, time.perf_counter() - begun)
    return quickest / (width * len(pieces))
