"""How many requests and bytes of bodies may be inside at once; who finds no room is refused before any work."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ocrsvc.errors import Saturated

_RETRY_AFTER_SECONDS = 2


class ReceivedBody:
    """One request: first its body comes (``hold`` counts the bytes), then it is worked on (``begin``)."""

    def __init__(self, limit: RequestLimit) -> None:
        self._limit = limit
        self.begun = False
        self.held_bytes = 0

    def hold(self, size_bytes: int) -> None:
        """Account for ``size_bytes`` more; Saturated if all bodies together would exceed the limit."""
        if self._limit.held_bytes + size_bytes > self._limit.max_bytes:
            raise Saturated(
                "The service holds as many bytes of pictures as it may; try again.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        self._limit.held_bytes += size_bytes
        self.held_bytes += size_bytes

    def begin(self) -> None:
        """Take one of the places for requests; Saturated (503) if there is none."""
        self._limit.check_room()
        self._limit.requests += 1
        self.begun = True

    @asynccontextmanager
    async def waiting(self, until: float) -> AsyncIterator[None]:
        """Wait for the client at most up to this loop time, or until a shutdown ends all waiting; then TimeoutError."""
        async with asyncio.timeout_at(min(until, self._limit.closes_at)) as clock:
            self._limit.clocks.add(clock)
            try:
                yield
            finally:
                self._limit.clocks.discard(clock)

    @property
    def closed(self) -> bool:
        """Whether a shutdown has ended all waiting for clients."""
        return asyncio.get_running_loop().time() >= self._limit.closes_at


class RequestLimit:
    """Bounds the requests inside and the bytes of their bodies, and so memory. For one event loop.

    A request whose body is still on its way takes no place: slow clients would keep everybody out.
    """

    def __init__(self, *, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.requests = 0
        self.held_bytes = 0
        self.closes_at = math.inf
        self.clocks: set[asyncio.Timeout] = set()

    def check_room(self) -> None:
        """Raise Saturated (503) if there are as many requests inside as there may be."""
        if self.requests >= self.max_requests:
            raise Saturated(
                f"The service already works on {self.requests} requests, its limit; try again.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )

    @contextmanager
    def enter(self) -> Iterator[ReceivedBody]:
        """Let one request in for the time of the context; Saturated if it would find no place now."""
        self.check_room()
        received = ReceivedBody(self)
        try:
            yield received
        finally:
            self.requests -= received.begun
            self.held_bytes -= received.held_bytes

    def close(self, at: float) -> None:
        """Wait for no body any longer than up to this loop time."""
        self.closes_at = at
        for clock in self.clocks:
            if (when := clock.when()) is not None and when > at:
                clock.reschedule(at)
