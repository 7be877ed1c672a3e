"""The watchdog as a thread beside a real event loop, with looks of a few milliseconds."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from ocrsvc.service.watchdog import Watchdog

TICK_SECONDS = 0.01


class Leaving:
    """What the watchdog calls in place of the end of the process."""

    def __init__(self) -> None:
        self.called = threading.Event()

    def __call__(self) -> None:
        self.called.set()


async def test_a_loop_that_beats_is_left_alone() -> None:
    leave = Leaving()
    watchdog = Watchdog(1.0, leave=leave, tick_seconds=TICK_SECONDS)
    watchdog.start()
    for _ in range(50):
        watchdog.beat(0.9)
        await asyncio.sleep(TICK_SECONDS)
    watchdog.stop()
    assert not leave.called.is_set()


async def test_a_dead_loop_is_noticed_and_its_stack_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    leave = Leaving()
    watchdog = Watchdog(0.2, leave=leave, tick_seconds=TICK_SECONDS)
    watchdog.beat(0.0)
    watchdog.start()

    def endless_callback() -> None:
        while not leave.called.is_set():
            time.sleep(0.001)

    endless_callback()
    assert "dead" in caplog.messages[0]
    assert "endless_callback" in vars(caplog.records[0])["stack"]


async def test_a_stuck_run_is_noticed_although_the_loop_is_alive(caplog: pytest.LogCaptureFixture) -> None:
    leave = Leaving()
    watchdog = Watchdog(100.0, leave=leave, tick_seconds=TICK_SECONDS)
    watchdog.start()
    while not leave.called.is_set():
        watchdog.beat(100.5)
        await asyncio.sleep(TICK_SECONDS)
    assert "stuck" in caplog.messages[0]
