"""Admission: how much may be inside at once; whoever finds the house full is told so before any work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ocrsvc.errors import Saturated

_RETRY_AFTER_SECONDS = 2


class Visit:
    """One request that was let in; ``hold`` accounts for the bytes of its body while they arrive."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.held_bytes = 0

    def hold(self, size_bytes: int) -> None:
        """Account for ``size_bytes`` more; Saturated if all bodies together would exceed the limit."""
        if self._door.held_bytes + size_bytes > self._door.max_bytes:
            raise Saturated(
                "The service holds as many bytes of pictures as it may; try again.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        self._door.held_bytes += size_bytes
        self.held_bytes += size_bytes


class Door:
    """Bounds the requests inside and the bytes of their bodies, and so memory. For one event loop."""

    def __init__(self, *, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.requests = 0
        self.held_bytes = 0

    @contextmanager
    def enter(self) -> Iterator[Visit]:
        """Let one request in for the time of the context; Saturated (503) if there are too many."""
        if self.requests >= self.max_requests:
            raise Saturated(
                f"The service already works on {self.requests} requests, its limit; try again.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        visit = Visit(self)
        self.requests += 1
        try:
            yield visit
        finally:
            self.requests -= 1
            self.held_bytes -= visit.held_bytes
