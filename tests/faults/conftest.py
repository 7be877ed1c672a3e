"""Servers and models for the tests of faults: the tiny model, whose texts are known, in the real server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serving
import tiny_model
from running_server import RunningServer, StartServer, launch


@pytest.fixture(scope="package")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model and the real detector."""
    return tiny_model.write_with_detector(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="package")
def bench_server(models_dir: Path) -> Iterator[serving.Server]:
    """One server with the tiny model for the benches that leave it as it was."""
    patient: dict[str, Any] = {
        "deadline_seconds": 600,
        "max_queue_seconds": 600,
    }  # however busy the machine is
    with serving.ours(model="tiny", models_dir=models_dir, detector_side_pixels=320, **patient) as running:
        yield running


@pytest.fixture
def start_server(tmp_path: Path, models_dir: Path) -> Iterator[StartServer]:
    """``start_server(workers=1, ...)`` -> a server of the test's own with the tiny model, ready to read."""
    with contextlib.ExitStack() as stack:
        counter = iter(range(100))

        def start(**settings: Any) -> RunningServer:
            folder = tmp_path / f"server-{next(counter)}"
            folder.mkdir()
            chosen = {"model": "tiny", "models_dir": models_dir, "detector_side_pixels": 320, **settings}
            server = stack.enter_context(launch(folder, **chosen))
            server.wait_until_ready()
            return server

        yield start
