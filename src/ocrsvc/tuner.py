"""Measures on this machine which settings read most: precision, workers and threads, arena, time of a batch.

One question after the other, each with what was chosen before. The candidates of a question take turns: the same
drawn lines, all at once, through the real scheduler and the real engine, one burst a candidate and round, in an
order that turns round every time. choice.py decides. Decoding is not measured: it does not depend on what is asked.
Neither are widths of buckets: they belong to the model, and another padding may read another text.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc import memory, workload
from ocrsvc.batcher import Batcher, Lane
from ocrsvc.choice import decide
from ocrsvc.cost import CostModel
from ocrsvc.cpu import Cpu
from ocrsvc.engine import Recogniser
from ocrsvc.manifest import Manifest
from ocrsvc.results import LineText
from ocrsvc.settings import Precision, Settings
from ocrsvc.tuned import GROUPS, Candidate, Record, Step, Value, key_of

# What a candidate must bring at least, as a share of the default's lines/s, for what else it costs.
_LEAST_GAIN = 0.03  # being no default
_LEAST_GAIN_ARENA = 0.10  # without the arena memory ends in holes and more of it (docs/decisions.md)
# Batches twice as long make everybody else wait twice as long; shorter ones cost nothing but their overhead.
_T_MAX_MS = ((20.0, 0.03), (80.0, 0.03), (160.0, 0.06))

_TRIALS = 60  # about so many bursts are to fit into the time, over all questions
_FIRST_LINES, _MOST_LINES = 24, 4096  # of a burst
_NO_LIMIT_SECONDS = 86_400.0

Pixels = NDArray[np.uint8]
Report = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that are measured, all of them stated."""

    precision: Precision
    workers: int
    run_threads: int
    arena: bool
    t_max_ms: float

    def values(self, group: Sequence[str]) -> dict[str, Value]:
        """The settings of one group."""
        return {name: getattr(self, name) for name in group}


@dataclass(slots=True)
class _Bench:
    """Sessions that are open and what their runs cost; ``shares``: of the cores, what bursts got that use all."""

    spec: Manifest
    cpu: Cpu
    max_batch: int
    shares: list[float] = field(default_factory=list)
    _open: dict[tuple[Precision, int, bool], Recogniser] = field(default_factory=dict)
    _costs: dict[tuple[Precision, int, bool, int], CostModel] = field(default_factory=dict)

    def keep_only(self, setups: Sequence[Setup]) -> None:
        """Close the sessions that none of these needs."""
        needed = {_session(setup) for setup in setups}
        self._open = {key: session for key, session in self._open.items() if key in needed}

    def warm(self, setup: Setup) -> None:
        """Open what this setup needs and run every bucket once."""
        key = _session(setup)
        if key not in self._open:
            self._open[key] = Recogniser(
                self.spec,
                cpu=self.cpu,
                precision=setup.precision,
                arena=setup.arena,
                threads=setup.run_threads,
            )
        if (*key, setup.workers) not in self._costs:
            cost = self._costs[*key, setup.workers] = CostModel()
            for width, rows, seconds in self._open[key].warm():
                cost.learn(Lane(self.spec.name, width), rows, seconds)

    async def burst(self, setup: Setup, lines: Sequence[Pixels]) -> float:
        """Lines per second when all of these come at once."""
        key = _session(setup)
        recogniser = self._open[key]

        def run(lane: Lane, payloads: Sequence[Pixels]) -> list[LineText]:
            return recogniser.run(lane.width, payloads)

        batcher: Batcher[Pixels, LineText] = Batcher(
            run,
            workers=setup.workers,
            max_batch=self.max_batch,
            t_max_ms=setup.t_max_ms,
            max_queue_seconds=_NO_LIMIT_SECONDS,
            cost=self._costs[*key, setup.workers],
        )
        await batcher.start()
        try:
            items = [(Lane(self.spec.name, self.spec.buckets.of(each.shape[1])), each) for each in lines]
            begun, busy = time.perf_counter(), time.process_time()
            await asyncio.gather(*batcher.submit(items))
            seconds, busy = time.perf_counter() - begun, time.process_time() - busy
        finally:
            await batcher.close(0)
        if setup.workers + setup.run_threads - 1 == self.cpu.effective:
            self.shares.append(busy / seconds / self.cpu.effective)
        return len(lines) / seconds


