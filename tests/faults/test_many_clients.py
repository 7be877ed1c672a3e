"""A thousand clients that rest, stop in the middle of a head or a body, or vanish: others are served as ever."""

from __future__ import annotations

import contextlib
import itertools
import resource
import socket
import time

import drawings
import httpx
import psutil
import pytest
import tiny_model
from running_server import RunningServer, StartServer

pytestmark = pytest.mark.timeout(600)

CLIENTS = 1_000
# What each client has sent when it stops: nothing, a part of a head, a head, a part of a body, a whole request.
PICTURE = drawings.encode(tiny_model.draw("0123"))
HEAD = b"POST /api/ocr?mode=line HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)
BEGINNINGS = (b"", b"POST /api/ocr HT", HEAD, HEAD + PICTURE[:60], HEAD + PICTURE)


@pytest.fixture(autouse=True)
def _descriptors() -> None:
    """A thousand connections need as many descriptors here and in the server, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4 * CLIENTS and soft != resource.RLIM_INFINITY:
        wanted = 4 * CLIENTS if hard == resource.RLIM_INFINITY else min(hard, 4 * CLIENTS)
        if wanted < 2 * CLIENTS:
            pytest.skip("too few descriptors are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def read(client: httpx.Client) -> None:
    answer = client.post("/api/ocr?mode=line", content=PICTURE)
    assert (answer.status_code, answer.json().get("text")) == (200, "0123")


def test_a_thousand_clients_hold_nobody_up(start_server: StartServer) -> None:
    server = start_server()
    process = psutil.Process(server.process.pid)
    with httpx.Client(base_url=server.url, timeout=120) as client:
        for _ in range(3):
            read(client)
        before = process.num_fds()
        with contextlib.ExitStack() as stack:
            address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
            for beginning in itertools.islice(itertools.cycle(BEGINNINGS), CLIENTS):
                connection = stack.enter_context(socket.create_connection(address, timeout=60))
                connection.sendall(beginning)
            read(client)
            assert client.get("/livez").status_code == 200
            assert client.get("/readyz").status_code == 200
        read(client)
        until = time.monotonic() + 120
        while process.num_fds() > before + 20 or inside(client):
            assert time.monotonic() < until, (process.num_fds(), before, inside(client))
            time.sleep(0.1)
    assert_no_fault(server)


def test_clients_who_vanish_at_once_leave_nothing_behind(start_server: StartServer) -> None:
    """Each asks and resets its connection at once, so that its answer meets nobody."""
    server = start_server()
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    for beginning in itertools.islice(itertools.cycle(BEGINNINGS), 300):
        with socket.create_connection(address, timeout=60) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(beginning)
    with httpx.Client(base_url=server.url, timeout=120) as client:
        read(client)
        until = time.monotonic() + 120
        while inside(client):
            assert time.monotonic() < until
            time.sleep(0.1)
    assert_no_fault(server)


def inside(client: httpx.Client) -> bool:
    """Whether the service still works for somebody."""
    names = ("ocrsvc_requests_inside", "ocrsvc_lines_outstanding", "ocrsvc_body_bytes_held")
    lines = client.get("/metrics").text.splitlines()
    values = [float(line.split()[1]) for line in lines if line.startswith(names)]
    assert len(values) == len(names)
    return any(values)


def assert_no_fault(server: RunningServer) -> None:
    assert server.process.poll() is None
    assert not [line for line in server.log_lines() if line["level"] in ("error", "critical")]
