"""Cost model, learned from the batches that ran: seconds = fixed + per_row * rows, for each lane.

The scheduler uses it to limit the time of a batch, to estimate when the queue will be empty, and to refuse work that
would be late, but never to cancel work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# Estimate before any measurement: about what a small recogniser takes for one column of a line on one core.
_DEFAULT_SECONDS_PER_PIXEL = 70e-6
_MIN_SECONDS_PER_ROW = 1e-6
_DECAY = 0.98  # factor on old observations at each new one; the half-life is 34 batches
_OUTLIER = 4.0  # a run counts as at most this many times slower than expected, because machines stall
_TRUSTED = 8.0  # outliers are clipped from this decayed number of observations on


class Sized(Protocol):
    """The properties of a lane that its cost depends on."""

    @property
    def model(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def charset(self) -> str: ...


@dataclass(slots=True)
class _Sums:
    """Decayed sums of a least-squares fit."""

    n: float = 0.0
    rows: float = 0.0
    seconds: float = 0.0
    rows_rows: float = 0.0
    rows_seconds: float = 0.0

    def add(self, rows: int, seconds: float) -> None:
        self.n = self.n * _DECAY + 1
        self.rows = self.rows * _DECAY + rows
        self.seconds = self.seconds * _DECAY + seconds
        self.rows_rows = self.rows_rows * _DECAY + rows * rows
        self.rows_seconds = self.rows_seconds * _DECAY + rows * seconds

    def fit(self) -> tuple[float, float]:
        """Return (fixed, per_row), neither negative; fixed is 0 if the data give no sensible slope."""
        spread = self.n * self.rows_rows - self.rows**2
        if spread > 1e-6 * self.n * self.rows_rows:
            per_row = (self.n * self.rows_seconds - self.rows * self.seconds) / spread
            fixed = (self.seconds - per_row * self.rows) / self.n
            if per_row > _MIN_SECONDS_PER_ROW and fixed >= 0:
                return fixed, per_row
        return 0.0, max(self.seconds / self.rows, _MIN_SECONDS_PER_ROW)


class CostModel:
    """Cost estimates for all lanes. Belongs to the event loop.

    Lanes that differ only in their charset share an estimate, because callers may send any number of charsets and
    memory must not grow with them; so do lanes that differ in ``steps``, which costs next to nothing.
    """

    def __init__(self, *, seconds_per_pixel: float = _DEFAULT_SECONDS_PER_PIXEL) -> None:
        self._default = seconds_per_pixel
        self._sums: dict[tuple[str, int, bool], _Sums] = {}
        self._fits: dict[tuple[str, int, bool], tuple[float, float]] = {}

    def learn(self, lane: Sized, rows: int, seconds: float) -> None:
        """Record that one run of ``rows`` lines of this lane took ``seconds``."""
        key = _key(lane)
        sums = self._sums.setdefault(key, _Sums())
        if sums.n >= _TRUSTED:
            seconds = min(seconds, _OUTLIER * self.seconds(lane, rows))
        sums.add(rows, seconds)
        self._fits[key] = sums.fit()

    def seconds(self, lane: Sized, rows: int) -> float:
        """Return the estimated time of one run of ``rows`` lines of this lane."""
        fixed, per_row = self.terms(lane)
        return fixed + per_row * rows

    def terms(self, lane: Sized) -> tuple[float, float]:
        """Return (fixed, per_row) in seconds; for a lane that never ran, scaled from its model's nearest width."""
        found = self._fits.get(_key(lane))
        if found is not None:
            return found
        relatives = [key for key in self._fits if key[0] == lane.model]
        if not relatives:
            return 0.0, max(self._default * lane.width, _MIN_SECONDS_PER_ROW)
        nearest = min(relatives, key=lambda key: (abs(key[1] - lane.width), key[2] != bool(lane.charset)))
        fixed, per_row = self._fits[nearest]
        return fixed, per_row * lane.width / nearest[1]


def _key(lane: Sized) -> tuple[str, int, bool]:
    return lane.model, lane.width, bool(lane.charset)
