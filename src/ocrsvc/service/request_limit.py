"""Limit on concurrent requests and on the bytes of their bodies; excess requests are refused before any work.

A full service still lets in a client that has less than its share of the requests inside, up to a quarter more in all,
and no client may hold all bytes: whoever fills the service does not lock out the others.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from ocrsvc.errors import Saturated

_LEAST_WAIT_SECONDS, _MOST_WAIT_SECONDS = 1, 60
_EXTRA_SHARE = 0.25  # of the limit on requests, for clients that have less than their share
_CLIENT_BYTES_SHARE = 0.75  # of the limit on bytes, for one client


class ReceivedBody:
    """One request: ``hold`` counts the bytes of its body as they arrive, then ``begin`` starts the work."""

    def __init__(self, limit: RequestLimit, client: str) -> None:
        self._limit = limit
        self._client = client
        self.begun = False
        self.held_bytes = 0

    def hold(self, size_bytes: int) -> None:
        """Count ``size_bytes`` more; raise Saturated if all bodies together would exceed the limit."""
        self._limit.hold(self._client, size_bytes)
        self.held_bytes += size_bytes

    def begin(self) -> None:
        """Count the request against the limit; raise Saturated (503) if the limit is reached."""
        self._limit.check_room(self._client)
        self._limit.requests += 1
        inside = self._limit.inside
        inside[self._client] = inside.get(self._client, 0) + 1
        self.begun = True

    def end(self) -> None:
        """Give back what was counted."""
        self._limit.held_bytes -= self.held_bytes
        _subtract(self._limit.held_by, self._client, self.held_bytes)
        if self.begun:
            self._limit.requests -= 1
            _subtract(self._limit.inside, self._client, 1)

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
    ``largest_body_bytes``: what one client may hold in any case. ``eta_seconds``: when accepted work will be done.
    """

    def __init__(
        self,
        *,
        max_requests: int,
        max_bytes: int,
        largest_body_bytes: int | None = None,
        eta_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.inside: dict[str, int] = {}  # requests of each client
        self.held_by: dict[str, int] = {}  # bytes of each client
        self._eta_seconds = eta_seconds
        least = max_bytes if largest_body_bytes is None else min(2 * largest_body_bytes, max_bytes)
        self._client_bytes = max(least, int(max_bytes * _CLIENT_BYTES_SHARE))
        self.requests = 0
        self.held_bytes = 0
        self.closes_at = math.inf
        self.clocks: set[asyncio.Timeout] = set()

    def check_room(self, client: str) -> None:
        """Raise Saturated (503) if the limit on requests is reached, and this client has its share of them."""
        if self.requests < self.max_requests:
            return
        share = self.max_requests // len(self.inside.keys() | {client})
        extra = math.ceil(self.max_requests * _EXTRA_SHARE)
        if self.inside.get(client, 0) < share and self.requests < self.max_requests + extra:
            return
        raise Saturated(
            f"The service already works on {self.requests} requests, its limit; try again.",
            retry_after_seconds=self._retry_after_seconds,
        )

    def hold(self, client: str, size_bytes: int) -> None:
        """Count bytes of a client's body; raise Saturated if all bodies, or those of this client, are too many."""
        held = self.held_by.get(client, 0) + size_bytes
        if self.held_bytes + size_bytes > self.max_bytes or held > self._client_bytes:
            raise Saturated(
                "The service holds as many bytes of pictures as it may; try again.",
                retry_after_seconds=self._retry_after_seconds,
            )
        self.held_bytes += size_bytes
        self.held_by[client] = held

    @property
    def _retry_after_seconds(self) -> int:
        return min(_MOST_WAIT_SECONDS, max(_LEAST_WAIT_SECONDS, math.ceil(self._eta_seconds())))

    @contextmanager
    def enter(self, client: str = "") -> Iterator[ReceivedBody]:
        """Admit one request for the duration of the block; raise Saturated if the limit is reached now."""
        self.check_room(client)
        received = ReceivedBody(self, client)
        try:
            yield received
        finally:
            received.end()

    def close(self, at: float) -> None:
        """Stop waiting for bodies at loop time ``at``."""
        self.closes_at = at
        for clock in self.clocks:
            if (when := clock.when()) is not None and when > at:
                clock.reschedule(at)


def _subtract(counts: dict[str, int], client: str, amount: int) -> None:
    left = counts.get(client, 0) - amount
    if left:
        counts[client] = left
    else:
        counts.pop(client, None)
