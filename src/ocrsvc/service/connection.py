"""Work for a client who may leave: FastAPI does not cancel a route then (fastapi issue 3766)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from starlette.types import Receive

from ocrsvc.errors import ShuttingDown

CLIENT_GONE_STATUS = 499  # nginx's number; counted and logged, never sent

T = TypeVar("T")


class ClientGone(Exception):
    """The client has closed the connection: nobody waits for the answer."""


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive, giving_up: asyncio.Future[None]) -> T:
    """Return what ``work`` returns; cancel it when the client leaves (ClientGone) or ``giving_up`` is done.

    The request's body must have been read: the next message of ``receive`` is then the client's leaving.
    """
    left = asyncio.create_task(_left(receive))
    try:
        return await _race(work, {left: ClientGone(), giving_up: _shutting_down()})
    finally:
        await _ended(left)


async def unless_given_up(work: Coroutine[Any, Any, T], giving_up: asyncio.Future[None]) -> T:
    """Return what ``work`` returns; cancel it when ``giving_up`` is done.

    That is shortly before a shutdown cuts all connections: the caller still gets an answer, ShuttingDown.
    """
    return await _race(work, {giving_up: _shutting_down()})


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
    """Cancel the task and wait for its end, so that it holds nothing any more; whatever it raises is its own."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("The service is shutting down and could not finish this.", retry_after_seconds=2)
