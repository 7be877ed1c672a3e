"""Progress of a running training: a bar on a terminal, otherwise a printed line every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

_EVERY_SECONDS = 15.0


@dataclass(frozen=True)
class Report:
    """State after one step: progress (0 to 1), lines since this process started, smoothed loss, last score.

    ``terms``: parts of the loss by name; ``drawn``: lines drawn since this process started.
    ``left_seconds``: time left of a run by the clock (None: estimated from the pace).
    """

    done: float
    step: int
    lines: int
    loss: float
    score: float | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    drawn: int | None = None
    left_seconds: float | None = None


class Meter:
    """Formatter of reports; ``clock`` returns seconds, as ``time.monotonic``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.began = clock()
        self.first: float | None = None

    def describe(self, report: Report) -> str:
        """Return step, lines/s, loss, score and time left, estimated from the pace of this process."""
        passed = max(self.clock() - self.began, 1e-6)
        if self.first is None:
            self.first = report.done
        words = [f"step {report.step}", f"{report.lines / passed:.0f} lines/s", f"loss {report.loss:.3f}"]
        if report.drawn is not None:
            words.insert(2, f"{report.drawn / passed:.0f} drawn/s")
        words += [f"{name} {value:.3f}" for name, value in report.terms.items()]
        if report.score is not None:
            words.append(f"dev {report.score:.3f}")
        if report.left_seconds is not None:
            words.append(f"{spoken(max(0.0, report.left_seconds))} left")
        elif report.done > self.first:
            words.append(f"{spoken(passed * (1 - report.done) / (report.done - self.first))} left")
        return " · ".join(words)


def spoken(seconds: float) -> str:
    """Return a duration as ``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


@contextmanager
def shown(every_seconds: float = _EVERY_SECONDS) -> Iterator[Callable[[Report], None]]:
    """Yield a function to call after each step; it moves a bar on a terminal, otherwise it prints at intervals."""
    meter = Meter()
    if sys.stdout.isatty():
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        with Progress(BarColumn(), TaskProgressColumn(), TextColumn("{task.description}")) as bar:
            task = bar.add_task("drawing the first lines", total=1.0)
            yield lambda report: bar.update(task, completed=report.done, description=meter.describe(report))
        return
    last = meter.began

    def write(report: Report) -> None:
        nonlocal last
        if meter.first is None or meter.clock() - last >= every_seconds:
            text = meter.describe(report)
            last = meter.clock()
            print(f"{report.done:4.0%} {text}", flush=True)

    yield write
