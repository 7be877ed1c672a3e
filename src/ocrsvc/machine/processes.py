"""Runs several processes behind one port, each on its own CPUs: `ocrsvc serve --processes-per-numa-node`.

A process whose threads stay on one NUMA node has its weights, activations and pictures in that node's memory: Linux
places a page on the node of the thread that first writes it. The parent only starts the processes, forwards signals
and restarts processes that were killed or stuck.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from ocrsvc.machine import cgroup, cpu

logger = logging.getLogger("ocrsvc.machine.processes")

STUCK_STATUS = (
    70  # of a process that ends because it is stuck or broken: start another (EX_SOFTWARE of sysexits.h)
)
SAME_SIGNAL_SECONDS = (
    1.0  # a SIGTERM so soon after another one is the same, sent by a supervisor and by the parent
)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MOST_RESTARTS, _WINDOW_SECONDS = 5, 60.0
_TICK_SECONDS = 1.0  # longest wait for processes, because a signal does not end the wait
_KILL_AFTER_SECONDS = 5.0  # after the grace time, within which processes should end


@dataclass(frozen=True, slots=True)
class Place:
    """Hardware threads of one process and the limit on its workers, None for no limit."""

    cpus: tuple[int, ...]
    workers: int | None = None


def places(
    per_node: int, *, workers: int | None = None, root: Path = Path("/"), cpus: Collection[int] | None = None
) -> list[Place]:
    """Return ``per_node`` places on each NUMA node, which split its hardware threads and the cgroup's quota.

    ``workers``: upper limit for each place; ``root`` and ``cpus``: as in cpu.inspect. ValueError if a node has fewer
    hardware threads than places.
    """
    found: list[tuple[int, ...]] = []
    for node in cpu.numa_nodes(root, cpus):
        if len(node) < per_node:
            raise ValueError(f"{per_node} processes do not fit a NUMA node of {len(node)} hardware threads")
        ends = [len(node) * index // per_node for index in range(per_node + 1)]
        found += [tuple(node[start:end]) for start, end in itertools.pairwise(ends)]
    quota = cgroup.quota(root)
    share = max(1, int(quota / len(found))) if quota else None
    return [Place(part, min(filter(None, (workers, share)), default=None)) for part in found]


class Processes:
    """One process for each place, its work pickled. After a signal, processes have ``grace_seconds`` to end."""

    def __init__(self, works: Sequence[tuple[Place, Callable[[], None]]], *, grace_seconds: float) -> None:
        self._works = works
        self._grace_seconds = grace_seconds
        self._running: dict[int, SpawnProcess] = {}
        self._restarts: list[float] = []
        self._kill_at: float | None = None
        self._told_at = 0.0

    def run(self) -> int:
        """Run until all have ended; return 0 after a signal if none failed, else the first failure's status."""
        previous = {each: signal.signal(each, self._told) for each in _SIGNALS}
        status = 0
        try:
            for index in range(len(self._works)):
                self._start(index)
            while self._running:
                connection.wait([each.sentinel for each in self._running.values()], _TICK_SECONDS)
                for index, process in list(self._running.items()):
                    if process.exitcode is not None:
                        del self._running[index]
                        status = status or self._ended(index, process.exitcode)
                if self._kill_at and time.monotonic() > self._kill_at:
                    self._send(signal.SIGKILL)
        finally:
            for each, handler in previous.items():
                signal.signal(each, signal.SIG_IGN if self._kill_at else handler)
        return status

    def _start(self, index: int) -> None:
        place, work = self._works[index]
        context = multiprocessing.get_context("spawn")
        # A daemon, so that it ends with this process in any case.
        process = context.Process(target=_begin, args=(place, work), daemon=True)
        process.start()
        self._running[index] = process
        logger.info("process started", extra={"pid": process.pid, "cpus": place.cpus})
        if self._kill_at:  # the signal came while it was being started
            process.terminate()

    def _ended(self, index: int, status: int) -> int:
        """Restart a process that was killed, or give up; return the contribution to the exit status."""
        if self._kill_at:
            return 0 if status in (0, -signal.SIGTERM) else max(1, status)
        now = time.monotonic()
        self._restarts = [each for each in self._restarts if each > now - _WINDOW_SECONDS]
        about = {"status": status, "cpus": self._works[index][0].cpus}
        if (status > 0 and status != STUCK_STATUS) or len(self._restarts) == _MOST_RESTARTS:
            # It failed at start, as a restarted one would, or processes are killed or stuck repeatedly.
            logger.error("a process has ended: giving up", extra=about)
            self._stop()
            return max(1, status)
        logger.error("a process was killed or stuck: starting another", extra=about)
        self._restarts.append(now)
        self._start(index)
        return 0

    def _told(self, sig: int, frame: FrameType | None) -> None:
        if not self._kill_at:
            self._told_at = time.monotonic()
            self._stop()
        elif sig == signal.SIGINT or time.monotonic() - self._told_at > SAME_SIGNAL_SECONDS:
            self._send(sig)  # a second signal ends the grace time

    def _stop(self) -> None:
        self._kill_at = time.monotonic() + self._grace_seconds + _KILL_AFTER_SECONDS
        self._send(signal.SIGTERM)

    def _send(self, sig: int) -> None:
        for process in list(self._running.values()):
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, sig)


def _begin(place: Place, work: Callable[[], None]) -> None:
    """Set up a new process and run its work; threads made later inherit its CPUs."""
    os.sched_setaffinity(0, place.cpus)
    os.setpgrp()  # so that Ctrl-C reaches only the parent, which forwards it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
