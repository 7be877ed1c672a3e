"""The lines that wait, and which of them make the next run.

Waiting lines are first spread over the idle workers, then stacked up to ``t_max_ms`` of estimated time, because a batch
holds its core until it ends. The line that is first in order (fairness.py) chooses the lane; further lines of that lane
go along. Those of short readings only go with each other: a long run would hold them up.
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


@dataclass(frozen=True, slots=True)
class Batch(Generic[Payload, Result]):
    """Lines that run together, the first in order first, and why they are no more."""

    lane: Lane
    items: list[Item[Payload, Result]]
    release: Release


class Waiting(Generic[Payload, Result]):
    """All lanes. ``max_wait`` seconds is how long a line may wait for company while a worker is idle.

    ``ripe_at`` is when the first of the lines that wait for company will wait no longer, as of the last ``take``.
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
        # Those of short readings under True.
        self._queues: dict[bool, dict[Lane, LaneQueue[Payload, Result]]] = {True: {}, False: {}}
        self._sequence = itertools.count()
        self._units = 0

    def __iter__(self) -> Iterator[Item[Payload, Result]]:
        """All lines that wait, in no order."""
        for queues in self._queues.values():
            yield from itertools.chain.from_iterable(queues.values())

    def counts(self) -> dict[Lane, int]:
        """How many lines wait in each lane."""
        waiting: dict[Lane, int] = {}
        for queues in self._queues.values():
            for lane, queue in queues.items():
                if queue.live:
                    waiting[lane] = waiting.get(lane, 0) + queue.live
        return waiting

    def push(self, item: Item[Payload, Result], now: float) -> None:
        """Let a line wait."""
        queue = self._queues[item.short].setdefault(item.lane, LaneQueue())
        queue.push(item, next(self._sequence), now)
        self._units += item.units

    def leave(self, item: Item[Payload, Result]) -> None:
        """The line waits no longer; nothing if it does not wait."""
        if item.queue is not None:
            item.queue.leave(item)
            self._units -= item.units

    def take(self, idle: int, now: float, *, patient: bool) -> Batch[Payload, Result] | None:
        """The next run for one of ``idle`` workers; None if no line waits, or all still wait for company.

        None waits for company unless ``patient``.
        """
        self.ripe_at = math.inf
        when = now if patient else math.inf
        lanes = {short: self._first_lane(when, short=short) for short in (True, False)}
        short = self._clock.short_first() if lanes[True] and lanes[False] else lanes[True] is not None
        lane = lanes[short]
        return self._batch(lane, idle, short=short) if lane else None

    def take_short(self) -> Batch[Payload, Result] | None:
        """A run of lines of short readings, the oldest first; None if none waits."""
        lane = self._first_lane(math.inf, short=True)
        return replace(self._batch(lane, 1, short=True), release="short") if lane else None

    def _batch(self, lane: Lane, idle: int, *, short: bool) -> Batch[Payload, Result]:
        queues = self._queues[short]
        queue = queues[lane]
        first = queue.pop()
        share = math.ceil(self._units / (idle * first.units))
        allowed = self._allowed_rows(lane)
        items = [first]
        while queue.head() is not None and len(items) < min(share, allowed):
            items.append(queue.pop())
        for item in items:
            self.leave(item)
        if queue.head() is None:
            del queues[lane]
            return Batch(lane, items, "empty")
        if share <= allowed:
            return Batch(lane, items, "spread")
        return Batch(lane, items, "full" if allowed == self._max_batch else "t_max")

    def _first_lane(self, now: float, *, short: bool) -> Lane | None:
        """The lane whose head comes first, among those that need not wait for company any longer."""
        queues = self._queues[short]
        best: Lane | None = None
        for lane, queue in list(queues.items()):
            if queue.head() is None:
                del queues[lane]
                continue
            ripe = queue.since + self._max_wait
            if now < ripe and queue.live < self._allowed_rows(lane):
                self.ripe_at = min(self.ripe_at, ripe)
            elif best is None or queue.order() < queues[best].order():
                best = lane
        return best

    def _allowed_rows(self, lane: Lane) -> int:
        """How many lines of this lane fit in ``t_max`` by the cost model, 1 to ``max_batch``."""
        fixed, per_row = self._cost.terms(lane)
        return max(1, min(self._max_batch, math.floor((self._t_max - fixed) / per_row)))
