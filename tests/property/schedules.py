"""Random schedules for the scheduler: strategies that draw them, and a simulation that plays them in virtual time."""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from property.virtual_time import VirtualExecutor, VirtualLoop

from ocrsvc.errors import OcrError
from ocrsvc.models.buckets import Buckets, stack
from ocrsvc.scheduling.batcher import Batcher, Flow, Lane
from ocrsvc.scheduling.cost import CostModel, Sized

BUCKETS = Buckets((8, 16, 24, 32, 48, 64))
HEIGHT = 2
NEVER = 1e6  # seconds of a run that outlives every test
FOREVER = 1e9


@dataclass(frozen=True)
class Line:
    """What is read: its own width decides its lane. ``poison`` makes the engine raise, ``liar`` drop a row."""

    width: int
    charset: str = ""
    poison: bool = False
    liar: bool = False

    @property
    def lane(self) -> Lane:
        return Lane("m", BUCKETS.of(self.width), self.charset)


@dataclass(frozen=True)
class Request:
    """One submission ``after`` seconds after the one before; ``cancel`` holds (line, seconds later) pairs."""

    lines: tuple[Line, ...]
    after: float = 0.0
    deadline: float = math.inf
    flow: int | None = None  # requests of one number are one reading
    admitted: bool = False
    cancel: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class World:
    """How the scheduler is set up, and how fast the machine is."""

    workers: int = 2
    max_batch: int = 8
    t_max_ms: float = 40.0
    max_wait_ms: float = 0.0
    max_queue_seconds: float = FOREVER
    fixed_seconds: float = 0.001
    seconds_per_pixel: float = 0.0002


@dataclass(eq=False)
class Payload:
    number: int
    line: Line
    pixels: NDArray[np.uint8]


@dataclass(eq=False)
class Record:
    """The life of one accepted line."""

    payload: Payload
    index: int
    request: Request
    arrived: float
    future: asyncio.Future[str]
    units: int
    flow: Flow
    done_at: float = math.inf
    starts: list[float] = field(default_factory=list)
    order: int = -1  # of its first run

    @property
    def lane(self) -> Lane:
        return self.payload.line.lane


@dataclass(frozen=True)
class Run:
    at: float
    lane: Lane
    numbers: tuple[int, ...]


class FrozenCost(CostModel):
    """Knows the world's true cost and learns nothing, so that a test can recompute every estimate."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def terms(self, lane: Sized) -> tuple[float, float]:
        return self._world.fixed_seconds, self._world.seconds_per_pixel * lane.width

    def learn(self, lane: Sized, rows: int, seconds: float) -> None:
        pass


async def _cancel_all() -> None:
    """End what a failed test leaves behind."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def read_alone(payload: Payload) -> str:
    """What the fake engine says of a line that is read by itself."""
    return read_rows(payload.line.lane, [payload])[0]


def read_rows(lane: Lane, payloads: Sequence[Payload]) -> list[str]:
    """A deterministic 'reading' of each row of the padded batch: it sees the padding, as a real net does."""
    batch = stack([p.pixels for p in payloads], height=HEIGHT, width=lane.width, pad_value=127)
    return [f"{zlib.crc32(row.tobytes()):08x}/{lane.width}/{lane.charset}" for row in batch]


