"""Waiting for several tasks whose results are useful only together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar, cast

T = TypeVar("T")


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
