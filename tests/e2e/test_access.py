"""Real servers that ask for keys, over real connections."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from running_server import RunningServer, StartServer, launch

KEY, OTHER = "s3cret-of-the-shop-0001", "s3cret-of-the-till-0002"
NEXT_KEY, OTHER_KEY = "nextnextnextnextnextnext", "otherotherotherotherother"
EVERYWHERE = "0.0.0.0"  # noqa: S104
OPEN = (
    "/",
    "/livez",
    "/readyz",
    "/startupz",
    "/static/app.js",
    "/docs",
    "/openapi.json",
    "/problems/unauthorized",
)
CLOSED = ("/metrics", "/api/options", "/api/models", "/api/jobs/x", "/nothing-here")


@pytest.fixture(scope="module")
def keys_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(f"shop {KEY}\nshop {NEXT_KEY}\nbank {OTHER_KEY}\n")
    return path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, keys_path: Path) -> Iterator[RunningServer]:
    """A server with two keys of one client and one of another, which pages of one other site may use."""
    folder = tmp_path_factory.mktemp("guarded")
    with launch(folder, api_keys_file=keys_path, cors_origins="https://app.example.org") as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def line(draw_line: Callable[..., Any], png: Callable[..., bytes]) -> bytes:
    return png(draw_line("2026-11-27"))


def exchange(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send these bytes; the status, the headers and the body of the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
            head, separator, body = received.partition(b"\r\n\r\n")
            if separator:
                names = {
                    name.lower(): value
                    for name, _, value in (
                        row.partition(": ") for row in head.decode("latin-1").split("\r\n")[1:]
                    )
                }
                if len(body) >= int(names.get("content-length", 1 << 30)):
                    return int(head.split()[1]), names, body
    raise AssertionError(f"no whole answer: {received!r}")


def test_open_paths_need_no_key(guarded: RunningServer) -> None:
    for path in OPEN:
        assert httpx.get(guarded.url + path).status_code == 200, path
    assert httpx.head(f"{guarded.url}/readyz").status_code == 200


@pytest.mark.parametrize("path", CLOSED)
def test_all_others_need_one(guarded: RunningServer, path: str) -> None:
    status, headers, body = exchange(
        guarded.url, f"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert status == 401
    assert headers["www-authenticate"] == 'Bearer realm="ocrsvc"'
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["type"] == "/problems/unauthorized"
    assert json.loads(body)["request_id"] == headers["x-request-id"]


def test_a_path_that_climbs_out_of_an_open_folder_is_no_way_in(guarded: RunningServer) -> None:
    for path in (
        "/docs/../api/options",
        "/static/../api/options",
        "/static/%2e%2e/api/options",
        "//api/options",
    ):
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        assert exchange(guarded.url, request.encode())[0] in (401, 404)


def test_a_body_is_refused_before_it_has_come(guarded: RunningServer) -> None:
    head = b"POST /api/ocr HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 15000000\r\n\r\n"
    status, _, _ = exchange(guarded.url, head)
    assert status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer   {KEY}"},
        {"X-API-Key": KEY},
        {"X-API-Key": KEY, "Authorization": "Basic dXNlcjpwYXNz"},  # of a proxy
    ],
)
def test_a_key_lets_in(guarded: RunningServer, headers: dict[str, str], line: bytes) -> None:
    answer = httpx.post(f"{guarded.url}/api/ocr?mode=line", content=line, headers=headers, timeout=60)
    assert answer.status_code == 200
    assert "".join(answer.json()["text"].split()) == "2026-11-27"
    entry = guarded.lines_of(answer.headers["x-request-id"])[0]
    assert entry["client"] == "shop"
    assert KEY not in guarded.log_text()


@pytest.mark.parametrize(
    "value",
    ["Bearer wrong-key-0123456789", f"Bearer {KEY}x", f"Basic {KEY}", "Bearer", f"Bearer {KEY} {KEY}"],
)
def test_a_wrong_key_does_not(guarded: RunningServer, value: str) -> None:
    answer = httpx.get(f"{guarded.url}/api/options", headers={"Authorization": value})
    assert answer.status_code == 401
    known = value.startswith("Bearer ")
    assert ('error="invalid_token"' in answer.headers["www-authenticate"]) is known
    odd = exchange(
        guarded.url,
        b"GET /api/options HTTP/1.1\r\nHost: x\r\nX-API-Key: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    )
    assert odd[0] == 401


def test_jobs_and_events_work_with_a_key(guarded: RunningServer, line: bytes) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=guarded.url, timeout=60) as client:
        job = client.post("/api/jobs", content=line, headers=headers).json()["id"]
        for path in (f"/api/jobs/{job}", f"/api/jobs/{job}/events", f"/api/jobs/{job}/result"):
            assert client.get(path).status_code == 401
        assert client.delete(f"/api/jobs/{job}").status_code == 401
        with client.stream("GET", f"/api/jobs/{job}/events", headers=headers) as events:
            assert "event: done" in "".join(events.iter_text())
        assert client.get(f"/api/jobs/{job}/result?format=text", headers=headers).status_code == 200


def test_a_job_is_only_known_to_the_keys_of_its_client(guarded: RunningServer, line: bytes) -> None:
    with httpx.Client(base_url=guarded.url, timeout=60) as client:
        job = client.post("/api/jobs", content=line, headers={"X-API-Key": KEY}).json()["id"]
        other, same = {"X-API-Key": OTHER_KEY}, {"X-API-Key": NEXT_KEY}
        absent = client.get("/api/jobs/none", headers=other).json()
        for path in (f"/api/jobs/{job}", f"/api/jobs/{job}/events", f"/api/jobs/{job}/result"):
            answer = client.get(path, headers=other)
            assert (answer.status_code, answer.json()["detail"]) == (404, absent["detail"])
        assert client.delete(f"/api/jobs/{job}", headers=other).status_code == 404
        task = client.post("/api/doc/upload", files={"file": ("a.png", line)}, headers=other).json()["data"]
        assert client.get(f"/api/doc/clear/{task}", headers=same).json()["code"] != 100
        assert client.get(f"/api/doc/clear/{task}", headers=other).json()["code"] == 100
        with client.stream("GET", f"/api/jobs/{job}/events", headers=same) as events:
            assert "event: done" in "".join(events.iter_text())
        assert client.get(f"/api/jobs/{job}/result?format=text", headers=same).text
        assert client.delete(f"/api/jobs/{job}", headers=same).status_code == 204


def test_pages_of_a_known_site_may_ask_and_others_may_not(guarded: RunningServer) -> None:
    wish = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key"}
    for origin, allowed in (("https://app.example.org", True), ("https://evil.example.org", False)):
        preflight = httpx.options(f"{guarded.url}/api/ocr", headers={"Origin": origin, **wish})
        assert (preflight.status_code == 200) is allowed
        refused = httpx.get(f"{guarded.url}/api/options", headers={"Origin": origin})
        assert refused.status_code == 401
        assert (refused.headers.get("access-control-allow-origin") == origin) is allowed
        assert "access-control-allow-credentials" not in refused.headers


def test_every_answer_has_the_security_headers(guarded: RunningServer, server: RunningServer) -> None:
    for url in (guarded.url, server.url):
        for path in ("/", "/api/options", "/metrics", "/nothing"):
            headers = httpx.get(url + path, headers={"Origin": "https://evil.example.org"}).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert len(headers.get_list("content-security-policy")) == 1
            assert "access-control-allow-origin" not in headers


def test_the_description_names_the_schemes(guarded: RunningServer, server: RunningServer) -> None:
    described = httpx.get(f"{guarded.url}/openapi.json").json()
    assert set(described["components"]["securitySchemes"]) == {"bearer", "header"}
    assert described["paths"]["/api/ocr"]["post"]["security"] == [{"bearer": []}, {"header": []}]
    assert {"401", "429"} <= set(described["paths"]["/api/ocr"]["post"]["responses"])
    assert described["paths"]["/livez"]["get"]["security"] == []
    assert "securitySchemes" not in httpx.get(f"{server.url}/openapi.json").json()["components"]


def test_keys_change_without_a_restart(guarded: RunningServer, keys_path: Path) -> None:
    def status(key: str) -> int:
        return httpx.get(f"{guarded.url}/api/models", headers={"X-API-Key": key}).status_code

    def until(key: str, expected: int) -> None:
        end = time.monotonic() + 50
        while status(key) != expected and time.monotonic() < end:
            time.sleep(0.05)
        assert status(key) == expected

    assert (status(KEY), status(OTHER)) == (200, 401)
    new = keys_path.with_suffix(".new")
    new.write_text(f"till {OTHER}\n")
    new.replace(keys_path)
    until(OTHER, 200)
    assert status(KEY) == 401
    new.write_text(f"shop {KEY}\n")
    new.replace(keys_path)
    until(KEY, 200)
    assert status(OTHER) == 401


def test_limits_of_a_key_and_metrics_elsewhere(start_server: StartServer, line: bytes) -> None:
    server = start_server(api_keys=f"{KEY},{OTHER}", key_requests_per_minute=2, metrics_port=0, docs="false")
    server.wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        statuses = []
        for _ in range(3):
            answer = client.post("/api/ocr?mode=line", content=line, headers={"X-API-Key": KEY})
            statuses.append(answer.status_code)
        assert statuses == [200, 200, 429]
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        assert answer.json()["type"] == "/problems/too-many-requests"
        assert client.get("/api/models", headers={"X-API-Key": KEY}).status_code == 200
        assert (
            client.post("/api/ocr?mode=line", content=line, headers={"X-API-Key": OTHER}).status_code == 200
        )
        assert client.get("/metrics", headers={"X-API-Key": KEY}).status_code == 404
        assert client.get("/openapi.json", headers={"X-API-Key": KEY}).status_code == 404
    port = next(entry["port"] for entry in server.log_lines() if "metrics have a port" in entry["event"])
    figures = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert 'ocrsvc_rejected_total{reason="too-many-requests"} 1.0' in figures
    assert httpx.get(f"http://127.0.0.1:{port}/api/models").status_code == 404
    assert server.stop() == 0


def started(**settings: str) -> subprocess.CompletedProcess[str]:
    """`ocrsvc serve` that is expected to end at once."""
    environment = {**os.environ, **{f"OCRSVC_{name.upper()}": value for name, value in settings.items()}}
    return subprocess.run(
        [sys.executable, "-m", "ocrsvc", "serve", "--port", "0"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": EVERYWHERE}, "OCRSVC_ALLOW_ANONYMOUS=true"),
        ({"api_keys": "short"}, "OCRSVC_API_KEYS: key 1: a key needs 16 to 256"),
        ({"api_keys_file": "/nothing/here"}, "/nothing/here: No such file"),
    ],
)
def test_it_does_not_start_open_by_mistake(settings: dict[str, str], words: str) -> None:
    done = started(**settings)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_it_may_be_open_if_that_is_meant_and_warns(start_server: StartServer) -> None:
    server = start_server(host=EVERYWHERE, allow_anonymous="true")
    assert any("there is no API key" in entry["event"] for entry in server.log_lines())
    assert server.stop() == 0
