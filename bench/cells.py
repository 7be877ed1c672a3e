"""The cells of the table of batches: one shape read again and again in one way, all in turns."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import events
import numpy as np
import onnxruntime as ort
from lines import order, spread

from ocrsvc.models.manifest import Manifest

Run = Callable[[], object]

EVENT = "cache-misses"
_REST_SECONDS = 5.0  # at most, for threads of the cell before to stop spinning
_LOOK_SECONDS = 0.02
_OUTPUTS = ["indices", "probabilities"]


@dataclass(frozen=True)
class Cell:
    """One place of the table: ``run`` reads ``lines`` lines with ``threads`` threads in all."""

    way: str
    batch: int
    lines: int
    run: Run


def session(spec: Manifest, precision: str, **settings: Any) -> ort.InferenceSession:
    """A session of this model with these SessionOptions and ORT's defaults for all others."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    for name, value in settings.items():
        setattr(options, name, value)
    return ort.InferenceSession(spec.files[precision].read(), options, providers=["CPUExecutionProvider"])


def pixels(spec: Manifest, batch: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Random lines."""
    return np.random.default_rng(0).integers(0, 256, (batch, spec.input.height, width, 3), dtype=np.uint8)


def runner(opened: ort.InferenceSession, spec: Manifest, batch: int, width: int) -> Run:
    """Reads one batch."""
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
    """Every batch by every way to use the cores."""
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
    """``count`` threads read the same batch at the same time."""
    return lambda: [each.result() for each in [pool.submit(read) for _ in range(count)]]


def measure(cells: Sequence[Cell], rounds: int, seconds: float, cores: int) -> list[dict[str, Any]]:
    """All cells in turns: latency of a run, lines/s and share of the cores of each; then events, once each."""
    for cell in cells:
        cell.run()
        cell.run()
    seen: dict[int, list[tuple[float, float, float]]] = {number: [] for number in range(len(cells))}
    for turn in range(rounds):
        for name in order([str(number) for number in seen], turn):
            cell = cells[int(name)]
            rest()
            cell.run()
            runs, wall, cpu = _timed(cell.run, seconds)
            seen[int(name)].append((1000 * wall / runs, runs * cell.lines / wall, 100 * cpu / wall / cores))
        print(f"round {turn + 1} of {rounds}", end="\r", file=sys.stderr)
    rows = []
    for number, cell in enumerate(cells):
        latency, rate, share = zip(*seen[number], strict=True)
        rows.append(
            {
                "way": cell.way,
                "batch": cell.batch,
                "latency_ms": spread(latency),
                "lines_per_second": spread(rate),
                "cpu_percent": spread(share)["median"],
                "rounds": [round(each, 2) for each in rate],
                "cache_misses_per_line": _misses(cell, seconds),
            }
        )
    return rows


def rest() -> None:
    """Wait until this process stands still: ORT's threads spin on for a while after a run, on the next cell's cores."""
    until = time.monotonic() + _REST_SECONDS
    while time.monotonic() < until:
        before = time.process_time()
        time.sleep(_LOOK_SECONDS)
        if time.process_time() - before < _LOOK_SECONDS / 10:
            return


def _timed(run: Run, seconds: float) -> tuple[int, float, float]:
    """Runs in at least this time, and their wall and CPU seconds."""
    runs, cpu, begun = 0, time.process_time(), time.perf_counter()
    while not runs or time.perf_counter() - begun < seconds:
        run()
        runs += 1
    return runs, time.perf_counter() - begun, time.process_time() - cpu


def _misses(cell: Cell, seconds: float) -> int | None:
    runs = 0

    def work() -> None:
        nonlocal runs
        runs, _, _ = _timed(cell.run, seconds)

    counted = events.count(EVENT, work)
    return None if counted is None else round(counted / (runs * cell.lines))
