"""Waiting for several things of which none is of use without the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar, cast

T = TypeVar("T")


async def all_or_none(futures: Sequence[asyncio.Future[T]]) -> list[T]:
    """All results in order; at the first failure, or if the caller is cancelled, the others are cancelled.

    Returns or raises when all have ended, so that nothing of a failed reading holds memory any more.
    """
    try:
        return list(await asyncio.gather(*cast("Sequence[Awaitable[T]]", futures)))
    finally:
        left = [future for future in futures if not future.done()]
        for future in left:
            future.cancel()
        if left:
            await asyncio.wait(left)
