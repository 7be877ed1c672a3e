"""Cancels work when the client disconnects, which FastAPI does not do (fastapi issue 3766)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from starlette.types import Receive

from ocrsvc.errors import ShuttingDown

CLIENT_GONE_STATUS = 499  # nginx's status for this; counted and logged, never sent

T = TypeVar("T")


class ClientGone(Exception):
    """The client closed the connection before the answer was sent."""


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive, giving_up: asyncio.Future[None]) -> T:
    """Return the result of ``work``; cancel it on a disconnect (ClientGone) or ``giving_up`` (ShuttingDown).

    The body must have been read already, so that the next message of ``receive`` is the disconnect.
    """
    left = asyncio.create_task(_left(receive))
    try:
        return await _race(work, {left: ClientGone(), giving_up: shutting_down()})
    finally:
        await _ended(left)


async def unless_given_up(work: Coroutine[Any, Any, T], giving_up: asyncio.Future[None]) -> T:
    """Return the result of ``work``; cancel it and raise ShuttingDown once ``giving_up`` is done.

    ``giving_up`` is done shortly before a shutdown cuts all connections, so that clients still get an answer.
    """
    return await _race(work, {giving_up: shutting_down()})


async def _race(work: Coroutine[Any, Any, T], interruptions: Mapping[asyncio.Future[None], Exception]) -> T:
    task = asyncio.create_task(work)
    try:
        watched: set[asyncio.Future[Any]] = {task, *interruptions}
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise next(error for each, error in interruptions.items() if each.done())
    finally:
        await _ended(task)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancel the task and wait until it has ended and released its memory; ignore what it raises."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def shutting_down() -> ShuttingDown:
    """Return the error of work that a shutdown cuts short."""
    return ShuttingDown("The service is shutting down and could not finish this.", retry_after_seconds=2)
