"""The real server as a process of its own, with the real models.

Not in a conftest.py: of several modules of that name, an import finds whichever was loaded last.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from available import model_name

START_SECONDS = (
    300.0  # seconds, but not on a machine that is busy with others; the timeout of each test ends it sooner
)
SERVE = (sys.executable, "-m", "ocrsvc", "serve")
_LISTENING = re.compile(r"running on (http://[^\s\"]+)")


@dataclass(frozen=True)
class RunningServer:
    """One ``ocrsvc serve`` process; standard output and error go to ``log_path``."""

    url: str
    process: subprocess.Popen[bytes]
    log_path: Path

    def log_text(self) -> str:
        """Everything that the process has printed."""
        return self.log_path.read_text(encoding="utf-8")

    def log_lines(self) -> list[dict[str, Any]]:
        """The log, line by line; fails if a line is not JSON."""
        return [json.loads(line) for line in self.log_text().splitlines()]

    def lines_of(self, request_id: str) -> list[dict[str, Any]]:
        """The lines about one request, waiting a little for the first."""
        for _ in range(100):
            if found := [line for line in self.log_lines() if line.get("request_id") == request_id]:
                return found
            time.sleep(0.02)
        return []

    def wait_until_ready(self) -> None:
        """Return once /readyz says so; fails if the process ends or takes too long."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            time.sleep(0.1)
        pytest.fail(f"not ready after {START_SECONDS} s:\n{self.log_text()}")

    def stop(self) -> int:
        """Send SIGTERM and return the exit status; kills the process if it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Return the exit status of a process that was told to stop; kills it if it does not end."""
        try:
            return self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


StartServer = Callable[..., RunningServer]


@contextlib.contextmanager
def launch(folder: Path, *, command: Sequence[str] = SERVE, **settings: object) -> Iterator[RunningServer]:
    """Start a server on a free port and yield it once it listens; it is stopped at the end.

    ``settings`` are fields of Settings, for example ``workers=1``.
    """
    log_path = folder / "server.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OCRSVC_")}
    chosen = {"model": model_name(), "host": "127.0.0.1", "port": 0, **settings}
    environment |= {f"OCRSVC_{name.upper()}": str(value) for name, value in chosen.items()}
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    server: RunningServer | None = None
    try:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            if found := _LISTENING.search(log_path.read_text(encoding="utf-8")):
                server = RunningServer(found[1], process, log_path)
                break
            time.sleep(0.05)
        if server is None:
            pytest.fail(f"the server does not listen:\n{log_path.read_text(encoding='utf-8')}")
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
