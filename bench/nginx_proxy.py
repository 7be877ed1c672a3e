"""A real nginx with the example of deploy/nginx in front of servers of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import exchange
import serving

EXAMPLE = Path(__file__).parents[1] / "deploy" / "nginx" / "ocrsvc.conf"
_LISTEN, _SERVER = "listen 80;", "server 127.0.0.1:8000 "
_AROUND = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/ocrsvc.conf;
}}
"""
_START_SECONDS = 60.0


class NoNginx(Exception):
    """nginx is not installed."""


@contextmanager
def nginx(ports: Sequence[int]) -> Iterator[int]:
    """Give the port of an nginx that passes requests on to servers on these ports of localhost."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise NoNginx("no nginx: install nginx")
    port = serving.free_port()
    with tempfile.TemporaryDirectory(prefix="nginx-") as name:
        folder = Path(name)
        (folder / "ocrsvc.conf").write_text(_changed(EXAMPLE.read_text("utf-8"), port, ports))
        (folder / "nginx.conf").write_text(_AROUND.format(folder=folder))
        command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        subprocess.run([*command, "-t"], check=True, capture_output=True)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(process, folder / "log", port)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=20)


def _changed(example: str, port: int, ports: Sequence[int]) -> str:
    """Return the example with this port and these servers, and nothing else changed."""
    (line,) = [line for line in example.splitlines() if _SERVER in line]
    servers = "\n".join(line.replace(_SERVER, f"server 127.0.0.1:{each} ") for each in ports)
    if example.count(_LISTEN) != 1:
        raise ValueError("the example listens on another port")
    return example.replace(_LISTEN, f"listen 127.0.0.1:{port};").replace(line, servers)


def _wait(process: subprocess.Popen[bytes], log: Path, port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while serving.ask(port, exchange.request(b"", "/livez", method="GET", Connection="close"))[0] == 0:
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"nginx did not start:\n{log.read_text('utf-8')}")
        time.sleep(0.05)
