"""QueueLimit: requests and bytes are bounded, and what was taken is given back."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from ocrsvc.errors import Saturated
from ocrsvc.service.request_limit import RequestLimit


def test_a_full_house_refuses_and_says_when_to_come_back() -> None:
    door = RequestLimit(max_requests=2, max_bytes=100)
    with door.enter() as first, door.enter() as second:
        first.begin()
        second.begin()
        with pytest.raises(Saturated) as refusal, door.enter():
            pass
        assert refusal.value.retry_after_seconds >= 1
        assert door.requests == 2
    with door.enter() as received:
        received.begin()
        assert door.requests == 1
    assert door.requests == 0


def test_bodies_on_their_way_keep_nobody_out() -> None:
    door = RequestLimit(max_requests=1, max_bytes=100)
    with door.enter(), door.enter() as late, door.enter() as quick:
        quick.begin()
        assert door.requests == 1
        with pytest.raises(Saturated):
            late.begin()
    assert door.requests == 0


async def test_a_door_that_closes_ends_all_waiting() -> None:
    door = RequestLimit(max_requests=9, max_bytes=100)
    now = asyncio.get_running_loop().time()

    async def wait(until: float) -> bool:
        with door.enter() as received:
            try:
                async with received.waiting(until):
                    await asyncio.Event().wait()
            except TimeoutError:
                return received.closed
        raise AssertionError("nothing ends this")

    waiting = [asyncio.create_task(wait(now + seconds)) for seconds in (0.01, 60, 600)]
    await asyncio.sleep(0)
    door.close(now + 0.1)
    assert await asyncio.gather(*waiting, wait(now + 60)) == [False, True, True, True]
    assert not door.clocks


def test_bytes_of_all_visitors_are_counted_together() -> None:
    door = RequestLimit(max_requests=9, max_bytes=100)
    with door.enter() as first:
        first.hold(60)
        with door.enter() as second:
            second.hold(40)
            with pytest.raises(Saturated):
                second.hold(1)
        assert door.held_bytes == 60
    assert (door.requests, door.held_bytes) == (0, 0)


def test_a_visit_that_fails_gives_back_what_it_took() -> None:
    door = RequestLimit(max_requests=1, max_bytes=100)
    with door.enter() as received:
        received.hold(100)
    with pytest.raises(Saturated), door.enter() as received:
        received.hold(101)
    assert (door.requests, door.held_bytes) == (0, 0)


def test_a_full_house_still_has_room_for_other_clients() -> None:
    door = RequestLimit(max_requests=8, max_bytes=100)
    with ExitStack() as inside:

        def come(client: str) -> None:
            inside.enter_context(door.enter(client)).begin()

        for _ in range(8):
            come("a")
        with pytest.raises(Saturated):
            come("a")
        come("b")
        come("b")  # 8 and a quarter more
        with pytest.raises(Saturated):
            come("c")
        with pytest.raises(Saturated):
            come("b")
    assert (door.requests, door.inside) == (0, {})


def test_one_client_does_not_hold_all_bytes() -> None:
    door = RequestLimit(max_requests=9, max_bytes=100, largest_body_bytes=10, eta_seconds=lambda: 6.5)
    with door.enter("a") as first, door.enter("b") as second:
        first.hold(75)
        with pytest.raises(Saturated) as refusal:
            first.hold(1)
        assert refusal.value.retry_after_seconds == 7
        second.hold(25)
    assert (door.held_bytes, door.held_by) == (0, {})
