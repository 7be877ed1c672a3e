"""Measures which settings are fastest on this machine: precision, workers and threads, arena, time of a batch.

Groups of settings are measured one after the other, with the choices made before. In each round, every candidate of
a group reads one burst: the same drawn lines, submitted at once to the real scheduler and engine. The order of
candidates is reversed every round, and choice.py decides. Decoding is not measured, because it does not depend on
these settings, nor are bucket widths, which belong to the model: another padding may change the text.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.diagnosis import workload
from ocrsvc.diagnosis.candidates import Setup, candidates, default
from ocrsvc.diagnosis.choice import decide
from ocrsvc.diagnosis.tuned import GROUPS, Candidate, Record, Step, key_of
from ocrsvc.machine import memory
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import LineText
from ocrsvc.scheduling.batcher import Batcher, Lane
from ocrsvc.scheduling.cost import CostModel
from ocrsvc.settings import Precision

_TRIALS = 90  # approximate number of bursts in the measuring time, over all groups
_FIRST_LINES, _MOST_LINES = 24, 4096  # lines of the first burst, and most lines of a burst
_NO_LIMIT_SECONDS = 86_400.0

Pixels = NDArray[np.uint8]
Report = Callable[[Step], None]
Clock = Callable[[], float]


class Engine(Protocol):
    """Interface of the engine to measure, as recognition.recogniser.Recogniser."""

    def run(self, width: int, crops: Sequence[Pixels]) -> list[LineText]: ...
    def warm(self) -> Iterator[tuple[int, int, float]]: ...


@dataclass(slots=True)
class _Bench:
    """Open engines and their cost models; ``shares``: shares of all cores that bursts which use all of them got."""

    spec: Manifest
    cpu: Cpu
    max_batch: int
    opened: Callable[[Setup], Engine]
    clock: Clock
    shares: list[float] = field(default_factory=list)
    _open: dict[tuple[Precision, int, bool], Engine] = field(default_factory=dict)
    _costs: dict[tuple[Precision, int, bool, int], CostModel] = field(default_factory=dict)

    def keep_only(self, setups: Sequence[Setup]) -> None:
        """Close the engines that none of these setups needs."""
        needed = {_engine(setup) for setup in setups}
        self._open = {key: engine for key, engine in self._open.items() if key in needed}

    def warm(self, setup: Setup) -> None:
        """Open the engine of this setup and run every bucket once."""
        key = _engine(setup)
        if key not in self._open:
            self._open[key] = self.opened(setup)
        if (*key, setup.workers) not in self._costs:
            cost = self._costs[*key, setup.workers] = CostModel()
            for width, rows, seconds in self._open[key].warm():
                cost.learn(Lane(self.spec.name, width), rows, seconds)

    async def burst(self, setup: Setup, lines: Sequence[Pixels]) -> float:
        """Submit all lines at once and return the lines per second."""
        key = _engine(setup)
        engine = self._open[key]

        def run(lane: Lane, payloads: Sequence[Pixels]) -> list[LineText]:
            return engine.run(lane.width, payloads)

        batcher: Batcher[Pixels, LineText] = Batcher(
            run,
            workers=setup.workers,
            max_batch=self.max_batch,
            t_max_ms=setup.t_max_ms,
            max_queue_seconds=_NO_LIMIT_SECONDS,
            cost=self._costs[*key, setup.workers],
            timer=self.clock,
        )
        await batcher.start()
        try:
            items = [(Lane(self.spec.name, self.spec.buckets.of(each.shape[1])), each) for each in lines]
            begun, busy = self.clock(), time.process_time()
            await asyncio.gather(*batcher.submit(items))
            seconds, busy = self.clock() - begun, time.process_time() - busy
        finally:
            await batcher.close(0)
        if setup.workers + setup.run_threads - 1 == self.cpu.effective:
            self.shares.append(busy / seconds / self.cpu.effective)
        return len(lines) / seconds


async def tune(
    spec: Manifest,
    cpu: Cpu,
    *,
    seconds: float,
    max_batch: int = 32,
    report: Report = lambda step: None,
    opened: Callable[[Setup], Engine] | None = None,
    clock: Clock = time.perf_counter,
) -> Record:
    """Measure for about ``seconds``, warm-up included, and return the record; blocks the event loop.

    A group without time for four rounds keeps its default. ``report`` is called with each step when it is done.
    ``opened`` (default: the real engine) and ``clock`` are for tests. Raises CorruptModel and the engine's errors.
    """
    memory.give_back()
    cv2.setNumThreads(1)  # as in the reader
    begun = clock()
    bench = _Bench(spec, cpu, max_batch, opened or partial(_open, spec, cpu), clock)
    base = default(spec, cpu)
    lines = await _lines(bench, base, seconds)
    weights = {group: len(candidates(group, base, spec, cpu)) for group in GROUPS}  # shares of the time
    steps = []
    for position, group in enumerate(GROUPS):
        setups, gains = zip(*candidates(group, base, spec, cpu), strict=True)
        if len(setups) < 2:
            continue
        now = clock()
        left = max(0.0, begun + seconds - now)
        until = now + left * weights[group] / sum(weights[each] for each in GROUPS[position:])
        decision = decide(await _rounds(bench, setups, lines, until), gains)
        told = [
            Candidate(setup.values(group), figure)
            for setup, figure in zip(setups, decision.figures, strict=True)
        ]
        base = setups[decision.chosen]
        steps.append(Step(tuple(told), decision.chosen))
        report(steps[-1])
    return Record(
        key=key_of(spec, cpu),
        measured_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=round(clock() - begun, 1),
        cpu_share=round(median(bench.shares), 3),
        steps=tuple(steps),
    )


async def _lines(bench: _Bench, base: Setup, seconds: float) -> list[Pixels]:
    """Return the lines of a burst, so many that all bursts fit into the time."""
    bench.warm(base)
    first = workload.lines(_FIRST_LINES, bench.spec.input)
    await bench.burst(base, first)
    rate = await bench.burst(base, first)
    count = round(min(_MOST_LINES, max(_FIRST_LINES, rate * seconds / _TRIALS)))
    return workload.lines(count, bench.spec.input)


async def _rounds(
    bench: _Bench, setups: Sequence[Setup], lines: Sequence[Pixels], until: float
) -> list[list[float]]:
    """Return the rates of each setup by round, for as many rounds as fit into the time."""
    rates: list[list[float]] = [[] for _ in setups]
    bench.keep_only(setups)
    for setup in setups:
        if bench.clock() >= until:
            return rates
        bench.warm(setup)
        await bench.burst(setup, lines)  # not counted: it warms up the batch sizes
    order, longest = list(range(len(setups))), 0.0
    while (started := bench.clock()) + longest < until:
        for index in order:
            rates[index].append(await bench.burst(setups[index], lines))
        longest = max(longest, bench.clock() - started)
        order.reverse()
    return rates


def _open(spec: Manifest, cpu: Cpu, setup: Setup) -> Engine:
    return Recogniser(spec, cpu=cpu, precision=setup.precision, arena=setup.arena, threads=setup.run_threads)


def _engine(setup: Setup) -> tuple[Precision, int, bool]:
    """Return the settings on which an engine depends."""
    return setup.precision, setup.run_threads, setup.arena
