"""Work for a client who may leave: FastAPI does not cancel a route then (fastapi issue 3766)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from ocrsvc.errors import ShuttingDown

CLIENT_GONE_STATUS = 499  # nginx's number; counted and logged, never sent

T = TypeVar("T")


class ClientGone(Exception):
    """The client has closed the connection: nobody waits for the answer."""


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive, giving_up: asyncio.Event) -> T:
    """Return what ``work`` returns; cancel it when the client leaves (ClientGone) or ``giving_up`` is set.

    The request's body must have been read: the next message of ``receive`` is then the client's leaving.
    """
    return await _race(work, (_left(receive), ClientGone()), (_set(giving_up), _shutting_down()))


async def unless_given_up(work: Coroutine[Any, Any, T], giving_up: asyncio.Event) -> T:
    """Return what ``work`` returns; cancel it when ``giving_up`` is set.

    That is shortly before a shutdown cuts all connections: the caller still gets an answer, ShuttingDown.
    """
    return await _race(work, (_set(giving_up), _shutting_down()))


async def _race(
    work: Coroutine[Any, Any, T], *interruptions: tuple[Coroutine[Any, Any, None], Exception]
) -> T:
    task = asyncio.create_task(work)
    watchers = {asyncio.create_task(watch): error for watch, error in interruptions}
    try:
        await asyncio.wait({task, *watchers}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise next(error for watcher, error in watchers.items() if watcher.done())
    finally:
        for each in (task, *watchers):
            each.cancel()
        await asyncio.gather(task, *watchers, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("The service is shutting down and could not finish this.", retry_after_seconds=2)
