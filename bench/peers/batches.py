"""Lines in batches as serving makes them, read by two workers with one thread each.

Only pieces of one width share a batch, which is capped in rows and in time as the service's batcher does (see
``OCRSVC_MAX_BATCH`` and ``OCRSVC_T_MAX_MS``). Wide ones go first, so that no worker is left alone at the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ocrsvc.settings import Settings
from peers.recogniser import Picture, Prepared, Recogniser

Owner = tuple[int, int]  # a line and a part of it

_TRIALS = 3  # timed runs of the batch that says what a pixel costs; the quickest counts
_TRIAL_PIXELS = 1280  # of width in that batch


@dataclass(frozen=True)
class Batch:
    """Pieces of one width that are read together. ``owners`` says which line and which part of it each is."""

    width: int
    pieces: tuple[Any, ...]
    owners: tuple[Owner, ...]


@dataclass(frozen=True)
class Plan:
    """All lines of a data set as one recogniser prepared them, and the batches that read them."""

    recogniser: Recogniser[Any, Any]
    lines: tuple[Prepared[Any], ...]
    batches: tuple[Batch, ...]

    def read(self, pool: ThreadPoolExecutor) -> tuple[list[str], float]:
        """Return the text of each line, and the seconds from the first batch to the last decoded one."""
        begun = time.perf_counter()
        answers = list(pool.map(lambda batch: self.recogniser.run(batch.width, batch.pieces), self.batches))
        seconds = time.perf_counter() - begun
        owners = (batch.owners for batch in self.batches)
        return joined(self.recogniser, self.lines, zip(owners, answers, strict=True)), seconds


def plan(recogniser: Recogniser[Any, Any], pictures: Sequence[Picture]) -> Plan:
    """Prepare the pictures and put them into batches. Run the recogniser a few times to learn what it costs."""
    lines = tuple(recogniser.prepare(picture) for picture in pictures)
    waiting = by_width(recogniser, lines)
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


def by_width(recogniser: Recogniser[Any, Any], lines: Sequence[Prepared[Any]]) -> dict[int, list[Owner]]:
    """Return the owners of all pieces by the width at which they are read."""
    waiting: dict[int, list[Owner]] = {}
    for number, line in enumerate(lines):
        for part, piece in enumerate(line.pieces):
            waiting.setdefault(recogniser.width(piece), []).append((number, part))
    return waiting


def joined(
    recogniser: Recogniser[Any, Any],
    lines: Sequence[Prepared[Any]],
    answers: Iterable[tuple[Sequence[Owner], Sequence[Any]]],
) -> list[str]:
    """Return the text of each line from the owners and the readings of all batches."""
    said: list[list[Any]] = [[None] * len(line.pieces) for line in lines]
    for owners, readings in answers:
        for (line, part), reading in zip(owners, readings, strict=True):
            said[line][part] = reading
    return [recogniser.text(line, readings) for line, readings in zip(lines, said, strict=True)]


def rows(recogniser: Recogniser[Any, Any], width: int, pixel_seconds: float) -> int:
    """Return how many pieces of this width share a batch: what serving allows by number and estimated time."""
    if recogniser.fixed_rows is not None:
        return recogniser.fixed_rows
    allowed = Settings.model_fields["max_batch"].default
    seconds = Settings.model_fields["t_max_ms"].default / 1000
    return int(max(1, min(allowed, seconds / max(pixel_seconds * width, 1e-9))))


def seconds_per_pixel(
    recogniser: Recogniser[Any, Any], lines: Sequence[Prepared[Any]], waiting: dict[int, list[Owner]]
) -> float:
    """Return what a pixel of width costs on one thread, measured at the width that most pieces have."""
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
