"""Many files through one Reader: several at a time, so that no core rests, told in the order they were named."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

from ocrsvc.commands.progress import progress
from ocrsvc.machine import cpu
from ocrsvc.results import Document

if TYPE_CHECKING:
    from ocrsvc.reading.reader import Reader
    from ocrsvc.reading.reading import ReadOptions
    from ocrsvc.settings import Settings

Question = TypeVar("Question")
Answer = TypeVar("Answer")

# Enough that short lines find company in a batch and that one slow page does not stop the files behind it.
IN_FLIGHT_PER_WORKER = 8

# A photograph of 12 megapixels takes 36 MB while it waits for a worker: of those, fewer are let in at once.
LARGE_BYTES = 128 * 1024
LARGE_PER_WORKER = 3


@asynccontextmanager
async def opened(settings: Settings, *, warm: bool = False) -> AsyncIterator[Reader]:
    """A Reader that is ready, closed at the end whatever happens.

    ``warm`` runs every shape once before, which only pays where times are measured: one file is read sooner
    without.
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
    """Yield each question in order with its reading, or with what went wrong, were it a fault of ours.

    ``load`` fetches a question's bytes, in a thread; ``unit`` names the questions on the progress bar.
    """

    workers = settings.workers or cpu.inspect().effective
    large = asyncio.Semaphore(LARGE_PER_WORKER * workers)

    async def ask(question: Question) -> Document | Exception:
        try:
            data = await asyncio.to_thread(load, question)
            async with large if len(data) > LARGE_BYTES else nullcontext():
                return await reader.read(data, request)
        except Exception as error:  # one file's failure is no other file's
            return error

    answers = ordered(questions, ask, in_flight=IN_FLIGHT_PER_WORKER * workers)
    with progress(len(questions), unit) as step:
        async with aclosing(answers):
            async for question, answer in answers:
                yield question, answer
                step()


async def ordered(
    questions: Iterable[Question], ask: Callable[[Question], Awaitable[Answer]], *, in_flight: int
) -> AsyncGenerator[tuple[Question, Answer], None]:
    """Yield each question with its answer, in order, while up to ``in_flight`` are being answered.

    An exception of ``ask`` is raised at its turn. Whatever still runs when the generator is closed is cancelled.
    """
    running: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
    try:
        for question in questions:
            running.append((question, asyncio.ensure_future(ask(question))))
            if len(running) == in_flight:
                yield await _first(running)
        while running:
            yield await _first(running)
    finally:
        for _, answer in running:
            answer.cancel()
        await asyncio.gather(*(answer for _, answer in running), return_exceptions=True)


async def _first(running: deque[tuple[Question, asyncio.Future[Answer]]]) -> tuple[Question, Answer]:
    """Wait for the oldest answer, which stays in ``running`` until it is there."""
    question, answer = running[0]
    result = await answer
    running.popleft()
    return question, result
