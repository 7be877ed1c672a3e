"""Waiting for several tasks: for all of them together, or for each in its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from typing import TypeVar, cast

T = TypeVar("T")
Question = TypeVar("Question")
Answer = TypeVar("Answer")


async def all_or_none(futures: Sequence[asyncio.Future[T]]) -> list[T]:
    """Return all results in order; at the first failure, or if the caller is cancelled, cancel the others.

    Returns or raises only when all have ended, so that a failed reading holds no memory.
    """
    try:
        return list(await asyncio.gather(*cast("Sequence[Awaitable[T]]", futures)))
    finally:
        left = [future for future in futures if not future.done()]
        for future in left:
            future.cancel()
        if left:
            await asyncio.wait(left)


async def ordered(
    questions: Iterable[Question] | AsyncIterable[Question],
    ask: Callable[[Question], Awaitable[Answer]],
    *,
    in_flight: int,
) -> AsyncGenerator[tuple[Question, Answer], None]:
    """Yield each question with its answer, in order, while up to ``in_flight`` are being answered.

    An exception of ``ask`` is raised at its turn. Closing the generator cancels all running calls.
    """
    running: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
    try:
        async for question in _each(questions):
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
    """Wait for the oldest answer and remove it from ``running``."""
    question, answer = running[0]
    result = await answer
    running.popleft()
    return question, result


async def _each(values: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(values, AsyncIterable):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value
