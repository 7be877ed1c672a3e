"""How the real server ends: at signals, when its event loop is dead, and when a run of a model hangs."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest
from running_server import RunningServer, StartServer, launch

pytestmark = pytest.mark.timeout(240)

# The command itself; at SIGUSR1 its event loop, or a run of a model, hangs.
HANGING = """
import asyncio, signal, sys, time
from ocrsvc.commands import cli
from ocrsvc.reading.sessions import Sessions
from ocrsvc.service.state import Service

hang_loop = sys.argv[1] == "loop"
hanging = False
start, run = Service.start, Sessions.run

async def begin(self, **options):
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, hang)
    await start(self, **options)

def hang():
    global hanging
    if hang_loop:
        while True:
            time.sleep(0.01)
    hanging = True
    print('{"event": "runs hang from now on"}', flush=True)

def slow_run(self, lane, payloads):
    while hanging:
        time.sleep(0.01)
    return run(self, lane, payloads)

Service.start, Sessions.run = begin, slow_run
sys.exit(cli.main(["serve"]))
"""


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    script = tmp_path / "hanging.py"
    script.write_text(HANGING)
    return script


PICTURE = Path(__file__).parents[2] / "docs" / "page.png"


def hang(server: RunningServer) -> socket.socket:
    """From now on runs of models hang; a connection with a request that waits for one."""
    server.process.send_signal(signal.SIGUSR1)
    while "runs hang from now on" not in server.log_text():
        time.sleep(0.05)
    body = PICTURE.read_bytes()
    client = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
    client.sendall(b"POST /api/ocr?mode=line HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
    client.sendall(body)
    return client


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_wait(tmp_path: Path, hanging: Path, second: signal.Signals) -> None:
    command = [sys.executable, str(hanging), "run"]
    with launch(tmp_path, command=command, watchdog_seconds=0, drain_seconds=500) as server:
        server.wait_until_ready()
        with hang(server):
            while "ocrsvc_requests_inside 1.0" not in httpx.get(f"{server.url}/metrics", timeout=60).text:
                time.sleep(0.05)
            server.process.send_signal(signal.SIGTERM)
            while "Waiting for connections to close" not in server.log_text():
                time.sleep(0.05)
            time.sleep(1.5 if second == signal.SIGTERM else 0)
            server.process.send_signal(second)
            assert server.wait() == 128 + second


def test_two_signals_at_the_same_time_are_one(start_server: StartServer) -> None:
    server = start_server()
    server.wait_until_ready()
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 0


def test_a_dead_event_loop_ends_the_process(tmp_path: Path, hanging: Path) -> None:
    command = [sys.executable, str(hanging), "loop"]
    with launch(tmp_path, command=command, watchdog_seconds=20) as server:
        server.wait_until_ready()
        server.process.send_signal(signal.SIGUSR1)
        assert server.process.wait(timeout=100) == 70
        entry = next(entry for entry in server.log_lines() if "event loop is dead" in entry["event"])
        assert "in hang" in entry["stack"]


def test_a_run_that_hangs_ends_the_process(tmp_path: Path, hanging: Path) -> None:
    command = [sys.executable, str(hanging), "run"]
    with launch(tmp_path, command=command, watchdog_seconds=20) as server:
        server.wait_until_ready()
        with hang(server) as client, contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""  # no answer, but the end of the connection
        assert server.process.wait(timeout=100) == 70
        assert any("a run is stuck" in entry["event"] for entry in server.log_lines())


def test_the_probes_of_a_start(start_server: StartServer) -> None:
    server = start_server()

    def statuses() -> list[int]:
        paths = ("startupz", "livez", "readyz")
        return [httpx.get(f"{server.url}/{path}", timeout=60).status_code for path in paths]

    seen = [statuses()]
    assert seen[0] == [503, 200, 503]
    while seen[-1] != [200, 200, 200]:
        seen.append(statuses())
        assert seen[-1][1] == 200
    assert server.stop() == 0
