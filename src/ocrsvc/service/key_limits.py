"""Limits on the POST requests of each API key: how many in a minute, and how many at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ocrsvc.errors import TooManyRequests

_MINUTE_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 60


@dataclass(slots=True)
class _Share:
    """What one key has used: ``left`` of its requests at the time ``since``, and requests ``inside`` now."""

    left: float
    since: float
    inside: int = 0


class KeyLimits:
    """Counts in one process. A key may use the requests of a minute in one burst; they come back evenly.

    ``eta_seconds`` estimates when the service has finished what it has accepted.
    """

    def __init__(
        self,
        *,
        per_minute: int | None,
        at_once: int | None,
        eta_seconds: Callable[[], float] = lambda: 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_minute = per_minute
        self._at_once = at_once
        self._eta_seconds = eta_seconds
        self._clock = clock
        self._shares: dict[str, _Share] = {}

    @contextmanager
    def enter(self, client: str) -> Iterator[None]:
        """Count one request of a key until the block ends; raise TooManyRequests beyond a limit."""
        if self._per_minute is None and self._at_once is None:
            yield
            return
        share = self._shares.setdefault(client, _Share(float(self._per_minute or 0), self._clock()))
        if self._at_once is not None and share.inside >= self._at_once:
            wait = min(_LONGEST_WAIT_SECONDS, max(1, math.ceil(self._eta_seconds())))
            raise TooManyRequests(
                f"This API key has {share.inside} requests in work, its limit.",
                retry_after_seconds=wait,
                max_requests_at_once=self._at_once,
            )
        self._take(share)
        share.inside += 1
        try:
            yield
        finally:
            share.inside -= 1

    def _take(self, share: _Share) -> None:
        if self._per_minute is None:
            return
        now, per_second = self._clock(), self._per_minute / _MINUTE_SECONDS
        share.left = min(self._per_minute, share.left + (now - share.since) * per_second)
        share.since = now
        if share.left < 1:
            raise TooManyRequests(
                f"This API key may send {self._per_minute} requests a minute.",
                retry_after_seconds=math.ceil((1 - share.left) / per_second),
                max_requests_per_minute=self._per_minute,
            )
        share.left -= 1
