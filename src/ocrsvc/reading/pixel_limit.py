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
class _Picture:
    pixels: int
    entered: float = math.inf  # loop time, once it is inside


@dataclass(slots=True, eq=False)
class _Waiting:
    picture: _Picture
    let_in: asyncio.Future[None]


class Place:
    """A picture's place inside the limit."""

    def __init__(self, limit: PixelLimit, picture: _Picture) -> None:
        self._limit = limit
        self._picture = picture

    def shrink(self, pixels: int) -> None:
        """Give back what decoding took beyond the decoded picture."""
        self._limit.shrink(self._picture, pixels)


class PixelLimit:
    """A first-come-first-served semaphore that counts pixels. All methods belong to one event loop.

    While pictures wait, it measures how fast others go through, and refuses those that would wait too long: better
    an answer now than one that is late.
    """

    def __init__(self, max_pixels: int) -> None:
        self.max_pixels = max_pixels
        self.inside = 0
        self._pictures: set[_Picture] = set()  # inside, without those that never wait
        self._queue: deque[_Waiting] = deque()
        self._congested_since = 0.0
        self._finished_since = 0

    @property
    def waiting(self) -> int:
        """Pixels that wait to be decoded."""
        return sum(each.picture.pixels for each in self._queue)

    @asynccontextmanager
    async def hold(self, pixels: int, *, deadline: float = math.inf) -> AsyncIterator[Place]:
        """Let a picture of this size be in memory during the context; waits until there is room.

        A picture larger than the whole limit gets it for itself. Saturated if its turn would come after
        ``deadline`` (loop time).
        """
        picture = _Picture(min(pixels, self.max_pixels))
        if picture.pixels <= SMALL_PIXELS or (not self._queue and self._fits(picture)):
            self._enter(picture)
        else:
            await self._wait(picture, deadline)
        try:
            yield Place(self, picture)
        finally:
            self._leave(picture)

    def eta_seconds(self) -> float:
        """Estimated wait of a picture that comes now; 0 as long as nothing is known.

        The rate is that of the pixels that went through since the queue began. Of a picture still inside nothing is
        known but that it has not ended: since the queue began it counts as half done, later in proportion. Counted as
        not begun, one large picture among small ones made minutes of seconds.
        """
        now = asyncio.get_running_loop().time()
        elapsed = now - self._congested_since
        if not self._queue or elapsed < _RATE_AFTER_SECONDS or not self._finished_since:
            return 0.0
        begun = sum(each.pixels * min(1, (now - each.entered) / elapsed) / 2 for each in self._pictures)
        left = sum(each.pixels for each in self._pictures) - begun
        return (left + self.waiting) * elapsed / (self._finished_since + begun)

    async def _wait(self, picture: _Picture, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        eta = self.eta_seconds()
        if loop.time() + eta > deadline:
            raise Saturated(
                f"About {eta:.0f} s of pictures wait to be decoded already.",
                retry_after_seconds=max(1, math.ceil(loop.time() + eta - deadline)),
            )
        if not self._queue:
            self._congested_since, self._finished_since = loop.time(), 0
        entry = _Waiting(picture, loop.create_future())
        self._queue.append(entry)
        try:
            await entry.let_in
        except asyncio.CancelledError:
            if entry in self._queue:
                self._queue.remove(entry)
                self._let_in()
            elif not entry.let_in.cancelled():
                self._leave(picture)  # let in and cancelled in the same turn of the loop
            raise

    def _fits(self, picture: _Picture) -> bool:
        return not self.inside or self.inside + picture.pixels <= self.max_pixels

    def _enter(self, picture: _Picture) -> None:
        self.inside += picture.pixels
        if picture.pixels > SMALL_PIXELS:
            picture.entered = asyncio.get_running_loop().time()
            self._pictures.add(picture)

    def shrink(self, picture: _Picture, pixels: int) -> None:
        """Let a picture inside hold no more than so many pixels from now on."""
        freed = max(0, picture.pixels - pixels)
        if freed and picture in self._pictures:
            picture.pixels -= freed
            self.inside -= freed
            self._finished_since += freed
            self._let_in()

    def _leave(self, picture: _Picture) -> None:
        self.inside -= picture.pixels
        if picture in self._pictures:
            self._pictures.remove(picture)
            self._finished_since += picture.pixels
        self._let_in()

    def _let_in(self) -> None:
        while self._queue and (self._queue[0].let_in.cancelled() or self._fits(self._queue[0].picture)):
            entry = self._queue.popleft()
            if not entry.let_in.cancelled():  # else its task is about to take it out
                self._enter(entry.picture)
                entry.let_in.set_result(None)
