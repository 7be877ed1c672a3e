"""Ends the process if its event loop is dead or work is stuck, so that a supervisor starts another.

Load never does that: the loop says every half second that it is alive, and what is called stuck takes a thousand times
as long as it should.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable

from ocrsvc.machine.processes import STUCK_STATUS

logger = logging.getLogger("ocrsvc.service.watchdog")

TICK_SECONDS = 1.0


def leave() -> None:
    """Write the log out and end the process with the status that asks for a restart."""
    logging.shutdown()
    os._exit(STUCK_STATUS)


class Watchdog:
    """Thread that looks once a second. ``beat`` is called by the event loop, ``start`` and ``stop`` by any thread.

    The patience is counted in looks, not read from a clock: a process that was suspended, or a whole machine, must not
    be ended when it wakes up.
    """

    def __init__(
        self,
        patience_seconds: float,
        *,
        leave: Callable[[], None] = leave,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._most_looks = max(1, round(patience_seconds / tick_seconds))
        self._patience_seconds = patience_seconds
        self._leave = leave
        self._tick_seconds = tick_seconds
        self._missed = 0
        self._stuck_seconds = 0.0
        self._watched = 0
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to watch the thread that calls this, whose event loop calls ``beat`` from now on."""
        self._watched = threading.get_ident()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._ended.set()

    def beat(self, stuck_seconds: float) -> None:
        """Say that the event loop is alive, and for how long its oldest run or decoding has been going on."""
        self._missed = 0
        self._stuck_seconds = stuck_seconds

    def _watch(self) -> None:
        while not self._ended.wait(self._tick_seconds):
            self._missed += 1
            if self._missed > self._most_looks:
                frame = sys._current_frames().get(self._watched)
                stack = "".join(traceback.format_stack(frame)) if frame else ""
                logger.critical("the event loop is dead: leaving", extra={"stack": stack})
            elif self._stuck_seconds > self._patience_seconds:
                logger.critical("a run is stuck: leaving", extra={"seconds": round(self._stuck_seconds, 1)})
            else:
                continue
            self._leave()
            return
