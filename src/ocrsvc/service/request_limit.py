"""Limit on concurrent requests and on the bytes of their bodies; excess requests are refused before any work."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ocrsvc.errors import Saturated

_RETRY_AFTER_SECONDS = 2


class ReceivedBody:
    """One request: ``hold`` counts the bytes of its body as they arrive, then ``begin`` starts the work."""

    def __init__(self, limit: RequestLimit) -> None:
        self._limit = limit
        self.begun = False
        self.held_bytes = 0

    def hold(self, size_bytes: int) -> None:
        """Count ``size_bytes`` more; raise Saturated if all bodies together would exceed the limit."""
        if self._limit.held_bytes + size_bytes > self._limit.max_bytes:
            raise Saturated(
                "The service holds as many bytes of pictures as it may; try again.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        self._limit.held_bytes += size_bytes
        self.held_bytes += size_bytes

    def begin(self) -> None:
        """Count the request against the limit; raise Saturated (503) if the limit is reached."""
        self._limit.check_room()
        self._limit.requests += 1
        self.begun = True

    @asynccontextmanager
    async def waiting(self, until: float) -> AsyncIterator[None]:
        """Run the block; raise TimeoutError at loop time ``until``, or when a shutdown ends all waiting."""
        async with asyncio.timeout_at(min(until, self._limit.closes_at)) as clock:
            self._limit.clocks.add(clock)
            try:
                yield
            finally:
                self._limit.clocks.discard(clock)

    @property
    def closed(self) -> bool:
        """Return whether a shutdown has ended all waiting for clients."""
        return asyncio.get_running_loop().time() >= self._limit.closes_at


class RequestLimit:
    """Bounds memory by the number of requests and the bytes of their bodies. Belongs to one event loop.

    A request counts only once its body has arrived; otherwise slow clients could lock out all others.
    """

    def __init__(self, *, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.requests = 0
        self.held_bytes = 0
        self.closes_at = math.inf
        self.clocks: set[asyncio.Timeout] = set()

    def check_room(self) -> None:
        """Raise Saturated (503) if the limit on requests is reached."""
        if self.requests >= self.max_requests:
            raise Saturated(
                f"The service already works on {self.requests} requests, its limit; try again.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )

    @contextmanager
    def enter(self) -> Iterator[ReceivedBody]:
        """Admit one request for the duration of the block; raise Saturated if the limit is reached now."""
        self.check_room()
        received = ReceivedBody(self)
        try:
            yield received
        finally:
            self.requests -= received.begun
            self.held_bytes -= received.held_bytes

    def close(self, at: float) -> None:
        """Stop waiting for bodies at loop time ``at``."""
        self.closes_at = at
        for clock in self.clocks:
            if (when := clock.when()) is not None and when > at:
                clock.reschedule(at)
