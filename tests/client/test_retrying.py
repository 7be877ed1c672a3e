"""When a request is sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from ocrsvc.client.retrying import Retries


def test_a_stated_time_is_kept() -> None:
    assert Retries(3).wait_seconds(httpx.Response(503, headers={"retry-after": "7"})) == 7
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < (Retries(3).wait_seconds(httpx.Response(429, headers={"retry-after": when})) or 0) <= 30
    assert Retries(3).wait_seconds(httpx.Response(503, headers={"retry-after": "86400"})) == 60
    for odd in ("soon", "", "-5"):
        assert (
            0.25 <= (Retries(3).wait_seconds(httpx.Response(503, headers={"retry-after": odd})) or 0) <= 0.5
        )


def test_waits_double_until_no_attempt_is_left() -> None:
    retries = Retries(4)
    waits = [retries.wait_seconds(None) for _ in range(5)]
    assert waits[-1] is None
    for i, wait in enumerate(waits[:-1]):
        assert wait is not None
        assert 0.25 * 2**i <= wait <= 0.5 * 2**i


@pytest.mark.parametrize("status", [200, 400, 401, 413, 422, 500])
def test_other_answers_stand(status: int) -> None:
    assert Retries(9).wait_seconds(httpx.Response(status)) is None
