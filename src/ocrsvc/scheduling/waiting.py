"""Queues of all waiting lines, and the choice of those that make the next batch.

Waiting lines are first spread over the idle workers, then batched up to ``t_max_ms`` of estimated time, because a batch
occupies its core until it ends. The first line in fair order (fairness.py) decides the lane; more lines of that lane
fill the batch, of whichever clients. Lines of short readings are batched only with each other, because a long run would
delay them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic

from ocrsvc.scheduling.cost import CostModel
from ocrsvc.scheduling.fairness import FairClock
from ocrsvc.scheduling.lanes import Item, Lane, LaneQueue, Payload, Result
from ocrsvc.scheduling.observer import Release
from ocrsvc.scheduling.queue_limit import MICRO

_Order = tuple[float, tuple[float, int, int]]  # time that the client has had, then LaneQueue.order


@dataclass(frozen=True, slots=True)
class Batch(Generic[Payload, Result]):
    """Lines that run together, in fair order, and why they are not more."""

    lane: Lane
    items: list[Item[Payload, Result]]
    release: Release


class Waiting(Generic[Payload, Result]):
    """Waiting lines of all lanes. ``max_wait``: seconds that a lane may wait to fill a batch while a worker is idle.

    ``ripe_at``: when the first such wait ends, as of the last ``take``; infinity if no lane waits so.
    """

    def __init__(
        self, cost: CostModel, clock: FairClock, *, max_batch: int, t_max: float, max_wait: float
    ) -> None:
        self.ripe_at = math.inf
        self._cost = cost
        self._clock = clock
        self._max_batch = max_batch
        self._t_max = t_max
        self._max_wait = max_wait
        # By whether the lines belong to short readings, then by lane and by client.
        self._queues: dict[bool, dict[Lane, dict[str, LaneQueue[Payload, Result]]]] = {True: {}, False: {}}
        self._sequence = itertools.count()
        self._units = 0

    def __iter__(self) -> Iterator[Item[Payload, Result]]:
        """Yield all waiting lines, in no order."""
        for lanes in self._queues.values():
            for queues in lanes.values():
                yield from itertools.chain.from_iterable(queues.values())

    def counts(self) -> dict[Lane, int]:
        """Return the number of waiting lines of each lane."""
        waiting: dict[Lane, int] = {}
        for lanes in self._queues.values():
            for lane, queues in lanes.items():
                if live := sum(queue.live for queue in queues.values()):
                    waiting[lane] = waiting.get(lane, 0) + live
        return waiting

    def push(self, item: Item[Payload, Result], now: float) -> None:
        """Queue a line."""
        queues = self._queues[item.short].setdefault(item.lane, {})
        queue = queues.setdefault(item.submission.flow.client, LaneQueue())
        queue.push(item, next(self._sequence), now)
        self._units += item.units

    def leave(self, item: Item[Payload, Result]) -> None:
        """Remove the line from its queue, if it is in one."""
        if item.queue is not None:
            item.queue.leave(item)
            self._units -= item.units

    def take(self, idle: int, now: float, *, patient: bool) -> Batch[Payload, Result] | None:
        """Return the next batch for one of ``idle`` workers, or None.

        None if no line waits or, with ``patient``, if all lanes still wait to fill their batches.
        """
        self.ripe_at = math.inf
        when = now if patient else math.inf
        lanes = {short: self._first_lane(when, short=short) for short in (True, False)}
        short = self._clock.short_first() if lanes[True] and lanes[False] else lanes[True] is not None
        lane = lanes[short]
        return self._batch(lane, idle, short=short) if lane else None

    def take_short(self) -> Batch[Payload, Result] | None:
        """Return a batch of lines of short readings, the oldest first; None if none waits."""
        lane = self._first_lane(math.inf, short=True)
        return replace(self._batch(lane, 1, short=True), release="short") if lane else None

    def _batch(self, lane: Lane, idle: int, *, short: bool) -> Batch[Payload, Result]:
        taken = self._taken(lane, short=short)
        first = next(taken)
        share = math.ceil(self._units / (idle * first.units))
        allowed = self._allowed_rows(lane)
        items = [first, *itertools.islice(taken, min(share, allowed) - 1)]
        for item in items:
            self.leave(item)
        if self._first_of(lane, short=short) is None:
            return Batch(lane, items, "empty")
        if share <= allowed:
            return Batch(lane, items, "spread")
        return Batch(lane, items, "full" if allowed == self._max_batch else "t_max")

    def _first_lane(self, now: float, *, short: bool) -> Lane | None:
        """Return the lane whose head is first in fair order, among the lanes that need not wait to fill a batch."""
        best: tuple[_Order, Lane] | None = None
        for lane in list(self._queues[short]):
            first = self._first_of(lane, short=short)
            if first is None:
                continue
            queues = self._queues[short][lane].values()
            ripe = min(queue.since for queue in queues) + self._max_wait
            if now < ripe and sum(queue.live for queue in queues) < self._allowed_rows(lane):
                self.ripe_at = min(self.ripe_at, ripe)
            elif best is None or first[0] < best[0]:
                best = first[0], lane
        return best[1] if best else None

    def _first_of(self, lane: Lane, *, short: bool) -> tuple[_Order, str] | None:
        """Return the client whose line is the first of the lane in fair order, and that order; None if none waits."""
        queues, served = self._queues[short].get(lane, {}), self._clock.share(short=short).served
        best: tuple[_Order, str] | None = None
        for client, queue in list(queues.items()):
            if queue.head() is None:
                del queues[client]
                continue
            order = (served.get(client, 0.0), queue.order())
            if best is None or order < best[0]:
                best = order, client
        if best is None:
            self._queues[short].pop(lane, None)
        return best

    def _taken(self, lane: Lane, *, short: bool) -> Iterator[Item[Payload, Result]]:
        """Take lines from a lane in fair order, each when it is asked for, and charge their clients."""
        clients = self._clock.share(short=short)
        while first := self._first_of(lane, short=short):
            item = self._queues[short][lane][first[1]].pop()
            clients.charge(item.submission.flow, item.units / MICRO)
            yield item

    def _allowed_rows(self, lane: Lane) -> int:
        """Return how many lines of this lane fit into ``t_max`` by the cost model, from 1 to ``max_batch``."""
        fixed, per_row = self._cost.terms(lane)
        return max(1, min(self._max_batch, math.floor((self._t_max - fixed) / per_row)))
