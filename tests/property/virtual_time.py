"""An asyncio event loop whose clock is a number, and an executor without threads: no test ever sleeps.

Time moves only when nothing is left to do, straight to the next timer; a loop that waits for nothing at all raises
Hung instead of hanging, so a lost wake-up is a failure and not a time-out.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class HungError(Exception):
    """Every task waits and no timer is set: nothing would ever happen again."""


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.quiet: Callable[[], None] | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)  # the loop's own wake-up pipe
        if ready or timeout == 0:
            return ready
        if self.quiet is not None:
            self.quiet()
        if timeout is None:
            raise HungError("all tasks wait and no timer is set")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """``quiet`` is called whenever the loop has nothing to do at the present time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def on_quiet(self, call: Callable[[], None]) -> None:
        self._virtual.quiet = call


class VirtualExecutor(Executor):
    """Runs each call at once, and delivers its outcome after the virtual time that ``last_seconds`` says it took."""

    def __init__(self, loop: VirtualLoop, last_seconds: Callable[[], float]) -> None:
        self._loop = loop
        self._last_seconds = last_seconds
        self.running = 0
        self.peak = 0

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            deliver, outcome = future.set_result, call(*args, **kwargs)
        except Exception as error:
            deliver, outcome = future.set_exception, error  # type: ignore[assignment]

        def finish() -> None:
            self.running -= 1
            deliver(outcome)

        self._loop.call_later(self._last_seconds(), finish)
        return future
