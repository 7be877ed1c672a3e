"""How many decoded pixels may be in memory at once: 256 photographs of 12 megapixels would be 9 GB."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ocrsvc.errors import Saturated

SMALL_PIXELS = 250_000  # the picture of a line, which must not wait behind photographs; it is still counted
_RATE_AFTER_SECONDS = 0.5  # of congestion: before that its rate is a guess


@dataclass(slots=True, eq=False)
class _Waiting:
    pixels: int
    let_in: asyncio.Future[None]


class PixelGate:
    """A first-come-first-served semaphore that counts pixels. All methods belong to one event loop.

    While pictures wait, it measures how fast others finish, and refuses those that would wait too long: better
    an answer now than one that is late.
    """

    def __init__(self, max_pixels: int) -> None:
        self.max_pixels = max_pixels
        self.inside = 0
        self._queue: deque[_Waiting] = deque()
        self._congested_since = 0.0
        self._finished_since = 0

    @property
    def waiting(self) -> int:
        """Pixels that wait to be decoded."""
        return sum(each.pixels for each in self._queue)

    @asynccontextmanager
    async def hold(self, pixels: int, *, deadline: float = math.inf) -> AsyncIterator[None]:
        """Let a picture of this size be in memory during the context; waits until there is room.

        A picture larger than the whole gate gets it for itself. Saturated if its turn would come after
        ``deadline`` (loop time).
        """
        weight = min(pixels, self.max_pixels)
        if weight > SMALL_PIXELS and (self._queue or self.inside + weight > self.max_pixels):
            await self._wait(weight, deadline)
        else:
            self.inside += weight
        try:
            yield
        finally:
            self._leave(weight)

    def eta_seconds(self, weight: int) -> float:
        """Estimated wait of a picture that comes now; 0 as long as nothing is known."""
        elapsed = asyncio.get_running_loop().time() - self._congested_since
        if not self._queue or elapsed < _RATE_AFTER_SECONDS or not self._finished_since:
            return 0.0
        return (self.waiting + weight) * elapsed / self._finished_since

    async def _wait(self, weight: int, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        eta = self.eta_seconds(weight)
        if loop.time() + eta > deadline:
            raise Saturated(
                f"About {eta:.0f} s of pictures wait to be decoded already.",
                retry_after_seconds=max(1, math.ceil(loop.time() + eta - deadline)),
            )
        if not self._queue:
            self._congested_since, self._finished_since = loop.time(), 0
        entry = _Waiting(weight, loop.create_future())
        self._queue.append(entry)
        try:
            await entry.let_in
        except asyncio.CancelledError:
            if entry.let_in.done() and not entry.let_in.cancelled():
                self._leave(weight)  # let in and cancelled in the same turn of the loop
            else:
                self._queue.remove(entry)
                self._let_in()
            raise

    def _leave(self, weight: int) -> None:
        self.inside -= weight
        self._finished_since += weight
        self._let_in()

    def _let_in(self) -> None:
        while self._queue and (not self.inside or self.inside + self._queue[0].pixels <= self.max_pixels):
            entry = self._queue.popleft()
            self.inside += entry.pixels
            entry.let_in.set_result(None)
