"""Limit on the decoded pixels in memory: 256 photographs of 12 megapixels would take 9 GB."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ocrsvc.errors import Saturated

SMALL_PIXELS = 250_000  # the picture of a line is counted but never waits behind photographs
_RATE_AFTER_SECONDS = 0.5  # congestion must last this long before its rate is known well enough


@dataclass(slots=True, eq=False)
class _Picture:
    pixels: int
    entered: float = math.inf  # loop time of its admission


@dataclass(slots=True, eq=False)
class _Waiting:
    """``order``: pixels on the clock that the clients share, and the number of the picture."""

    picture: _Picture
    let_in: asyncio.Future[None]
    client: str
    order: tuple[int, int]


class Place:
    """The pixels that one picture holds of the limit."""

    def __init__(self, limit: PixelLimit, picture: _Picture) -> None:
        self._limit = limit
        self._picture = picture

    def shrink(self, pixels: int) -> None:
        """Release the extra memory of decoding; the decoded picture has this many ``pixels``."""
        self._limit.shrink(self._picture, pixels)


class PixelLimit:
    """Semaphore that counts pixels. All methods belong to one event loop.

    First come, first served, among the pictures of each client; clients take turns by the pixels that they wait for.
    While pictures wait, it measures how fast others finish, and at once refuses new ones that would miss their
    deadline.
    """

    def __init__(self, max_pixels: int) -> None:
        self.max_pixels = max_pixels
        self.inside = 0
        self._pictures: set[_Picture] = set()  # admitted pictures, without the small ones
        self._queue: list[_Waiting] = []  # in order
        self._numbers = itertools.count()
        self._now = 0  # on the clock of the clients: where the last picture that was let in had its place
        self._ends: dict[
            str, int
        ] = {}  # of the clients that wait: where the next picture of each has its place
        self._congested_since = 0.0
        self._finished_since = 0

    @property
    def waiting(self) -> int:
        """Return the number of pixels that wait to be decoded."""
        return sum(each.picture.pixels for each in self._queue)

    @asynccontextmanager
    async def hold(
        self, pixels: int, *, deadline: float = math.inf, client: str = ""
    ) -> AsyncIterator[Place]:
        """Wait until there is room for a picture of this size, and hold its pixels until the block ends.

        A picture larger than the whole limit gets all of it. Raises Saturated if its turn would come after
        ``deadline`` (loop time).
        """
        picture = _Picture(min(pixels, self.max_pixels))
        if picture.pixels <= SMALL_PIXELS or (not self._queue and self._fits(picture)):
            self._enter(picture)
        else:
            await self._wait(picture, deadline, client)
        try:
            yield Place(self, picture)
        finally:
            self._leave(picture)

    def eta_seconds(self, client: str = "") -> float:
        """Return the estimated wait of a new picture of this client; 0 while there is no data.

        The rate is the pixels finished since the queue began over that time. The progress of an unfinished picture is
        unknown: it counts as half done if it was there all that time, and as less if it came later. Counted as not
        begun, one large picture among small ones turned an estimate of seconds into minutes.
        """
        now = asyncio.get_running_loop().time()
        elapsed = now - self._congested_since
        if not self._queue or elapsed < _RATE_AFTER_SECONDS or not self._finished_since:
            return 0.0
        begun = sum(each.pixels * min(1, (now - each.entered) / elapsed) / 2 for each in self._pictures)
        left = sum(each.pixels for each in self._pictures) - begun
        place = self._place(client)
        before = sum(each.picture.pixels for each in self._queue if each.order[0] <= place)
        return (left + before) * elapsed / (self._finished_since + begun)

    def _place(self, client: str) -> int:
        return max(self._now, self._ends.get(client, 0))

    async def _wait(self, picture: _Picture, deadline: float, client: str) -> None:
        loop = asyncio.get_running_loop()
        eta = self.eta_seconds(client)
        if loop.time() + eta > deadline:
            raise Saturated(
                f"About {eta:.0f} s of pictures wait to be decoded already.",
                retry_after_seconds=max(1, math.ceil(loop.time() + eta - deadline)),
            )
        if not self._queue:
            self._congested_since, self._finished_since = loop.time(), 0
        place = self._place(client)
        self._ends[client] = place + picture.pixels
        entry = _Waiting(picture, loop.create_future(), client, (place, next(self._numbers)))
        bisect.insort(self._queue, entry, key=lambda each: each.order)
        try:
            await entry.let_in
        except asyncio.CancelledError:
            if entry in self._queue:
                self._queue.remove(entry)
                self._forget(client)
                self._let_in()
            elif not entry.let_in.cancelled():
                self._leave(picture)  # admitted and cancelled in the same turn of the loop
            raise

    def _fits(self, picture: _Picture) -> bool:
        return not self.inside or self.inside + picture.pixels <= self.max_pixels

    def _enter(self, picture: _Picture) -> None:
        self.inside += picture.pixels
        if picture.pixels > SMALL_PIXELS:
            picture.entered = asyncio.get_running_loop().time()
            self._pictures.add(picture)

    def shrink(self, picture: _Picture, pixels: int) -> None:
        """Reduce the pixels that an admitted picture holds to at most ``pixels``."""
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
            entry = self._queue.pop(0)
            self._now = entry.order[0]
            self._forget(entry.client)
            if not entry.let_in.cancelled():  # a cancelled picture is only dropped
                self._enter(entry.picture)
                entry.let_in.set_result(None)

    def _forget(self, client: str) -> None:
        if not any(each.client == client for each in self._queue):
            self._ends.pop(client, None)
