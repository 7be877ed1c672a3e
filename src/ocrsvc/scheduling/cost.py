"""What a batch will cost, learned from the batches that ran: seconds = fixed + per_row * rows, for each lane.

The scheduler uses it to cap the time of a batch, to say when the queue will be empty and to refuse what would
come too late; never to cancel anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# Before anything was measured: about what a small recogniser takes for one pixel of a line on one core.
_DEFAULT_SECONDS_PER_PIXEL = 70e-6
_MIN_SECONDS_PER_ROW = 1e-6
_DECAY = 0.98  # of old observations at each new one: half-life 34 batches
_OUTLIER = 4.0  # a run this many times slower than expected counts as this many times: the machine hiccuped
_TRUSTED = 8.0  # decayed number of observations from which on outliers are clipped


class Sized(Protocol):
    """What the model needs to know of a lane."""

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
        """(fixed, per_row), neither negative; through the origin where the slope would be meaningless."""
        spread = self.n * self.rows_rows - self.rows**2
        if spread > 1e-6 * self.n * self.rows_rows:
            per_row = (self.n * self.rows_seconds - self.rows * self.seconds) / spread
            fixed = (self.seconds - per_row * self.rows) / self.n
            if per_row > _MIN_SECONDS_PER_ROW and fixed >= 0:
                return fixed, per_row
        return 0.0, max(self.seconds / self.rows, _MIN_SECONDS_PER_ROW)


class CostModel:
    """Estimates for all lanes; used from the event loop only.

    Lanes that differ only in which charset they read share an estimate: callers may send any charset, and
    memory must not grow with them.
    """

    def __init__(self, *, seconds_per_pixel: float = _DEFAULT_SECONDS_PER_PIXEL) -> None:
        self._default = seconds_per_pixel
        self._sums: dict[tuple[str, int, bool], _Sums] = {}
        self._fits: dict[tuple[str, int, bool], tuple[float, float]] = {}

    def learn(self, lane: Sized, rows: int, seconds: float) -> None:
        """Take in that ``rows`` lines of this lane took this long in one run."""
        key = _key(lane)
        sums = self._sums.setdefault(key, _Sums())
        if sums.n >= _TRUSTED:
            seconds = min(seconds, _OUTLIER * self.seconds(lane, rows))
        sums.add(rows, seconds)
        self._fits[key] = sums.fit()

    def seconds(self, lane: Sized, rows: int) -> float:
        """How long ``rows`` lines of this lane will take in one run."""
        fixed, per_row = self.terms(lane)
        return fixed + per_row * rows

    def terms(self, lane: Sized) -> tuple[float, float]:
        """(fixed, per row) in seconds; for a lane that never ran, from the same model's lane of nearest
        width.
        """
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
