"""How many requests a key may send in a minute and at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from ocrsvc.errors import TooManyRequests
from ocrsvc.service.key_limits import KeyLimits


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(limits: KeyLimits, client: str = "shop") -> int:
    """Send one request; 0, or after how many seconds to send it again."""
    try:
        with limits.enter(client):
            return 0
    except TooManyRequests as error:
        return error.retry_after_seconds


def test_without_limits_nothing_is_kept() -> None:
    limits = KeyLimits(per_minute=None, at_once=None)
    assert [ask(limits, str(n)) for n in range(100)] == [0] * 100
    assert not limits._shares


def test_a_burst_is_allowed_and_comes_back_evenly() -> None:
    clock = Clock()
    limits = KeyLimits(per_minute=6, at_once=None, clock=clock)
    assert [ask(limits) for _ in range(8)] == [0] * 6 + [10] * 2
    assert ask(limits, "other") == 0
    clock.now = 4
    assert ask(limits) == 6
    clock.now = 10
    assert [ask(limits), ask(limits)] == [0, 10]
    clock.now = 1e6
    assert [ask(limits) for _ in range(7)] == [0] * 6 + [10]


def test_requests_at_once_wait_for_what_is_in_work() -> None:
    limits = KeyLimits(per_minute=None, at_once=2, eta_seconds=lambda: 3.2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(limits.enter("shop"))
        assert ask(limits) == 4
        assert ask(limits, "other") == 0
    assert ask(limits) == 0


def test_a_request_that_fails_is_over() -> None:
    limits = KeyLimits(per_minute=None, at_once=1)
    with pytest.raises(RuntimeError), limits.enter("shop"):
        raise RuntimeError
    assert ask(limits) == 0