def default(spec: Manifest, cpu: Cpu) -> Setup:
    """What runs on this machine without tuning."""
    fields = Settings.model_fields
    file = spec.weights("auto", cpu)
    precision: Precision = "int8" if spec.files.get("int8") is file else "fp32"
    return Setup(
        precision,
        cpu.effective,
        fields["run_threads"].default,
        fields["arena"].default,
        fields["t_max_ms"].default,
    )


def candidates(group: Sequence[str], base: Setup, spec: Manifest, cpu: Cpu) -> list[tuple[Setup, float]]:
    """The setups that answer one question, ``base`` first, then what costs least, each with its least gain."""
    others: list[tuple[Setup, float]] = []
    if "precision" in group and base.precision == "int8" and "fp32" in spec.files:
        # Never the other way: every model has fp32, and a request may name one that has nothing else.
        others = [(replace(base, precision="fp32"), _LEAST_GAIN)]
    elif "workers" in group:
        others = [
            (replace(base, workers=workers, run_threads=threads), _LEAST_GAIN)
            for workers, threads in _layouts(cpu)
        ]
    elif "arena" in group:
        others = [(replace(base, arena=False), _LEAST_GAIN_ARENA)]
    elif "t_max_ms" in group:
        others = [(replace(base, t_max_ms=value), gain) for value, gain in _T_MAX_MS]
    return [(base, 0.0), *((setup, gain) for setup, gain in others if setup != base)]


def _layouts(cpu: Cpu) -> Iterator[tuple[int, int]]:
    """Workers and threads of a run, other than one worker a core: a pool of n threads adds n - 1 to the workers'."""
    cores = cpu.effective
    if cpu.physical and cpu.physical < cores:
        yield cpu.physical, 1  # two hardware threads of a core share its arithmetic
    if cores >= 4:
        yield cores // 2, cores - cores // 2 + 1
    if cores >= 2:
        yield 1, cores


async def tune(
    spec: Manifest, cpu: Cpu, *, seconds: float, max_batch: int = 32, report: Report = lambda step: None
) -> Record:
    """Measure for about ``seconds``, warm-up included, and return what was found; blocks the event loop.

    Without time for three rounds of a question its default stays. ``report`` hears of each step when it is done.
    Raises CorruptModel and what else the engine raises: a machine on which the defaults do not run is not tuned.
    """
    memory.give_back()
    cv2.setNumThreads(1)  # as the reader has it
    begun = time.perf_counter()
    bench = _Bench(spec, cpu, max_batch)
    base = default(spec, cpu)
    lines = await _lines(bench, base, seconds)
    weights = {group: len(candidates(group, base, spec, cpu)) for group in GROUPS}
    steps = []
    for position, group in enumerate(GROUPS):
        setups, gains = zip(*candidates(group, base, spec, cpu), strict=True)
        if len(setups) < 2:
            continue
        now = time.perf_counter()
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
        seconds=round(time.perf_counter() - begun, 1),
        cpu_share=round(median(bench.shares), 3),
        steps=tuple(steps),
    )


async def _lines(bench: _Bench, base: Setup, seconds: float) -> list[Pixels]:
    """The lines of a burst: as many as let all of them fit into the time."""
    bench.warm(base)
    first = workload.lines(_FIRST_LINES, bench.spec.input)
    await bench.burst(base, first)
    rate = await bench.burst(base, first)
    count = round(min(_MOST_LINES, max(_FIRST_LINES, rate * seconds / _TRIALS)))
    return workload.lines(count, bench.spec.input)


async def _rounds(
    bench: _Bench, setups: Sequence[Setup], lines: Sequence[Pixels], until: float
) -> list[list[float]]:
    """The rates of each setup, round by round, as long as another round fits in."""
    rates: list[list[float]] = [[] for _ in setups]
    bench.keep_only(setups)
    for setup in setups:
        if time.perf_counter() >= until:
            return rates
        bench.warm(setup)
        await bench.burst(setup, lines)  # not counted: its batches are of sizes that never ran
    order, longest = list(range(len(setups))), 0.0
    while (started := time.perf_counter()) + longest < until:
        for index in order:
            rates[index].append(await bench.burst(setups[index], lines))
        longest = max(longest, time.perf_counter() - started)
        order.reverse()
    return rates


def _session(setup: Setup) -> tuple[Precision, int, bool]:
    """What needs a session of its own."""
    return setup.precision, setup.run_threads, setup.arena
