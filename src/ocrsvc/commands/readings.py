"""Reads many files with one Reader, several at once to use all cores, and yields the results in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

from ocrsvc.commands.progress import progress
from ocrsvc.machine import cpu
from ocrsvc.reading.tasks import ordered
from ocrsvc.results import Document

if TYPE_CHECKING:
    from ocrsvc.reading.reader import Reader
    from ocrsvc.reading.reading import ReadOptions
    from ocrsvc.settings import Settings

Question = TypeVar("Question")

# Enough for full batches of short lines, and for one slow page not to delay the files after it.
IN_FLIGHT_PER_WORKER = 8

# Fewer files of this size are read at once: a photograph of 12 megapixels takes 36 MB while it waits for a worker.
LARGE_BYTES = 128 * 1024
LARGE_PER_WORKER = 3


@asynccontextmanager
async def opened(settings: Settings, *, warm: bool = False) -> AsyncIterator[Reader]:
    """Yield a started Reader and close it at the end.

    ``warm`` runs each lane before, which only pays if times are measured: a single file is read sooner without.
    """
    from ocrsvc.reading.reader import Reader

    reader = Reader(settings)
    try:
        await reader.start(warm=warm)
        yield reader
    finally:
        await reader.close()


async def readings(
    reader: Reader,
    questions: Sequence[Question],
    load: Callable[[Question], bytes],
    request: ReadOptions,
    *,
    settings: Settings,
    unit: str,
) -> AsyncGenerator[tuple[Question, Document | Exception], None]:
    """Yield each question in order with its reading, or with any exception that occurred.

    ``load`` returns a question's bytes and runs in a thread; ``unit`` names the questions on the progress bar.
    """

    workers = settings.workers or cpu.inspect().effective
    large = asyncio.Semaphore(LARGE_PER_WORKER * workers)

    async def ask(question: Question) -> Document | Exception:
        try:
            data = await asyncio.to_thread(load, question)
            async with large if len(data) > LARGE_BYTES else nullcontext():
                return await reader.read(data, request)
        except Exception as error:  # must not stop the other files
            return error

    answers = ordered(questions, ask, in_flight=IN_FLIGHT_PER_WORKER * workers)
    with progress(len(questions), unit) as step:
        async with aclosing(answers):
            async for question, answer in answers:
                yield question, answer
                step()