class Simulation:
    """One scheduler with its fake engine in a virtual world; ``records`` and ``runs`` say what happened."""

    def __init__(self, world: World, *, cost: CostModel | None = None, stuck: bool = False) -> None:
        self.world = world
        self.loop = VirtualLoop()
        self.cost = cost or FrozenCost(world)
        self.records: list[Record] = []
        self.refused: list[tuple[Request, OcrError]] = []
        self.refused_numbers: set[int] = set()
        self.runs: list[Run] = []
        self.unwanted: list[Record] = []  # lines that the engine was given although nobody waited for them
        self.stuck = stuck
        self._by_number: dict[int, Record] = {}
        self._flows: dict[int, Flow] = {}
        self._count = 0
        self._engine_clock = 0.0
        self._last_seconds = 0.0
        self.executor = VirtualExecutor(self.loop, lambda: self._last_seconds)
        self.batcher: Batcher[Payload, str] = Batcher(
            self._engine,
            workers=world.workers,
            max_batch=world.max_batch,
            t_max_ms=world.t_max_ms,
            max_wait_ms=world.max_wait_ms,
            max_queue_seconds=world.max_queue_seconds,
            cost=self.cost,
            executor=self.executor,
            timer=lambda: self._engine_clock,
        )

    def play(self, requests: Sequence[Request], *, grace: float = FOREVER) -> Simulation:
        """Submit all requests at their times, close with ``grace``, and return when all is over."""

        async def main() -> None:
            await self.batcher.start()
            await self.feed(requests)
            await self.batcher.close(grace)

        return self.run(main)

    def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> Simulation:
        """Run ``main`` in virtual time until it ends."""
        try:
            self.loop.run_until_complete(main())
        finally:
            self.loop.on_quiet(lambda: None)
            self.loop.run_until_complete(_cancel_all())
            self.loop.close()
        return self

    async def feed(self, requests: Sequence[Request]) -> None:
        for request in requests:
            await asyncio.sleep(request.after)
            self.submit(request)

    def submit(self, request: Request) -> list[Record]:
        now = self.loop.time()
        flow = Flow() if request.flow is None else self._flows.setdefault(request.flow, Flow())
        payloads = [self._payload(line) for line in request.lines]
        try:
            futures = self.batcher.submit(
                [(line.lane, payload) for line, payload in zip(request.lines, payloads, strict=True)],
                deadline=now + request.deadline,
                flow=flow,
                admitted=request.admitted,
            )
        except OcrError as error:
            self.refused.append((request, error))
            self.refused_numbers.update(payload.number for payload in payloads)
            return []
        fresh = [
            Record(p, i, request, now, future, max(1, round(self.cost.seconds(p.line.lane, 1) * 1e6)), flow)
            for i, (p, future) in enumerate(zip(payloads, futures, strict=True))
        ]
        for record in fresh:
            self._by_number[record.payload.number] = record
            record.future.add_done_callback(partial(self._settled, record))
        for which, later in request.cancel:
            self.loop.call_later(later, fresh[which % len(fresh)].future.cancel)
        self.records += fresh
        return fresh

    def _settled(self, record: Record, _: object) -> None:
        record.done_at = self.loop.time()

    def _payload(self, line: Line) -> Payload:
        self._count += 1
        pixels = np.full((HEIGHT, line.width, 3), self._count % 251, dtype=np.uint8)
        pixels[0, 0] = self._count // 251
        return Payload(self._count, line, pixels)

    def _engine(self, lane: Lane, payloads: Sequence[Payload]) -> list[str]:
        now = self.loop.time()
        self.runs.append(Run(now, lane, tuple(p.number for p in payloads)))
        for payload in payloads:
            record = self._by_number[payload.number]
            if record.future.done():
                self.unwanted.append(record)
            record.starts.append(now)
            if record.order < 0:
                record.order = len(self.runs)
        seconds = self.world.fixed_seconds + self.world.seconds_per_pixel * lane.width * len(payloads)
        self._last_seconds = NEVER if self.stuck else seconds
        self._engine_clock += seconds
        if any(p.line.poison for p in payloads):
            raise ValueError("poison")
        readings = read_rows(lane, payloads)
        return readings[:-1] if any(p.line.liar for p in payloads) else readings

    @property
    def waiting(self) -> list[Record]:
        """Lines that were accepted, are wanted, and were never given to the engine."""
        return [r for r in self.records if not r.future.done() and not r.starts]

    @property
    def idle(self) -> int:
        load = self.batcher.load()
        return load.workers - load.busy


def lines(*, poison: bool = False, liar: bool = False) -> st.SearchStrategy[Line]:
    """Lines of all widths; about one in eight breaks the engine where that is asked for."""
    flag = st.sampled_from([False] * 7 + [True])
    return st.builds(
        Line,
        width=st.integers(1, BUCKETS.widest),
        charset=st.sampled_from(["", "", "digits"]),
        poison=flag if poison else st.just(False),
        liar=flag if liar else st.just(False),
    )


def requests(
    line: st.SearchStrategy[Line] | None = None,
    *,
    deadlines: bool = False,
    cancels: bool = False,
) -> st.SearchStrategy[list[Request]]:
    """Up to a dozen submissions of up to a dozen lines, some at the same instant, some far apart."""
    one = st.builds(
        Request,
        lines=st.lists(lines() if line is None else line, min_size=1, max_size=12).map(tuple),
        after=st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.004, 0.02, 0.1, 1.0]),
        deadline=st.sampled_from([math.inf, math.inf, 0.003, 0.02, 0.1, 1.0])
        if deadlines
        else st.just(math.inf),
        flow=st.sampled_from([None, None, 0, 1]),
        cancel=(
            st.lists(st.tuples(st.integers(0, 11), st.sampled_from([0.0, 0.001, 0.01, 0.1])), max_size=4).map(
                tuple
            )
            if cancels
            else st.just(())
        ),
    )
    return st.lists(one, min_size=1, max_size=12)


def worlds(
    *, queue_seconds: st.SearchStrategy[float] | None = None, max_wait: bool = False
) -> st.SearchStrategy[World]:
    """Machines and settings from cautious to greedy."""
    return st.builds(
        World,
        workers=st.integers(1, 4),
        max_batch=st.sampled_from([1, 2, 3, 8, 32]),
        t_max_ms=st.sampled_from([0.5, 5.0, 20.0, 40.0, 1000.0]),
        max_wait_ms=st.sampled_from([0.0, 2.0, 15.0]) if max_wait else st.just(0.0),
        max_queue_seconds=st.just(FOREVER) if queue_seconds is None else queue_seconds,
        fixed_seconds=st.sampled_from([0.0, 0.001, 0.01]),
        seconds_per_pixel=st.sampled_from([0.00002, 0.0002, 0.001]),
    )
