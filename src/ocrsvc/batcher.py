"""The scheduler: which lines share a run of the engine, and when it starts.

An idle worker never waits while a line waits: batches grow only while all workers are busy, so load itself is
the window. Waiting lines are first spread over the idle workers, then stacked up to ``t_max_ms`` of estimated
time, because a batch holds its core until it ends. Only lines of one lane (model, width, charset) share a
batch, so that a reading never depends on its company. Each line carries a virtual arrival time that lies
``stagger_ms`` later for every line that its client has before it: a page of 150 lines yields to a request of
one line, and a line is only ever overtaken by lines that arrive at most ``stagger_ms`` times its index later.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Generic

from ocrsvc.admission import Admission
from ocrsvc.cost import CostModel
from ocrsvc.errors import (
    DeadlineExceeded,
    EngineFailure,
    OcrError,
    ShuttingDown,
    Unavailable,
)
from ocrsvc.lanes import Item, Job, Lane, LaneQueue, Payload, Result
from ocrsvc.observer import Counters, Fanout, Observer, Release, outcome_of, refusal_of
from ocrsvc.runner import Runner, fail

__all__ = ["Batcher", "Lane", "Load"]

_JOIN_SECONDS = 10.0  # how long close() waits for a run that does not end before it leaves the thread behind

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Load:
    """A snapshot of the scheduler. ``eta_seconds``: until all accepted work is done."""

    queued: Mapping[Lane, int]
    outstanding: int
    busy: int
    workers: int
    eta_seconds: float
    oldest_queued_seconds: float
    longest_run_seconds: float


class _Signal(Enum):
    """Why the loop is woken, other than by new lines."""

    ENDED = "a run has ended"
    WINDOW = "a line has waited long enough for company"
    CLOSE = "no more work will come"


class Batcher(Generic[Payload, Result]):
    """Gathers lines into batches and runs them on ``workers`` threads.

    ``run(lane, payloads)`` is called on those threads and returns one result for each payload, in order. All
    other methods belong to the event loop that called ``start``. ``measure`` gives the width in pixels that a
    payload uses, for the observer; ``timer`` and ``executor`` are there for tests.
    """

    def __init__(
        self,
        run: Callable[[Lane, Sequence[Payload]], Sequence[Result]],
        *,
        workers: int,
        max_batch: int = 32,
        t_max_ms: float = 40.0,
        max_wait_ms: float = 0.0,
        stagger_ms: float = 20.0,
        max_queue_seconds: float = 60.0,
        cost: CostModel | None = None,
        observer: Observer | None = None,
        measure: Callable[[Lane, Payload], int] | None = None,
        executor: Executor | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.workers = workers
        self.cost = cost or CostModel()
        self.counters = Counters()
        self._observer: Observer = Fanout(self.counters, observer) if observer else self.counters
        self._max_batch = max_batch
        self._t_max = t_max_ms / 1000
        self._max_wait = max_wait_ms / 1000
        self._stagger = stagger_ms / 1000
        self._executor = executor or ThreadPoolExecutor(workers, thread_name_prefix="recognise")
        self._owns_executor = executor is None
        self._runner = Runner(
            run,
            executor=self._executor,
            cost=self.cost,
            observer=self._observer,
            measure=measure,
            timer=timer,
        )
        self._door = Admission(workers=workers, max_queue_seconds=max_queue_seconds)
        self._inbox: asyncio.Queue[list[Item[Payload, Result]] | _Signal | BaseException] = asyncio.Queue()
        self._lanes: dict[Lane, LaneQueue[Payload, Result]] = {}
        self._outstanding: set[Item[Payload, Result]] = set()
        self._running: dict[asyncio.Task[None], float] = {}
        self._sequence = itertools.count()
        self._queued_units = 0
        self._idle = workers
        self._window: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._open = True
        self._crashed = False

    @property
    def alive(self) -> bool:
        """Whether the loop runs; False before start, after close, after a crash (a restart mends it)."""
        return self._task is not None and not self._task.done() and not self._crashed

    @property
    def eta_seconds(self) -> float:
        """Estimated time until all accepted work is done."""
        return self._door.eta_seconds

    def load(self) -> Load:
        """What is queued and running now."""
        now = asyncio.get_running_loop().time()
        waiting = [item.arrived for queue in self._lanes.values() for item in queue]
        return Load(
            queued={lane: queue.live for lane, queue in self._lanes.items() if queue.live},
            outstanding=len(self._outstanding),
            busy=self.workers - self._idle,
            workers=self.workers,
            eta_seconds=self.eta_seconds,
            oldest_queued_seconds=now - min(waiting, default=now),
            longest_run_seconds=now - min(self._running.values(), default=now),
        )

    async def start(self) -> None:
        """Begin to run batches. Lines may be submitted before."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name="batcher")

    # --- admission ---

    def submit(
        self,
        items: Sequence[tuple[Lane, Payload]],
        *,
        deadline: float = math.inf,
        weight: float = 1.0,
        outstanding: int = 0,
        admitted: bool = False,
    ) -> list[asyncio.Future[Result]]:
        """One future for each line, in order; all lines are accepted or none.

        ``deadline`` is in the loop's time. ``outstanding`` is how many lines this client already has here;
        ``weight`` above 1 lets its lines yield less. ``admitted`` says that the request passed this door
        before (its page was detected here), and must not be refused half-way for load. Cancel a future to
        take its line back.

        Futures fail with DeadlineExceeded, ShuttingDown, EngineFailure or an OcrError of the engine's own.
        Raises ShuttingDown, Saturated (with ``retry_after_seconds``) or DeadlineExceeded; Unavailable after a
        crash.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        units = [self._door.units_of(self.cost.seconds(lane, 1)) for lane, _ in items]
        self._admit(sum(units), deadline - now, admitted)
        job = Job(remaining=len(items))
        accepted: list[Item[Payload, Result]] = []
        for index, ((lane, payload), cost) in enumerate(zip(items, units, strict=True)):
            tag = now + self._stagger * (outstanding + index) / weight
            item = Item(lane, payload, loop.create_future(), job, now, tag, cost)
            item.future.add_done_callback(partial(self._settle, item))
            accepted.append(item)
        if not accepted:
            return []
        self._door.units += sum(units)
        self._outstanding.update(accepted)
        if deadline < math.inf:
            job.timer = loop.call_at(deadline, self._expire, accepted)
        self._inbox.put_nowait(accepted)
        return [item.future for item in accepted]

    def _admit(self, units: int, time_left: float, admitted: bool) -> None:
        if self._crashed:
            raise Unavailable("The scheduler has stopped; restart this process.", retry_after_seconds=5)
        try:
            if not self._open:
                raise ShuttingDown("The service is shutting down.", retry_after_seconds=2)
            self._door.check(units, time_left, admitted=admitted)
        except OcrError as error:
            self._observer.refused(refusal_of(error))
            raise

    def _expire(self, items: Sequence[Item[Payload, Result]]) -> None:
        for item in items:
            fail(item.future, DeadlineExceeded("The line was not read before the request's deadline."))

    def _settle(self, item: Item[Payload, Result], _: asyncio.Future[Result]) -> None:
        """The only place where outstanding work shrinks; runs once for each line, whatever its end."""
        self._door.units -= item.units
        self._outstanding.discard(item)
        item.job.remaining -= 1
        if not item.job.remaining and item.job.timer is not None:
            item.job.timer.cancel()
        self._dequeue(item)
        self._observer.settled(outcome_of(item.future))
        if not self._open:
            self._inbox.put_nowait(_Signal.CLOSE)

    def _dequeue(self, item: Item[Payload, Result]) -> None:
        if item.queue is not None:
            item.queue.leave(item)
            self._queued_units -= item.units

    # --- the loop ---

    async def _supervise(self) -> None:
        try:
            await self._loop()
        except Exception:
            _log.exception("The scheduler stopped")
            self._abandon(EngineFailure, "The scheduler stopped while this line waited.")
        except asyncio.CancelledError:
            self._abandon(ShuttingDown, "The service stopped while this line waited.")
            raise

    def _abandon(self, kind: type[OcrError], detail: str) -> None:
        """Nobody will ever run these lines: say so to all who wait, and to those who come."""
        self._crashed = True
        for item in self._outstanding:
            fail(item.future, kind(detail))

    async def _loop(self) -> None:
        while self._open or self._outstanding or self._running:
            events = [await self._inbox.get()]
            while not self._inbox.empty():
                events.append(self._inbox.get_nowait())
            for event in events:
                if isinstance(event, BaseException):
                    raise event
                if isinstance(event, list):
                    self._enqueue(event)
            self._dispatch()

    def _dispatch(self) -> None:
        while self._idle and (picked := self._pick()):
            self._launch(*picked)

    def _enqueue(self, items: Sequence[Item[Payload, Result]]) -> None:
        now = asyncio.get_running_loop().time()
        for item in items:
            if not item.future.done():
                queue = self._lanes.setdefault(item.lane, LaneQueue())
                queue.push(item, next(self._sequence), now)
                self._queued_units += item.units

    def _pick(self) -> tuple[Lane, list[Item[Payload, Result]], Release] | None:
        """The next batch and why it is no larger; None if no line waits, or all still wait for company."""
        lane = self._first_lane()
        if lane is None:
            return None
        queue = self._lanes[lane]
        first = queue.pop()
        share = math.ceil(self._queued_units / (self._idle * first.units))
        allowed = self._allowed_rows(lane)
        batch = [first]
        while queue.head() is not None and len(batch) < min(share, allowed):
            batch.append(queue.pop())
        for item in batch:
            self._dequeue(item)
        if queue.head() is None:
            del self._lanes[lane]
            return lane, batch, "empty"
        if share <= allowed:
            return lane, batch, "spread"
        return lane, batch, "full" if allowed == self._max_batch else "t_max"

    def _first_lane(self) -> Lane | None:
        """The lane whose head came first, among those that need not wait for company any longer."""
        loop = asyncio.get_running_loop()
        now, next_ripe = loop.time(), math.inf
        best: Lane | None = None
        for lane, queue in list(self._lanes.items()):
            if queue.head() is None:
                del self._lanes[lane]
                continue
            ripe = queue.since + self._max_wait
            if self._open and now < ripe and queue.live < self._allowed_rows(lane):
                next_ripe = min(next_ripe, ripe)
            elif best is None or queue.order() < self._lanes[best].order():
                best = lane
        if self._window is not None:
            self._window.cancel()
        self._window = None
        if next_ripe < math.inf:
            self._window = loop.call_at(next_ripe, self._inbox.put_nowait, _Signal.WINDOW)
        return best

    def _allowed_rows(self, lane: Lane) -> int:
        """How many lines of this lane fit in ``t_max_ms`` by the cost model, 1 to ``max_batch``."""
        fixed, per_row = self.cost.terms(lane)
        return max(1, min(self._max_batch, math.floor((self._t_max - fixed) / per_row)))

    # --- running ---

    def _launch(self, lane: Lane, batch: list[Item[Payload, Result]], release: Release) -> None:
        now = asyncio.get_running_loop().time()
        self._idle -= 1
        self._observer.released(release, len(batch), now - min(item.arrived for item in batch))
        task = asyncio.create_task(self._runner.execute(lane, batch, self._free))
        self._running[task] = now
        task.add_done_callback(self._ended)

    def _free(self) -> None:
        self._idle += 1
        self._dispatch()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._inbox.put_nowait(error)
        self._inbox.put_nowait(_Signal.ENDED)

    # --- the end ---

    async def close(self, grace_seconds: float) -> None:
        """Refuse new work, finish what was accepted, fail what ``grace_seconds`` leave over (ShuttingDown).

        Returns after the grace and the batches that run then, with all threads ended; may be called again.
        """
        self._open = False
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(grace_seconds), name="batcher-close")
        await asyncio.shield(self._closing)

    async def _close(self, grace_seconds: float) -> None:
        self._inbox.put_nowait(_Signal.CLOSE)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=grace_seconds)
        for item in self._outstanding:
            fail(item.future, ShuttingDown("The service stopped before this line was read."))
        if self._running:
            await asyncio.wait(set(self._running), timeout=_JOIN_SECONDS)
        if self._running:
            _log.error("%d runs of the engine did not end; their threads are left behind", len(self._running))
        if self._owns_executor:
            self._executor.shutdown(wait=not self._running, cancel_futures=True)
        if self._task is not None:
            if self._running:
                self._task.cancel()
            await asyncio.wait({self._task})
