"""Servers for the tests of this folder: one for all, and as many of their own as they start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer, StartServer, launch


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests that leave it as it was, ready to read."""
    with launch(tmp_path_factory.mktemp("server")) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="session")
def server_url(server: RunningServer) -> str:
    """The address of the shared server, without a slash at the end."""
    return server.url


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """``start_server(workers=1, ...)`` -> a server of the test's own, listening, perhaps not ready yet."""
    with contextlib.ExitStack() as stack:
        counter = iter(range(100))

        def start(**settings: Any) -> RunningServer:
            folder = tmp_path / f"server-{next(counter)}"
            folder.mkdir()
            return stack.enter_context(launch(folder, **settings))

        yield start
