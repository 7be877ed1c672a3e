"""Lanes, whose lines may share a batch, and their queues, which are ordered by fair tags."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from ocrsvc.scheduling.fairness import Flow

Payload = TypeVar("Payload")
Result = TypeVar("Result")

_SLACK = 64  # up to this many dead entries, rebuilding the heap is not worth the time


@dataclass(frozen=True, slots=True)
class Lane:
    """Key of lines that may share a batch: model, padded width in pixels, charset specification.

    ``steps``: the answers hold all time steps, from which alternatives are found.
    """

    model: str
    width: int
    charset: str = ""
    steps: bool = False


@dataclass(slots=True, eq=False)
class Submission:
    """Lines of one submission and the flow that they belong to; ``timer`` fails them at the deadline."""

    flow: Flow
    remaining: int
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Item(Generic[Payload, Result]):
    """One submitted line. ``tag``: start of its turn on the fair clock; ``units``: estimated cost in µs.

    ``short``: the line belongs to a short reading (``Flow.is_short``).
    """

    lane: Lane
    payload: Payload
    future: asyncio.Future[Result]
    submission: Submission
    arrived: float
    tag: float
    units: int
    short: bool
    queue: LaneQueue[Payload, Result] | None = None  # queue in which the line waits

    @property
    def waits(self) -> bool:
        """Return whether the line is queued and its future is not done."""
        return self.queue is not None and not self.future.done()


class LaneQueue(Generic[Payload, Result]):
    """Queue of the waiting lines of one lane.

    ``live`` counts the lines that still wait; the others stay in the heap until they reach its top.
    ``since`` is when a line was last added to the empty queue.
    """

    __slots__ = ("_heap", "live", "since")

    def __init__(self) -> None:
        self._heap: list[tuple[tuple[float, int, int], Item[Payload, Result]]] = []
        self.live = 0
        self.since = 0.0

    def push(self, item: Item[Payload, Result], sequence: int, now: float) -> None:
        """Queue the line; among equal tags the older reading goes first, then the lower sequence number."""
        if not self.live:
            self.since = now
        heapq.heappush(self._heap, ((item.tag, item.submission.flow.number, sequence), item))
        self.live += 1
        item.queue = self

    def head(self) -> Item[Payload, Result] | None:
        """Return the first line that still waits, or None."""
        while self._heap and not self._heap[0][1].waits:
            heapq.heappop(self._heap)
        return self._heap[0][1] if self._heap else None

    def order(self) -> tuple[float, int, int]:
        """Return (tag, number of the flow, sequence number) of the first entry."""
        return self._heap[0][0]

    def pop(self) -> Item[Payload, Result]:
        """Remove and return the first entry."""
        return heapq.heappop(self._heap)[1]

    def leave(self, item: Item[Payload, Result]) -> None:
        """Record that the line no longer waits, because it starts or its future is done."""
        item.queue = None
        self.live -= 1
        if len(self._heap) > 2 * self.live + _SLACK:
            self._heap = [entry for entry in self._heap if entry[1].waits]
            heapq.heapify(self._heap)

    def __iter__(self) -> Iterator[Item[Payload, Result]]:
        """Yield the lines that still wait, in no order."""
        return (entry[1] for entry in self._heap if entry[1].waits)
