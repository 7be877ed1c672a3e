"""Events of the scheduler: the protocol for observers, and plain counters that implement it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ocrsvc.errors import DeadlineExceeded, OcrError, ShuttingDown

# Each line ends with exactly one outcome.
Outcome = Literal["ok", "failed", "expired", "cancelled", "shutdown"]
# Why a batch was not larger: it reached the limit on lines or on time, the lines were spread over several idle
# workers, or the lane was empty; "short": the spare thread took it for short readings.
Release = Literal["full", "t_max", "spread", "empty", "short"]
Refusal = Literal["saturated", "deadline", "draining"]


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One run of the engine. ``used_pixels`` is the sum of the lines' own widths, without padding."""

    model: str
    width: int
    rows: int
    used_pixels: int
    seconds: float
    failed: bool


class Observer(Protocol):
    """Receiver of the scheduler's events. Its methods are called on the event loop and must not block or raise."""

    def released(self, release: Release, rows: int, queue_seconds: float) -> None:
        """Handle a batch of ``rows`` lines leaving the queue; its oldest line waited ``queue_seconds``."""

    def ran(self, report: BatchReport) -> None:
        """Handle the end of a run of the engine, successful or not."""

    def split(self, rows: int) -> None:
        """Handle the split of a failed batch of ``rows`` lines in two, to find the line that breaks it."""

    def settled(self, outcome: Outcome) -> None:
        """Handle the end of a line."""

    def refused(self, reason: Refusal) -> None:
        """Handle the refusal of a job."""


@dataclass(slots=True)
class Counters:
    """Observer that counts events."""

    releases: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    rows_histogram: Counter[int] = field(default_factory=Counter)
    batches: int = 0
    failed_batches: int = 0
    rows: int = 0
    splits: int = 0
    pixels: int = 0
    used_pixels: int = 0
    busy_seconds: float = 0.0
    queue_seconds: float = 0.0

    def released(self, release: Release, rows: int, queue_seconds: float) -> None:
        self.releases[release] += 1
        self.queue_seconds += queue_seconds

    def ran(self, report: BatchReport) -> None:
        self.batches += 1
        self.failed_batches += report.failed
        self.rows += report.rows
        self.rows_histogram[report.rows] += 1
        self.pixels += report.width * report.rows
        self.used_pixels += report.used_pixels
        self.busy_seconds += report.seconds

    def split(self, rows: int) -> None:
        self.splits += 1

    def settled(self, outcome: Outcome) -> None:
        self.outcomes[outcome] += 1

    def refused(self, reason: Refusal) -> None:
        self.refusals[reason] += 1


class Fanout:
    """Observer that passes every event on to several observers."""

    __slots__ = ("_observers",)

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def released(self, release: Release, rows: int, queue_seconds: float) -> None:
        for observer in self._observers:
            observer.released(release, rows, queue_seconds)

    def ran(self, report: BatchReport) -> None:
        for observer in self._observers:
            observer.ran(report)

    def split(self, rows: int) -> None:
        for observer in self._observers:
            observer.split(rows)

    def settled(self, outcome: Outcome) -> None:
        for observer in self._observers:
            observer.settled(outcome)

    def refused(self, reason: Refusal) -> None:
        for observer in self._observers:
            observer.refused(reason)


def outcome_of(future: asyncio.Future[Any]) -> Outcome:
    """Return the outcome of a line from its future, which must be done."""
    if future.cancelled():
        return "cancelled"
    match future.exception():
        case None:
            return "ok"
        case DeadlineExceeded():
            return "expired"
        case ShuttingDown():
            return "shutdown"
        case _:
            return "failed"


def refusal_of(error: OcrError) -> Refusal:
    """Return why a job was refused with this error."""
    match error:
        case ShuttingDown():
            return "draining"
        case DeadlineExceeded():
            return "deadline"
        case _:
            return "saturated"
