"""Limit on the work that the scheduler accepts."""

from __future__ import annotations

import math

from ocrsvc.errors import DeadlineExceeded, Saturated

MICRO = 1_000_000  # units in a second


class QueueLimit:
    """Counts outstanding work, queued or running, in units of one estimated microsecond on one worker.

    Units are integers, so that the count returns to exactly zero.
    """

    __slots__ = ("_max_units", "_of_clients", "_workers", "units")

    def __init__(self, *, workers: int, max_queue_seconds: float) -> None:
        self.units = 0
        self._workers = workers
        self._max_units = round(max_queue_seconds * workers * MICRO)
        self._of_clients: dict[str, int] = {}

    @staticmethod
    def units_of(seconds: float) -> int:
        """Return the units of a line with this estimated time."""
        return max(1, round(seconds * MICRO))

    def take(self, client: str, units: int) -> None:
        """Count accepted work of a client."""
        self.units += units
        self._of_clients[client] = self._of_clients.get(client, 0) + units

    def give_back(self, client: str, units: int) -> None:
        """Remove work that has ended."""
        self.units -= units
        self._of_clients[client] -= units
        if not self._of_clients[client]:
            del self._of_clients[client]

    @property
    def eta_seconds(self) -> float:
        """Return the estimated time until all accepted work is done."""
        return self._seconds(self.units)

    def check(
        self, units: int, time_left: float, *, admitted: bool, rivals: int | None = None, client: str = ""
    ) -> None:
        """Raise DeadlineExceeded, or Saturated with a time to retry, if ``units`` of new work must be refused.

        ``admitted`` work is refused only if its deadline has passed. An empty queue accepts everything, because only
        running work corrects an estimate that is too high. ``rivals``: number of other readings, given if ``units``
        are the whole reading. The queue is fair, so each rival gets at most ``units`` of work done first. Each other
        client gets at most what this ``client`` has waiting, with ``units``.
        """
        if time_left <= 0:
            raise DeadlineExceeded("The request's deadline had passed before its lines could be queued.")
        if admitted or not self.units:
            return
        own = self._of_clients.get(client, 0)
        before = min(self.units, own + (len(self._of_clients) - (own > 0)) * (own + units))
        if rivals is not None:
            before = min(before, rivals * units)
        excess = self._seconds(before + units - self._max_units)
        late = self._seconds(before + units) - time_left
        if excess > 0 or late > 0:
            raise Saturated(
                f"About {self.eta_seconds:.1f} s of work is queued already.",
                retry_after_seconds=max(1, math.ceil(max(excess, late))),
                queue_seconds=round(self.eta_seconds, 3),
            )

    def _seconds(self, units: int) -> float:
        return units / self._workers / MICRO
