"""Fair queueing of readings by the worker time that each of them costs.

Follows "Start-time Fair Queueing" (Goyal, Vin, Cheng, SIGCOMM 1996). Each piece of work has a tag: its start time on a
virtual clock that only work advances. The lowest tag goes first, so that under overload all flows get equal shares.
There are two levels, as in the paper's section 3. Short and long readings share the workers in proportion to their
numbers, but each kind gets at least a quarter. Short readings go in order of arrival, long ones in order of tags.

The paper's packet is here a turn: up to ``_TURN_SECONDS`` of one reading's work. With equal shares line by line, sixty
pages would all end at the same time, late. With turns, a page runs from its detector to its last line before the next
page begins, and a document of fifty pages moves behind the others after each turn.

The paper's flows are permanent, but a reading ends, and a new one starts at the clock's present time. An endless
stream of one-turn pages would stop the clock, and no second turn would ever come. Therefore each run also advances the
clock by half of each reading's average share; by only half, so that the clock does not outrun the time they received.

A reading in the background, such as a job, has a small weight and no turns: what comes later than it goes first, but
it still gets its share of the workers.

Readings belong to clients, who share the workers equally, however many readings each of them has sent: of each kind,
the client that has had the least time goes next, and the order above holds among its readings. Without names, all
readings belong to one client.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

_TURN_SECONDS = 5.0  # cost of a page of 150 long lines; the longest time that a document delays others
_RISE = 0.5
_BACKGROUND_WEIGHT = 0.25  # share of a reading in the background, relative to a document's
_LEAST_WEIGHT = 1 / 3  # least weight relative to the other kind's: a quarter of the workers
_ALONE_RUNS = 10.0  # a long line is cut into pieces, each of which may take longer than ``t_max_ms``


@dataclass(frozen=True, slots=True)
class Wait:
    """Time, in seconds of ``time.perf_counter``, until a batch of ``rows`` lines began; ``begun`` by its first line."""

    model: str
    rows: int
    begun: float
    ended: float


@dataclass(slots=True, eq=False)
class Flow:
    """One reading, as the scheduler sees it. ``seconds`` is the estimated cost of all work submitted so far.

    ``alone``: the picture is one line. ``background``: nobody waits for the reading. ``client``: who sent it. The
    current turn has the tag ``start``, room for ``left`` more seconds of work, and the end ``finish`` on the clock.
    ``number`` is the flow's place in the order of arrival. ``waits``: where its waits are recorded, if they are wanted.
    """

    alone: bool = False
    background: bool = False
    client: str = ""
    number: int = -1
    start: float = 0.0
    finish: float = 0.0
    left: float = 0.0
    seconds: float = 0.0
    waits: list[Wait] | None = None

    def is_short(self, more: float, run: float) -> bool:
        """Return whether the reading is short with ``more`` seconds of work; ``run``: longest time of a run."""
        return not self.background and self.seconds + more <= run * (_ALONE_RUNS if self.alone else 1)


@dataclass(slots=True)
class Share:
    """One of the two kinds of readings: ``lines`` outstanding of each flow, and ``finish`` on the shared clock.

    ``served``: on a clock of the clients, the time that each one with outstanding lines has had. Who comes anew starts
    at the present time of this clock, so that nobody saves time up.
    """

    lines: dict[Flow, int] = field(default_factory=dict)
    finish: float = 0.0
    served: dict[str, float] = field(default_factory=dict)
    _flows: dict[str, int] = field(default_factory=dict)  # of each client
    _clients_now: float = 0.0

    def enter(self, flow: Flow) -> None:
        """Count a line that is queued."""
        if flow not in self.lines:
            self._flows[flow.client] = self._flows.get(flow.client, 0) + 1
            self.served.setdefault(flow.client, self._clients_now)
        self.lines[flow] = self.lines.get(flow, 0) + 1

    def leave(self, flow: Flow) -> None:
        """Remove a line that has ended."""
        self.lines[flow] -= 1
        if not self.lines[flow]:
            del self.lines[flow]
            self._flows[flow.client] -= 1
            if not self._flows[flow.client]:
                del self._flows[flow.client], self.served[flow.client]

    def charge(self, flow: Flow, seconds: float) -> None:
        """Charge the flow's client for a line that starts now."""
        served = self.served.get(flow.client)
        if served is None:
            return
        self._clients_now = max(self._clients_now, served)
        # The background is one client, with the weight of one flow among all others, as in the order of tags.
        others = max(1, len(self.lines) - self._flows[flow.client])
        self.served[flow.client] = served + seconds * (others / _BACKGROUND_WEIGHT if flow.background else 1)


@dataclass(slots=True)
class FairClock:
    """Assigns tags to lines and decides which kind of readings is next. ``now``, the long ones' clock, never falls.

    Consider a line with tag T, queued when the clock was V, with n long readings. The clock passes T after at most
    ``n (T - V) / 0.5`` seconds of long runs; readings that arrive later go behind the line.
    """

    now: float = 0.0
    short: Share = field(default_factory=Share)
    long: Share = field(default_factory=Share)
    _both: float = 0.0  # clock shared by the two kinds
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def flows(self) -> int:
        """Return the number of readings with lines queued or running."""
        return len(self.short.lines.keys() | self.long.lines.keys())

    def share(self, *, short: bool) -> Share:
        """Return the share of the short or of the long readings."""
        return self.short if short else self.long

    def tag(self, flow: Flow, seconds: float) -> float:
        """Return the tag of the flow's next line, and charge the flow its ``seconds``."""
        if flow.number < 0:
            flow.number = next(self._numbers)
        if flow.left <= 0:
            flow.start = flow.finish = max(self.now, flow.finish)
            flow.left = 0 if flow.background else _TURN_SECONDS
        flow.left -= seconds
        flow.finish += seconds / (_BACKGROUND_WEIGHT if flow.background else 1)
        return flow.start

    def short_first(self) -> bool:
        """Return whether a short reading goes next if both kinds wait."""
        return max(self._both, self.short.finish) <= max(self._both, self.long.finish)

    def serve(self, tag: float, seconds: float, *, short: bool) -> None:
        """Advance the clocks for a run of ``seconds`` that starts now; ``tag`` is the tag of its first line."""
        share, other = self.share(short=short), self.share(short=not short)
        flows = max(1, len(share.lines))
        self._both = max(self._both, share.finish)
        share.finish = self._both + seconds / max(flows, _LEAST_WEIGHT * len(other.lines))
        if not short:
            self.now = max(self.now, tag) + _RISE * seconds / flows
