"""Where an answer is written: on the event loop if it is small, else on a thread of the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_SMALL_LINES = 64  # most lines written on the event loop, in well under a millisecond


async def written(
    pool: Executor, line_count: int, write: Callable[[*Arguments], T], *arguments: *Arguments
) -> T:
    """Return what ``write`` makes of its arguments, an answer of so many lines."""
    if line_count <= _SMALL_LINES:
        return write(*arguments)
    return await asyncio.get_running_loop().run_in_executor(pool, write, *arguments)
