"""Servers, ours and others', as processes of their own: their start, CPU time, memory and end."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

_START_SECONDS = 600.0  # it takes few, but not on a machine that is busy with others
_STOP_SECONDS = 40.0  # for the process itself
_REST_SECONDS = 3.0  # for what it leaves behind
_ANSWER_SECONDS = 60.0
_PAUSE_SECONDS = 0.05  # between two looks at a server that starts
BENCH = Path(__file__).parent

Probe = Callable[[int], bool]  # whether the server on this port is ready


@dataclass(frozen=True)
class Server:
    """A running server on a port of localhost; ``log`` is the file that it prints to."""

    port: int
    process: psutil.Process
    log: IO[bytes] | None = None

    def tree(self) -> list[psutil.Process]:
        """Return the process and all below it."""
        return tree(self.process)

    def cpu_seconds(self) -> float:
        """Return the CPU time so far, user and system, of all processes that live."""
        return cpu_seconds(self.process)

    def log_text(self) -> str:
        """Return what the server has printed so far."""
        if self.log is None:
            return ""
        # Reading must not move the place at which the server goes on writing, which both share.
        descriptor = self.log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode("utf-8", "replace")

    def rss_bytes(self) -> int:
        """Return the resident memory of all processes. Pages that they share count in each."""
        return int(_sum(self.process, lambda process: float(process.memory_info().rss)))


def tree(root: psutil.Process) -> list[psutil.Process]:
    """Return a process and all below it."""
    return [root, *root.children(recursive=True)]


def cpu_seconds(root: psutil.Process) -> float:
    """Return the CPU time so far, user and system, of a process and of all below it that live."""
    return _sum(root, lambda process: float(sum(process.cpu_times()[:2])))


def _sum(root: psutil.Process, figure: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for process in tree(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += figure(process)
    return total


@contextlib.contextmanager
def ours(
    program: Sequence[str] = ("-m", "ocrsvc", "serve"),
    *,
    processes: int = 1,
    port: int | None = None,
    **settings: object,
) -> Iterator[Server]:
    """Give our server, ready to read. ``program`` is what Python runs.

    ``settings`` are fields of Settings. Variables OCRSVC_* of this process hold too. More ``processes`` than one
    share the port, each with its part of the cores. ``port``: a free one, if None.
    """
    port = port or free_port(following=processes if processes > 1 else 0)  # a port of its own for each
    chosen = {"host": "127.0.0.1", "port": port, **settings}
    environment = {
        f"OCRSVC_{name.upper()}": str(value) for name, value in chosen.items() if value is not None
    }
    command = [sys.executable, *program]
    if processes > 1:
        command += ["--processes-per-numa-node", str(processes)]
    with started(command, port, environment, is_ready) as server:
        yield server


@contextlib.contextmanager
def peer(module: str, arguments: Sequence[str], probe: bytes) -> Iterator[Server]:
    """Give a service of bench/peers, such as ``naive_flask``, once it answers the request ``probe`` with 200."""
    port = free_port()
    command = [sys.executable, "-m", f"peers.{module}", "--port", str(port), *arguments]
    paths = [str(BENCH), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"PYTHONPATH": os.pathsep.join(paths)}
    with started(command, port, environment, lambda port: ask(port, probe)[0] == 200) as server:
        yield server


@contextlib.contextmanager
def started(
    command: Sequence[str], port: int, environment: Mapping[str, str], probe: Probe
) -> Iterator[Server]:
    """Give the server of this command once ``probe`` holds.

    SystemExit with what it printed if it ends early or takes too long. At the end it gets SIGTERM, and what is left
    of its processes SIGKILL.
    """
    with tempfile.TemporaryFile() as log:
        popen = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        server = Server(port, psutil.Process(popen.pid), log)
        try:
            _wait(popen, log, port, probe)
            yield server
        finally:
            _stop(popen, server)


def _wait(popen: subprocess.Popen[bytes], log: IO[bytes], port: int, probe: Probe) -> None:
    until = time.monotonic() + _START_SECONDS
    while not probe(port):
        if popen.poll() is not None or time.monotonic() > until:
            log.seek(0)
            said = log.read().decode("utf-8", "replace")[-3000:]
            raise SystemExit(f"{' '.join(map(str, popen.args))} did not get ready:\n{said}")  # type: ignore[arg-type]
        time.sleep(_PAUSE_SECONDS)


def _stop(popen: subprocess.Popen[bytes], server: Server) -> None:
    tree = server.tree() if popen.poll() is None else []
    if popen.poll() is None:
        popen.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        popen.wait(_STOP_SECONDS)
    _, left = psutil.wait_procs(tree, timeout=_REST_SECONDS)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=_REST_SECONDS)
    popen.wait()


def free_port(following: int = 0) -> int:
    """Return a port of localhost that is free, as are the ``following`` ones after it."""
    while True:
        with contextlib.ExitStack() as taken:
            first = taken.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):  # taken, or beyond the last one: try elsewhere
                for number in range(port + 1, port + 1 + following):
                    taken.enter_context(socket.socket()).bind(("127.0.0.1", number))
                return port


def is_ready(port: int) -> bool:
    """Return whether /readyz says 200."""
    return ask(port, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")[0] == 200


def ask(port: int, content: bytes) -> tuple[int, bytes]:
    """Return status and body of the answer to a whole request, or (0, b"") if nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(content)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
