"""Work is dropped when nobody waits for it, and answered when the service gives up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ocrsvc.errors import ShuttingDown
from ocrsvc.service.connection import ClientGone, unless_given_up, unless_gone


class Line:
    """A client's connection: ``receive`` waits until the client hangs up."""

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()
        self.waiting = 0

    async def receive(self) -> dict[str, Any]:
        self.waiting += 1
        try:
            await self.hung_up.wait()
        finally:
            self.waiting -= 1
        return {"type": "http.disconnect"}


class Work:
    """Something long that knows whether it was cancelled."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> str:
        self.started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


async def test_the_result_comes_through_and_nothing_is_left_behind() -> None:
    line = Line()

    async def quick() -> str:
        await asyncio.sleep(0)
        return "text"

    assert await unless_gone(quick(), line.receive, asyncio.Future()) == "text"
    assert line.waiting == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_error_comes_through() -> None:
    async def broken() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unless_gone(broken(), Line().receive, asyncio.Future())


async def test_a_client_that_leaves_cancels_the_work() -> None:
    line, work = Line(), Work()
    waiting = asyncio.create_task(unless_gone(work(), line.receive, asyncio.Future()))
    await work.started.wait()
    line.hung_up.set()
    with pytest.raises(ClientGone):
        await waiting
    assert work.cancelled


async def test_other_messages_are_not_the_clients_leaving() -> None:
    messages = iter([{"type": "http.request", "body": b""}])

    async def receive() -> dict[str, Any]:
        message = next(messages, None)
        if message is None:
            await asyncio.sleep(3600)
        return message or {}

    async def slow() -> str:
        await asyncio.sleep(0.01)
        return "text"

    assert await unless_gone(slow(), receive, asyncio.Future()) == "text"


async def test_giving_up_answers_and_cancels() -> None:
    work, giving_up = Work(), asyncio.Future[None]()
    waiting = asyncio.create_task(unless_given_up(work(), giving_up))
    await work.started.wait()
    giving_up.set_result(None)
    with pytest.raises(ShuttingDown):
        await waiting
    assert work.cancelled


async def test_cancelling_the_caller_cancels_the_work() -> None:
    line, work = Line(), Work()
    waiting = asyncio.create_task(unless_gone(work(), line.receive, asyncio.Future()))
    await work.started.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.cancelled
    assert line.waiting == 0
