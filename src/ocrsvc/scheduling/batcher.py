"""The scheduler, which decides which lines share a run of the engine and when the run starts.

By default, no worker is idle while a line waits: batches grow only while all workers are busy. Only lines of one lane
(model, width, charset) share a batch, so that the text of a line never depends on the other lines. The order is fair
(fairness.py): each reading is a flow that is charged for its lines and detector runs, and the flow that has had the
least time goes first.

A run cannot be stopped, and detector runs are long. Short readings (one line, or no more work than one run of
``t_max_ms``) need not wait for them: a spare thread runs their lines, one run at a time, while all workers are busy
and at least one of them with a longer reading. The operating system then shares the cores.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Generic

from ocrsvc.errors import (
    DeadlineExceeded,
    EngineFailure,
    OcrError,
    ShuttingDown,
    Unavailable,
)
from ocrsvc.scheduling.cost import CostModel
from ocrsvc.scheduling.fairness import FairClock, Flow
from ocrsvc.scheduling.lanes import Item, Lane, Payload, Result, Submission
from ocrsvc.scheduling.observer import Counters, Fanout, Observer, outcome_of, refusal_of
from ocrsvc.scheduling.queue_limit import QueueLimit
from ocrsvc.scheduling.runner import Runner, fail
from ocrsvc.scheduling.waiting import Batch, Waiting
from ocrsvc.scheduling.workers import Workers

__all__ = ["Batcher", "Flow", "Lane", "Load"]

_AVERAGE_SHARE = 0.05  # of a new value in a moving average
_JOIN_SECONDS = 10.0  # how long close() waits for running batches before it abandons their threads

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Load:
    """Snapshot of the scheduler. ``eta_seconds``: estimated time until all accepted work is done."""

    queued: Mapping[Lane, int]
    outstanding: int
    busy: int
    workers: int
    eta_seconds: float
    oldest_queued_seconds: float
    longest_run_seconds: float


class _Signal(Enum):
    """Reason to wake the loop, other than new lines."""

    ENDED = "a run has ended"
    WINDOW = "a line has waited long enough for company"
    CLOSE = "no more work will come"


class Batcher(Generic[Payload, Result]):
    """Groups lines into batches and runs them on ``workers`` threads.

    ``run(lane, payloads)`` is called on those threads and returns one result for each payload, in order. All methods
    belong to the event loop that called ``start``. ``measure`` returns the width in pixels that a payload uses, for
    the observer; ``timer`` and ``executor`` (of ``workers + 1`` threads) exist for tests.
    """

    def __init__(
        self,
        run: Callable[[Lane, Sequence[Payload]], Sequence[Result]],
        *,
        workers: int,
        max_batch: int = 32,
        t_max_ms: float = 40.0,
        max_wait_ms: float = 0.0,
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
        self._t_max = t_max_ms / 1000
        self._executor = executor or ThreadPoolExecutor(workers + 1, thread_name_prefix="recognise")
        self._owns_executor = executor is None
        runner = Runner(
            run,
            executor=self._executor,
            cost=self.cost,
            observer=self._observer,
            measure=measure,
            timer=timer,
        )
        self._workers = Workers(workers, runner, self._observer, freed=self._dispatch, ended=self._ended)
        self._queue_limit = QueueLimit(workers=workers, max_queue_seconds=max_queue_seconds)
        self._inbox: asyncio.Queue[list[Item[Payload, Result]] | _Signal | BaseException] = asyncio.Queue()
        self._clock = FairClock()
        self._waiting: Waiting[Payload, Result] = Waiting(
            self.cost, self._clock, max_batch=max_batch, t_max=self._t_max, max_wait=max_wait_ms / 1000
        )
        self._outstanding: set[Item[Payload, Result]] = set()
        self._short_units = 0.0  # moving average over short submissions
        self._window: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._open = True
        self._crashed = False

    @property
    def alive(self) -> bool:
        """Return whether the loop is running; False before start, after close, and after a crash (restart then)."""
        return self._task is not None and not self._task.done() and not self._crashed

    @property
    def eta_seconds(self) -> float:
        """Return the estimated time until all accepted work is done."""
        return self._queue_limit.eta_seconds

    def load(self) -> Load:
        """Return a snapshot of the work that is queued and running now."""
        now = asyncio.get_running_loop().time()
        waiting = [item.arrived for item in self._waiting]
        return Load(
            queued=self._waiting.counts(),
            outstanding=len(self._outstanding),
            busy=self.workers - self._workers.idle,
            workers=self.workers,
            eta_seconds=self.eta_seconds,
            oldest_queued_seconds=now - min(waiting, default=now),
            longest_run_seconds=now - min(self._workers.running.values(), default=now),
        )

    async def start(self) -> None:
        """Start to run batches. Lines may be submitted earlier."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name="batcher")

    # --- admission ---

    def check_room(self, *, client: str = "", deadline: float = math.inf) -> None:
        """Raise what ``submit`` would for a new reading of one line of average cost.

        Most of what must be refused is refused here, before its body is received and decoded: otherwise refusals take
        half of the cores under an overload of three times the capacity.
        """
        time_left = deadline - asyncio.get_running_loop().time()
        flow = Flow(alone=True, client=client)
        self._admit(round(self._short_units), time_left, False, flow, rivals=self._clock.flows)

    def submit(
        self,
        items: Sequence[tuple[Lane, Payload]],
        *,
        flow: Flow | None = None,
        deadline: float = math.inf,
        admitted: bool = False,
    ) -> list[asyncio.Future[Result]]:
        """Return one future for each line, in order; either all lines are accepted or none.

        ``flow`` is the reading that the lines belong to, by default a new one. ``deadline`` is in loop time.
        ``admitted``: earlier work of this reading was accepted, so load is no reason to refuse the rest. Cancel a
        future to withdraw its line.

        Futures fail with DeadlineExceeded, ShuttingDown, EngineFailure or another OcrError from the engine.
        Raises ShuttingDown, Saturated (with ``retry_after_seconds``), DeadlineExceeded, or Unavailable after a crash.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        flow = flow or Flow()
        seconds = [self.cost.seconds(lane, 1) for lane, _ in items]
        units = [self._queue_limit.units_of(each) for each in seconds]
        short = flow.is_short(sum(seconds), self._t_max)
        if short:
            self._short_units += _AVERAGE_SHARE * (sum(units) - self._short_units)
        self._admit(sum(units), deadline - now, admitted, flow, rivals=self._clock.flows if short else None)
        flow.seconds += sum(seconds)
        submission = Submission(flow, remaining=len(items))
        accepted: list[Item[Payload, Result]] = []
        for (lane, payload), cost, each in zip(items, units, seconds, strict=True):
            tag = self._clock.tag(flow, each)
            self._clock.share(short=short).enter(flow)
            item = Item(lane, payload, loop.create_future(), submission, now, tag, cost, short)
            item.future.add_done_callback(partial(self._settle, item))
            accepted.append(item)
        if not accepted:
            return []
        self._queue_limit.take(flow.client, sum(units))
        self._outstanding.update(accepted)
        if deadline < math.inf:
            submission.timer = loop.call_at(deadline, self._expire, accepted)
        self._inbox.put_nowait(accepted)
        return [item.future for item in accepted]

    def _admit(self, units: int, time_left: float, admitted: bool, flow: Flow, *, rivals: int | None) -> None:
        if self._crashed:
            raise Unavailable("The scheduler has stopped; restart this process.", retry_after_seconds=5)
        try:
            if not self._open:
                raise ShuttingDown("The service is shutting down.", retry_after_seconds=2)
            self._queue_limit.check(units, time_left, admitted=admitted, rivals=rivals, client=flow.client)
        except OcrError as error:
            self._observer.refused(refusal_of(error))
            raise

    def _expire(self, items: Sequence[Item[Payload, Result]]) -> None:
        for item in items:
            fail(item.future, DeadlineExceeded("The line was not read before the request's deadline."))

    def _settle(self, item: Item[Payload, Result], _: asyncio.Future[Result]) -> None:
        """Remove a line from the outstanding work. Only this method does so, once for each line, however it ended."""
        self._queue_limit.give_back(item.submission.flow.client, item.units)
        self._outstanding.discard(item)
        item.submission.remaining -= 1
        if not item.submission.remaining and item.submission.timer is not None:
            item.submission.timer.cancel()
        self._clock.share(short=item.short).leave(item.submission.flow)
        self._waiting.leave(item)
        self._observer.settled(outcome_of(item.future))
        if not self._open:
            self._inbox.put_nowait(_Signal.CLOSE)

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
        """Fail every pending line and refuse new ones."""
        self._crashed = True
        for item in self._outstanding:
            fail(item.future, kind(detail))

    async def _loop(self) -> None:
        while self._open or self._outstanding or self._workers.running:
            events = [await self._inbox.get()]
            while not self._inbox.empty():
                events.append(self._inbox.get_nowait())
            for event in events:
                if isinstance(event, BaseException):
                    raise event
                if isinstance(event, list):
                    self._enqueue(event)
            self._dispatch()

    def _enqueue(self, items: Sequence[Item[Payload, Result]]) -> None:
        now = asyncio.get_running_loop().time()
        for item in items:
            if not item.future.done():
                self._waiting.push(item, now)

    def _dispatch(self) -> None:
        while self._workers.idle and (batch := self._pick()):
            first, seconds = batch.items[0], self.cost.seconds(batch.lane, len(batch.items))
            self._clock.serve(first.tag, seconds, short=first.short)
            self._workers.run(batch)
        if self._workers.spare_wanted and (batch := self._waiting.take_short()):
            self._workers.run_spare(batch)

    def _pick(self) -> Batch[Payload, Result] | None:
        """Return the next batch for an idle worker; None if no line waits, or all may still wait for larger batches."""
        loop = asyncio.get_running_loop()
        batch = self._waiting.take(self._workers.idle, loop.time(), patient=self._open)
        if self._window is not None:
            self._window.cancel()
        self._window = None
        if self._waiting.ripe_at < math.inf:
            self._window = loop.call_at(self._waiting.ripe_at, self._inbox.put_nowait, _Signal.WINDOW)
        return batch

    def _ended(self, error: BaseException | None) -> None:
        if error is not None:
            self._inbox.put_nowait(error)
        self._inbox.put_nowait(_Signal.ENDED)

    # --- the end ---

    async def close(self, grace_seconds: float) -> None:
        """Refuse new work, finish accepted work, and after ``grace_seconds`` fail the rest with ShuttingDown.

        Returns once running batches and their threads have ended, or are abandoned because they hang. May be called
        again.
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
        if self._workers.running:
            await asyncio.wait(set(self._workers.running), timeout=_JOIN_SECONDS)
        if self._workers.running:
            _log.error(
                "%d runs of the engine did not end; their threads are left behind", len(self._workers.running)
            )
        if self._owns_executor:
            self._executor.shutdown(wait=not self._workers.running, cancel_futures=True)
        if self._task is not None:
            if self._workers.running:
                self._task.cancel()
            await asyncio.wait({self._task})
