"""The pages of one input, read as they are taken: in order, a few ahead, never the whole document."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from ocrsvc.errors import DeadlineExceeded, Unavailable
from ocrsvc.reading.reading import Reading, ReadPage, Tally
from ocrsvc.results import Document, ModelId

PAGES_IN_WORK = 2  # of one document: enough for busy cores, few enough for memory
_PAGES_AHEAD = 4  # of one document in work, or read and not taken yet; a slow page then delays no others

PageReader = Callable[[int, Reading], Awaitable[ReadPage]]


@dataclass(frozen=True, slots=True)
class BackgroundLimits:
    """Limits of a reading that has no deadline and lets all others go first.

    ``page_seconds``: longest time for one page, with its waiting; ``max_pages``: instead of the setting.
    """

    page_seconds: float
    max_pages: int


@dataclass(frozen=True, slots=True)
class PageReading:
    """One page of a document: ``document`` holds this page alone, or ``error`` says why it could not be read."""

    number: int
    document: Document | None = None
    error: Exception | None = None


class PageStream:
    """Pages of an opened input; ``numbers`` are those that were asked for, ascending, from 1."""

    def __init__(
        self,
        reading: Reading,
        numbers: tuple[int, ...],
        read: PageReader,
        *,
        background: BackgroundLimits | None = None,
    ) -> None:
        self.numbers = numbers
        self.model: ModelId = reading.model
        self._reading = reading
        self._read = read
        self._background = background
        self._page_seconds = background.page_seconds if background else math.inf
        self._in_work = asyncio.Semaphore(PAGES_IN_WORK)

    async def pages(self, without: Collection[int] = ()) -> AsyncGenerator[PageReading, None]:
        """Yield each page as it is read, in order, except those ``without``; a page that fails has its ``error``.

        What ends the whole reading is raised, after the pages before it: DeadlineExceeded of the document, Unavailable.
        Closing the generator withdraws the pages in work and returns once they have ended.
        """
        waiting = deque(number for number in self.numbers if number not in without)
        running: deque[asyncio.Task[PageReading]] = deque()
        try:
            while waiting or running:
                while waiting and len(running) < _PAGES_AHEAD:
                    running.append(asyncio.create_task(self._one(waiting.popleft())))
                page = await asyncio.shield(running[0])
                running.popleft()
                yield page
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _one(self, number: int) -> PageReading:
        async with self._in_work:
            begun = time.perf_counter()
            latest = asyncio.get_running_loop().time() + self._page_seconds
            first = number == self.numbers[0]
            opening_ms = self._reading.spent_ms if first else dict.fromkeys(self._reading.spent_ms, 0.0)
            reading = replace(
                self._reading, deadline=min(latest, self._reading.deadline), spent_ms=dict(opening_ms)
            )
            if self._background:  # a job has no limit on the lines of all pages together
                reading.tally = Tally(admitted=True)
            try:
                async with asyncio.timeout_at(reading.deadline if reading.deadline < math.inf else None):
                    page = await self._read(number, reading)
            except TimeoutError as error:
                return self._late(number, error)
            except DeadlineExceeded as error:  # of a line that waited for its run
                return self._late(number, error)
            except Unavailable:  # the scheduler has stopped, or is stopping: all further pages would fail
                raise
            except Exception as error:
                return PageReading(number, error=error)
            total_ms = (time.perf_counter() - begun) * 1000 + sum(opening_ms.values())
            spent = {**reading.spent_ms, "total": total_ms}
            return PageReading(
                number,
                Document(
                    tuple(page.lines),
                    (page.page,),
                    self.model,
                    spent,
                    page.blocks,
                    reading.options.layout,
                    tuple(page.fields),
                ),
            )

    def _late(self, number: int, error: Exception) -> PageReading:
        """Return the page with its error if its own time has passed; raise DeadlineExceeded for the document's."""
        if self._background:
            late = DeadlineExceeded(f"Page {number} took longer than {self._page_seconds:g} seconds.")
            return PageReading(number, error=late)
        raise DeadlineExceeded(
            f"The time for the document had passed before page {number} was read."
        ) from error
