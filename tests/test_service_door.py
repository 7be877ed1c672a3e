"""Admission: requests and bytes are bounded, and what was taken is given back."""

from __future__ import annotations

import pytest

from ocrsvc.errors import Saturated
from ocrsvc.service.door import Door


def test_a_full_house_refuses_and_says_when_to_come_back() -> None:
    door = Door(max_requests=2, max_bytes=100)
    with door.enter(), door.enter():
        with pytest.raises(Saturated) as refusal, door.enter():
            pass
        assert refusal.value.retry_after_seconds >= 1
        assert door.requests == 2
    with door.enter():
        assert door.requests == 1


def test_bytes_of_all_visitors_are_counted_together() -> None:
    door = Door(max_requests=9, max_bytes=100)
    with door.enter() as first:
        first.hold(60)
        with door.enter() as second:
            second.hold(40)
            with pytest.raises(Saturated):
                second.hold(1)
        assert door.held_bytes == 60
    assert (door.requests, door.held_bytes) == (0, 0)


def test_a_visit_that_fails_gives_back_what_it_took() -> None:
    door = Door(max_requests=1, max_bytes=100)
    with door.enter() as visit:
        visit.hold(100)
    with pytest.raises(Saturated), door.enter() as visit:
        visit.hold(101)
    assert (door.requests, door.held_bytes) == (0, 0)
