"""Whose lines go next: fair queueing by the time that each reading costs.

Follows "Start-time Fair Queueing" (Goyal, Vin, Cheng, SIGCOMM 1996): work has a tag, the moment at which it begins on
a clock that only work moves, and the lowest tag goes first, so that all who want more than there is get equal shares.
Two levels, as in the paper's section 3: short readings and long ones share the workers in proportion to how many
they are, but neither gets less than a quarter; among themselves the short ones go in the order of arrival, the long
ones by their tags.

What the paper calls a packet is here a turn of up to ``_TURN_SECONDS`` of one reading's work, because equal shares line
by line would end sixty pages all at once and all late: a page goes from its detector to its last line before the next
one begins, while a document of fifty pages goes behind the others after each turn.

The paper's flows last, ours end with the reading, and whoever comes new begins at the present time of the clock: an
endless row of pages that need one turn each would hold that time still, and a second turn would never come. So the
clock also rises by half of what each run gives every reading on average; half, lest it runs ahead of what they got.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

_TURN_SECONDS = 5.0  # what a page of 150 long lines costs; a document keeps others waiting no longer
_RISE = 0.5
_LEAST_WEIGHT = (
    1 / 3
)  # of the other kind's: each kind has at least a quarter of the workers while it wants it
_ALONE_RUNS = 10.0  # a long line is cut in pieces, each of which may take longer than a run should


@dataclass(slots=True, eq=False)
class Flow:
    """One reading, as the scheduler sees it. ``seconds`` is the estimated work of all lines that it has brought.

    ``alone``: it is a picture of one line. Its turn has the tag ``start``, holds ``left`` seconds more, and ends on the
    clock at ``finish``. ``number`` counts flows as they come.
    """

    alone: bool = False
    number: int = -1
    start: float = 0.0
    finish: float = 0.0
    left: float = 0.0
    seconds: float = 0.0

    def is_short(self, more: float, run: float) -> bool:
        """Whether with ``more`` seconds of work it is a short reading, where a run takes up to ``run`` seconds."""
        return self.seconds + more <= run * (_ALONE_RUNS if self.alone else 1)


@dataclass(slots=True)
class Share:
    """One of the two kinds of readings: how many lines of each are inside, and what all had on the workers' clock."""

    lines: dict[Flow, int] = field(default_factory=dict)
    finish: float = 0.0

    def enter(self, flow: Flow) -> None:
        """A line is queued."""
        self.lines[flow] = self.lines.get(flow, 0) + 1

    def leave(self, flow: Flow) -> None:
        """A line has ended."""
        self.lines[flow] -= 1
        if not self.lines[flow]:
            del self.lines[flow]


@dataclass(slots=True)
class FairClock:
    """Gives lines their tags and says which kind of readings is next. ``now``, the long ones' clock, never falls.

    While a line with tag T waits that came at V, long runs move the clock past T once they have cost
    ``n (T - V) / 0.5`` seconds, n the number of long readings; who comes later than that stands behind it.
    """

    now: float = 0.0
    short: Share = field(default_factory=Share)
    long: Share = field(default_factory=Share)
    _both: float = 0.0  # the clock of the two shares
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def flows(self) -> int:
        """How many readings have lines queued or running."""
        return len(self.short.lines.keys() | self.long.lines.keys())

    def share(self, *, short: bool) -> Share:
        """The share that lines of short, or of long, readings belong to."""
        return self.short if short else self.long

    def tag(self, flow: Flow, seconds: float) -> float:
        """The tag of the flow's next line, which will take ``seconds``."""
        if flow.number < 0:
            flow.number = next(self._numbers)
        if flow.left <= 0:
            flow.start = flow.finish = max(self.now, flow.finish)
            flow.left = _TURN_SECONDS
        flow.left -= seconds
        flow.finish += seconds
        return flow.start

    def short_first(self) -> bool:
        """Whether the next run is the short ones', if both kinds wait."""
        return max(self._both, self.short.finish) <= max(self._both, self.long.finish)

    def serve(self, tag: float, seconds: float, *, short: bool) -> None:
        """A run of ``seconds`` begins whose first line in order has this tag."""
        share, other = self.share(short=short), self.share(short=not short)
        flows = max(1, len(share.lines))
        self._both = max(self._both, share.finish)
        share.finish = self._both + seconds / max(flows, _LEAST_WEIGHT * len(other.lines))
        if not short:
            self.now = max(self.now, tag) + _RISE * seconds / flows
