"""When each stage of a reading began and ended, for a trace; kept only if somebody wants one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ocrsvc.scheduling.fairness import Wait

MOST_ENTRIES = 1000  # a document of hundreds of pages has more, and its trace only the first


@dataclass(frozen=True, slots=True)
class Stage:
    """One stay in a stage, in seconds of ``time.perf_counter``."""

    name: str
    begun: float
    ended: float


@dataclass(slots=True)
class StageLog:
    """The stages of one request in the order in which they ended, and its waits in the queue."""

    stages: list[Stage] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    def add(self, name: str, begun: float, ended: float) -> None:
        """Record one stay in a stage."""
        if len(self.stages) < MOST_ENTRIES:
            self.stages.append(Stage(name, begun, ended))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Record the block as one stay in a stage, however it ends."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, begun, time.perf_counter())
