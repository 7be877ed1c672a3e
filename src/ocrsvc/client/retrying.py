"""When a request is sent again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

_BUSY = (429, 502, 503, 504)  # 502 and 504 come from proxies in front of a service that restarts
_LONGEST_SECONDS = 60.0
_FIRST_SECONDS = 0.5


@dataclass(slots=True)
class Retries:
    """The attempts that are left; a service that is busy says after how long to come again (Retry-After)."""

    left: int
    _random: random.Random = field(default_factory=random.Random)
    _backoff_seconds: float = _FIRST_SECONDS

    def wait_seconds(self, answer: httpx.Response | None) -> float | None:
        """Return how long to wait before the next attempt, or None if this answer stands.

        ``answer`` is None if there was no connection, or it broke before an answer began.
        """
        if (answer is not None and answer.status_code not in _BUSY) or self.left <= 0:
            return None
        self.left -= 1
        # Between half and all of it, so that clients that were refused together do not come back together.
        wait, self._backoff_seconds = (
            self._backoff_seconds * self._random.uniform(0.5, 1),
            self._backoff_seconds * 2,
        )
        stated = None if answer is None else _stated_seconds(answer.headers.get("retry-after"))
        return min(max(wait, stated or 0.0), _LONGEST_SECONDS)


def _stated_seconds(header: str | None) -> float | None:
    """Return the seconds in Retry-After, which has a number or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    try:
        return float(header)
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    return (when.astimezone(UTC) - datetime.now(UTC)).total_seconds()
