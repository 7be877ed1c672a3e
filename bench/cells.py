"""The cells of the table of batches. A cell reads one shape again and again in one way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import events
import harness
import numpy as np
import onnxruntime as ort
from machine import repeat

from ocrsvc.models.manifest import Manifest

Run = Callable[[], object]

EVENT = "cache-misses"
_REST_SECONDS = 5.0  # at most, for threads of the cell before to stop spinning
_LOOK_SECONDS = 0.02
_OUTPUTS = ["indices", "probabilities"]


@dataclass(frozen=True)
class Cell:
    """One place of the table: a call of ``run`` reads ``lines`` lines in batches of ``batch``."""

    way: str
    batch: int
    lines: int
    run: Run

    def __str__(self) -> str:
        return f"{self.way}, batch {self.batch}"


def session(spec: Manifest, precision: str, **settings: Any) -> ort.InferenceSession:
    """Return a session of this model with these SessionOptions and ORT's defaults for all others."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    for name, value in settings.items():
        setattr(options, name, value)
    return ort.InferenceSession(spec.files[precision].read(), options, providers=["CPUExecutionProvider"])


def pixels(spec: Manifest, batch: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a batch of random lines. The time of a run does not depend on the pixels."""
    return np.random.default_rng(0).integers(0, 256, (batch, spec.input.height, width, 3), dtype=np.uint8)


def runner(opened: ort.InferenceSession, spec: Manifest, batch: int, width: int) -> Run:
    """Return a function that reads one batch."""
    feed = {"pixels": pixels(spec, batch, width)}
    return lambda: opened.run(_OUTPUTS, feed)


def table_cells(
    spec: Manifest,
    precision: str,
    batches: Sequence[int],
    threads: Sequence[int],
    width: int,
    pool: ThreadPoolExecutor,
) -> list[Cell]:
    """Return a cell for every batch in every way to use the cores."""
    one = session(spec, precision, intra_op_num_threads=1)
    cells = []
    for count in threads:
        opened = one if count == 1 else session(spec, precision, intra_op_num_threads=count)
        name = "1 thread" if count == 1 else f"{count} threads"
        cells += [Cell(name, batch, batch, runner(opened, spec, batch, width)) for batch in batches]
    for count in (count for count in threads if count > 1):
        for batch in batches:
            read = runner(one, spec, batch, width)
            cells.append(Cell(f"{count} workers", batch, count * batch, _at_once(pool, count, read)))
    return cells


def _at_once(pool: ThreadPoolExecutor, count: int, read: Run) -> Run:
    """Return a function in which ``count`` threads read the same batch at the same time."""
    return lambda: [each.result() for each in [pool.submit(read) for _ in range(count)]]


def measure(cells: Sequence[Cell], rounds: int, seconds: float, cores: int) -> list[dict[str, Any]]:
    """Return latency, lines/s, share of the cores and cache misses of each cell. The cells take turns."""
    for cell in cells:
        cell.run()  # the first runs allocate
        cell.run()

    def turn(cell: Cell, _: int) -> dict[str, float]:
        rest()
        cell.run()
        runs, wall, cpu = repeat(cell.run, seconds)
        rate, share = runs * cell.lines / wall, 100 * cpu / wall / cores
        return {"latency_ms": 1000 * wall / runs, "lines_per_second": rate, "cpu_percent": share}

    turns = harness.take_turns(cells, rounds, turn)
    rows = []
    for cell in cells:
        row = {"way": cell.way, "batch": cell.batch, **harness.summary([each[cell] for each in turns])}
        row["cpu_percent"] = row["cpu_percent"]["median"]
        row["rounds"] = [round(each[cell]["lines_per_second"], 2) for each in turns]
        row["cache_misses_per_line"] = _misses(cell, seconds)
        rows.append(row)
    return rows


def rest() -> None:
    """Wait until this process stands still.

    ORT's threads spin for a while after a run and would take the cores of the next cell.
    """
    until = time.monotonic() + _REST_SECONDS
    while time.monotonic() < until:
        before = time.process_time()
        time.sleep(_LOOK_SECONDS)
        if time.process_time() - before < _LOOK_SECONDS / 10:
            return


def _misses(cell: Cell, seconds: float) -> int | None:
    runs = 0

    def work() -> None:
        nonlocal runs
        runs, _, _ = repeat(cell.run, seconds)

    counted = events.count(EVENT, work)
    return None if counted is None else round(counted / (runs * cell.lines))
