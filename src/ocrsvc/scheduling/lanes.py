"""Lines that wait: a lane is the lines that may share a batch, its queue is ordered by their fair tags."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from ocrsvc.scheduling.fairness import Flow

Payload = TypeVar("Payload")
Result = TypeVar("Result")

_SLACK = 64  # so many dead entries are not worth a rebuild


@dataclass(frozen=True, slots=True)
class Lane:
    """Lines that may share a batch: one model, one padded width in pixels, one charset specification."""

    model: str
    width: int
    charset: str = ""


@dataclass(slots=True, eq=False)
class Job:
    """The lines of one submission and whose they are; its timer fails those that are late."""

    flow: Flow
    remaining: int
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Item(Generic[Payload, Result]):
    """One line on its way. ``tag`` says when its reading's turn began on the fair clock, ``units`` its cost in µs.

    ``short``: it belongs to a short reading (``Flow.is_short``).
    """

    lane: Lane
    payload: Payload
    future: asyncio.Future[Result]
    job: Job
    arrived: float
    tag: float
    units: int
    short: bool
    queue: LaneQueue[Payload, Result] | None = None  # the one it waits in

    @property
    def waits(self) -> bool:
        """Whether it stands in a queue and its answer is still wanted."""
        return self.queue is not None and not self.future.done()


class LaneQueue(Generic[Payload, Result]):
    """The waiting lines of one lane.

    ``live`` counts those that still wait; the others stay in the heap until they surface.
    ``since`` is when the first of the present lines came.
    """

    __slots__ = ("_heap", "live", "since")

    def __init__(self) -> None:
        self._heap: list[tuple[tuple[float, int, int], Item[Payload, Result]]] = []
        self.live = 0
        self.since = 0.0

    def push(self, item: Item[Payload, Result], sequence: int, now: float) -> None:
        """Let the line wait; among equal tags the older reading goes first, then the lower sequence number."""
        if not self.live:
            self.since = now
        heapq.heappush(self._heap, ((item.tag, item.job.flow.number, sequence), item))
        self.live += 1
        item.queue = self

    def head(self) -> Item[Payload, Result] | None:
        """The first line that still waits."""
        while self._heap and not self._heap[0][1].waits:
            heapq.heappop(self._heap)
        return self._heap[0][1] if self._heap else None

    def order(self) -> tuple[float, int, int]:
        """(tag, number of the reading, sequence number) of the first entry."""
        return self._heap[0][0]

    def pop(self) -> Item[Payload, Result]:
        """Take the first entry out."""
        return heapq.heappop(self._heap)[1]

    def leave(self, item: Item[Payload, Result]) -> None:
        """The line waits no longer, because it starts or because nobody wants it."""
        item.queue = None
        self.live -= 1
        if len(self._heap) > 2 * self.live + _SLACK:
            self._heap = [entry for entry in self._heap if entry[1].waits]
            heapq.heapify(self._heap)

    def __iter__(self) -> Iterator[Item[Payload, Result]]:
        """The lines that still wait, in no order."""
        return (entry[1] for entry in self._heap if entry[1].waits)
