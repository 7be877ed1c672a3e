"""Many files through one Reader: several at a time, so that no core rests, answers in the order of the
questions.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

# Enough that short lines find company in a batch and that one slow page does not stop the files behind it.
IN_FLIGHT_PER_WORKER = 8


async def ordered(
    questions: Iterable[Question], ask: Callable[[Question], Awaitable[Answer]], *, in_flight: int
) -> AsyncIterator[tuple[Question, Answer]]:
    """Yield each question with its answer, in order, while up to ``in_flight`` are being answered.

    An exception of ``ask`` is raised at its turn. Whatever is still running when the caller stops is
    cancelled.
    """
    running: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
    waiting = iter(questions)
    try:
        while True:
            while len(running) < in_flight:
                try:
                    question = next(waiting)
                except StopIteration:
                    break
                running.append((question, asyncio.ensure_future(ask(question))))
            if not running:
                return
            question, answer = running[0]
            result = await answer
            running.popleft()
            yield question, result
    finally:
        for _, answer in running:
            answer.cancel()
        await asyncio.gather(*(answer for _, answer in running), return_exceptions=True)
