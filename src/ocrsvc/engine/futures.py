"""Results of futures in their order, with a few of them under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from typing import TypeVar

Answer = TypeVar("Answer")


def in_order(futures: Iterable[Future[Answer]], ahead: int) -> Generator[Answer, None, None]:
    """Yield the result of each future; up to ``ahead`` are taken from the iterable before they are waited for.

    An exception is raised at its turn. Closing the generator cancels the futures that were taken.
    """
    running: deque[Future[Answer]] = deque()
    try:
        for future in futures:
            running.append(future)
            if len(running) == ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
