"""Reads many files with one Reader, several at once, and yields their pages as they are read, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocrsvc.commands.readings import IN_FLIGHT_PER_WORKER, LARGE_BYTES, LARGE_PER_WORKER, Question
from ocrsvc.machine import cpu

if TYPE_CHECKING:
    from ocrsvc.reading.page_stream import PageReading
    from ocrsvc.reading.reader import Reader
    from ocrsvc.reading.reading import ReadOptions
    from ocrsvc.settings import Settings


@dataclass(frozen=True, slots=True)
class Opened:
    """A file has been opened and has this many pages to read."""

    page_count: int


@dataclass(frozen=True, slots=True)
class Ended:
    """No more pages of a file follow; ``error`` is what ended it early, or kept it from being opened."""

    error: Exception | None = None


async def page_readings(
    reader: Reader,
    questions: Sequence[Question],
    load: Callable[[Question], bytes],
    request: ReadOptions,
    *,
    settings: Settings,
) -> AsyncGenerator[tuple[Question, Opened | PageReading | Ended], None]:
    """Yield of each question in order: that it is opened, each page, and its end.

    ``load`` returns a question's bytes and runs in a thread. Pages of later files wait until those before are done.
    """
    workers = settings.workers or cpu.inspect().effective
    large = asyncio.Semaphore(LARGE_PER_WORKER * workers)

    async def read(question: Question, found: asyncio.Queue[Opened | PageReading | Ended]) -> None:
        try:
            data = await asyncio.to_thread(load, question)
            async with (
                large if len(data) > LARGE_BYTES else nullcontext(),
                reader.stream(data, request) as stream,
                aclosing(stream.pages()) as pages,
            ):
                found.put_nowait(Opened(len(stream.numbers)))
                async for page in pages:
                    found.put_nowait(page)
        except Exception as error:  # must not stop the other files
            found.put_nowait(Ended(error))
        else:
            found.put_nowait(Ended())

    waiting = deque(questions)
    running: deque[tuple[Question, asyncio.Queue[Opened | PageReading | Ended], asyncio.Task[None]]] = deque()
    try:
        while waiting or running:
            while waiting and len(running) < IN_FLIGHT_PER_WORKER * workers:
                question = waiting.popleft()
                found: asyncio.Queue[Opened | PageReading | Ended] = asyncio.Queue()
                running.append((question, found, asyncio.create_task(read(question, found))))
            question, found, _ = running[0]
            item = await found.get()
            if isinstance(item, Ended):
                running.popleft()
            yield question, item
    finally:
        for _, _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, _, task in running), return_exceptions=True)
