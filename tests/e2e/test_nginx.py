"""A real nginx with the example of deploy/nginx in front of a real server."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from available import missing
from PIL import Image
from running_server import RunningServer

pytestmark = pytest.mark.timeout(180)

EXAMPLE = Path(__file__).parents[2] / "deploy" / "nginx" / "ocrsvc.conf"
AROUND = """
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


@pytest.fixture(scope="module")
def proxy(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx, which passes requests on to the shared server."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        missing("no nginx: install nginx")
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    example = EXAMPLE.read_text("utf-8")
    changed = example.replace("listen 80;", f"listen 127.0.0.1:{port};")
    changed = changed.replace("server 127.0.0.1:8000 ", f"server {server.url.removeprefix('http://')} ")
    assert changed.count("127.0.0.1:") == example.count("127.0.0.1:") + 1
    (folder / "ocrsvc.conf").write_text(changed)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/livez")
                break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_a_request_passes_with_its_id(
    proxy: str, draw_line: Callable[..., Any], png: Callable[..., bytes]
) -> None:
    line = png(draw_line("No. 24417"))
    with httpx.Client(base_url=proxy, timeout=60) as client:
        for offered in ("mine-1", "not mine"):
            answer = client.post("/api/ocr", content=line, headers={"X-Request-ID": offered})
            assert "24417" in answer.json()["text"]
            given = answer.headers["x-request-id"]
            assert given == offered if offered == "mine-1" else re.fullmatch("[0-9a-f]{32}", given)
        assert client.get("/readyz").status_code == 200
        assert "ocrsvc_ready 1.0" in client.get("/metrics").text


def test_the_service_itself_refuses_large_bodies(proxy: str) -> None:
    """Its answer says which limit; nginx has none below the largest that a route takes, and stops the others unread."""
    answer = httpx.post(f"{proxy}/api/ocr", content=bytes(21 * 2**20), timeout=60)
    assert (answer.status_code, answer.json()["max_bytes"]) == (413, 20 * 2**20)
    with socket.create_connection(("127.0.0.1", int(proxy.rpartition(":")[2])), timeout=30) as connection:
        connection.sendall(b"POST /api/ocr HTTP/1.1\r\nHost: x\r\nContent-Length: 300000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_the_largest_body_of_a_route_is_that_of_the_example(server: RunningServer) -> None:
    limits = httpx.get(f"{server.url}/api/options").json()["limits"]
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", EXAMPLE.read_text("utf-8"))
    assert int(megabytes) * 2**20 >= max(value for name, value in limits.items() if name.endswith("_bytes"))


def test_events_come_while_the_job_runs(
    proxy: str, server: RunningServer, draw_page: Callable[..., Any]
) -> None:
    """If nginx kept them back, the first would arrive with the end of the job."""
    page = Image.fromarray(draw_page().image)
    document = io.BytesIO()
    page.save(document, "TIFF", save_all=True, append_images=[page] * 40, compression="tiff_lzw")
    job = httpx.post(f"{proxy}/api/jobs?mode=page", content=document.getvalue(), timeout=60).json()["id"]
    events = {"Accept": "text/event-stream"}
    with httpx.stream("GET", f"{proxy}/api/jobs/{job}/events", headers=events, timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event:"))
        assert httpx.get(f"{server.url}/api/jobs/{job}").json()["state"] in ("queued", "running")
        assert httpx.delete(f"{proxy}/api/jobs/{job}", timeout=60).status_code == 204
        assert any("cancelled" in line for line in lines)
