"""Counts the random schedules that were played, and says so at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from property.schedules import Simulation


class _Tally:
    schedules = 0
    lines = 0
    runs = 0


_KEY = pytest.StashKey[_Tally]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_KEY] = _Tally()


@pytest.fixture(scope="session")
def count(pytestconfig: pytest.Config) -> Callable[[Simulation], Simulation]:
    """Adds a simulation that was played to the tally, and returns it."""
    tally = pytestconfig.stash[_KEY]

    def add(simulation: Simulation) -> Simulation:
        tally.schedules += 1
        tally.lines += len(simulation.records)
        tally.runs += len(simulation.runs)
        return simulation

    return add


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    tally = config.stash[_KEY]
    if tally.schedules:
        terminalreporter.write_line(
            f"scheduler: {tally.schedules:,} random schedules, {tally.lines:,} lines, {tally.runs:,} engine runs"
        )
