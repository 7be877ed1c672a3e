"""A real nginx with the example of deploy/nginx in front of a real server."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import nginx_proxy
import pytest
from available import missing
from PIL import Image
from running_server import RunningServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def proxy(server: RunningServer) -> Iterator[str]:
    """The address of nginx, which passes requests on to the shared server."""
    try:
        with nginx_proxy.nginx([int(server.url.rpartition(":")[2])]) as port:
            yield f"http://127.0.0.1:{port}"
    except nginx_proxy.NoNginx as error:
        missing(str(error))


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
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", nginx_proxy.EXAMPLE.read_text("utf-8"))
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
