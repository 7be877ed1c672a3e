"""Around a request: its id, its headers, its log line, what happens when it ends badly."""

from __future__ import annotations

import asyncio
import json
import logging
import logging.config
import os
import re
import sys
import threading
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message

from ocrsvc.results import Document, Line, ModelId, Page
from ocrsvc.service.connection import ClientGone
from ocrsvc.service.logs import JsonFormatter, PatientHandler, TextFormatter, configuration
from ocrsvc.service.metrics import Metrics
from ocrsvc.service.middleware import RequestContext
from ocrsvc.service.record import record_of

BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
PRIVATE = "机密 text that was read"
DOCUMENT = Document(
    (Line(PRIVATE, 0.9, BOX, 1),),
    (Page(1, 30, 20),),
    ModelId("m", "sha256:0"),
    {"decode": 1.26, "infer": 2.0},
)


def build(metrics: Metrics) -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestContext, metrics=metrics)

    @app.get("/read/{name}")
    async def read(request: Request, name: str) -> Response:
        record_of(request.scope).add(DOCUMENT)
        return PlainTextResponse(PRIVATE)

    @app.get("/livez")
    async def live() -> str:
        return "alive"

    @app.get("/gone")
    async def gone() -> None:
        raise ClientGone

    @app.get("/unread")
    async def unread() -> None:
        raise ClientDisconnect

    @app.get("/broken")
    async def broken() -> Response:
        async def half() -> Any:
            yield b"half"
            raise RuntimeError("a bug in the middle")

        return StreamingResponse(half())

    return app


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def client(metrics: Metrics) -> Any:
    transport = httpx.ASGITransport(build(metrics))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("offered", ["a", "A-z_0.9", "x" * 64])
async def test_a_harmless_request_id_is_kept(client: httpx.AsyncClient, offered: str) -> None:
    response = await client.get("/livez", headers={"X-Request-ID": offered})
    assert response.headers["x-request-id"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 65, "a b", 'a"b', "a;b", "ü".encode(), "a\tb"])
async def test_any_other_is_replaced(client: httpx.AsyncClient, offered: Any) -> None:
    response = await client.get("/livez", headers={"X-Request-ID": offered})
    assert re.fullmatch(r"[0-9a-f]{16}", response.headers["x-request-id"])


async def test_ids_differ(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/livez")).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    "offered", [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-03-what-comes"]
)
async def test_a_trace_is_continued(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, offered: str
) -> None:
    caplog.set_level(logging.INFO, "ocrsvc")
    headers = (await client.get("/read/a", headers={"traceparent": offered})).headers
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, trace, int(flags)) == ("00", TRACE, int(offered.split("-")[3], 16) & 1)
    assert re.fullmatch("[0-9a-f]{16}", span)
    assert span != SPAN
    logged = vars(caplog.records[0])
    assert (logged["trace_id"], logged["span_id"]) == (TRACE, span)


@pytest.mark.parametrize(
    "offered",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01-{'x' * 65}",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01\tx",
    ],
)
async def test_any_other_trace_is_ignored(client: httpx.AsyncClient, offered: str) -> None:
    assert "traceparent" not in (await client.get("/livez", headers={"traceparent": offered})).headers


async def test_two_traces_are_none(client: httpx.AsyncClient) -> None:
    several = [("traceparent", f"00-{TRACE}-{SPAN}-01")] * 2
    assert "traceparent" not in (await client.get("/livez", headers=several)).headers


async def test_headers_of_every_answer(client: httpx.AsyncClient) -> None:
    for path in ("/livez", "/no/such/path"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert re.fullmatch(r"total;dur=\d+\.\d", headers["server-timing"])


async def test_server_timing_names_the_stages(client: httpx.AsyncClient) -> None:
    timing = (await client.get("/read/a")).headers["server-timing"]
    assert re.fullmatch(r"decode;dur=1\.3, infer;dur=2\.0, total;dur=\d+\.\d", timing)


async def test_the_log_line_has_figures_and_no_text(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ocrsvc")
    await client.get("/read/private-name?model=secret", headers={"X-Request-ID": "r-1"})
    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    assert line["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["ts"])
    assert line.pop("ms") >= 0
    expected = {
        "event": "request",
        "request_id": "r-1",
        "method": "GET",
        "route": "/read/{name}",
        "status": 200,
        "bytes": 0,
        "files": 1,
        "pixels": 600,
        "lines": 1,
        "stages_ms": {"decode": 1.3, "infer": 2.0},
    }
    assert {key: line[key] for key in expected} == expected
    for private in (PRIVATE, "private-name", "secret"):
        assert private not in json.dumps(line, ensure_ascii=False)


async def test_probes_are_counted_but_not_logged(
    client: httpx.AsyncClient, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ocrsvc")
    await client.get("/livez")
    assert caplog.records == []
    assert 'ocrsvc_requests_total{code="200",route="/livez"} 1.0' in metrics.render().decode()


async def test_unknown_paths_share_one_label(client: httpx.AsyncClient, metrics: Metrics) -> None:
    await client.get("/one")
    await client.get("/two")
    assert 'ocrsvc_requests_total{code="404",route="unmatched"} 2.0' in metrics.render().decode()


async def exchange(app: FastAPI, path: str) -> list[Message]:
    """Send one request straight to ``app``, from a client who stays; return what it sent back."""
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "server": ("test", 80),
        "client": ("test", 1),
    }
    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize("path", ["/gone", "/unread"])
async def test_a_client_who_left_is_counted_and_gets_nothing(
    metrics: Metrics, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.INFO, "ocrsvc")
    assert await exchange(build(metrics), path) == []
    assert f'ocrsvc_requests_total{{code="499",route="{path}"}} 1.0' in metrics.render().decode()
    assert [vars(record)["status"] for record in caplog.records] == [499]
    assert caplog.records[0].exc_info is None


async def test_a_stream_that_breaks_is_not_completed(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    sent = await exchange(build(metrics), "/broken")
    assert sent[-1]["body"] == b"half"
    assert sent[-1]["more_body"]
    assert "a bug in the middle" in str([record.exc_info for record in caplog.records])


def test_tracebacks_are_one_json_line() -> None:
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, "f", 1, "failed %s", ("here",), sys.exc_info())
    written = JsonFormatter().format(record)
    assert "\n" not in written
    assert json.loads(written)["event"] == "failed here"
    assert "bad\nthing" in json.loads(written)["traceback"]


def test_text_for_people_is_one_line_an_event() -> None:
    record = logging.makeLogRecord(
        {
            "msg": "bad\nname \x1b[2J",
            "levelname": "INFO",
            "status": 200,
            "place": "a b",
            "stages_ms": {"a": 1.5},
        }
    )
    line = TextFormatter().format(record)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d info    bad\\nname \\u001b\[2J status=200 place=\"a b\" stages_ms=.*", line
    )
    record.exc_info = (ValueError, ValueError("why"), None)
    assert TextFormatter().format(record).endswith("\nValueError: why")


@pytest.mark.parametrize(
    ("style", "terminal", "chosen"),
    [("auto", True, "text"), ("auto", False, "json"), ("json", True, "json"), ("text", False, "text")],
)
def test_the_format_of_the_log(style: Any, terminal: bool, chosen: str) -> None:
    assert configuration("warning", style, terminal=terminal)["handlers"]["stdout"]["formatter"] == chosen


def test_the_log_configuration_goes_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.root.handlers[:]
    try:
        logging.config.dictConfig(configuration(style="json"))
        logging.getLogger("ocrsvc.access").info("request", extra={"status": 200, "name_": "票"})
        logging.getLogger("another.library").info("noise")
        logging.getLogger("another.library").warning("matters")
        logging.root.handlers[0].flush()
    finally:
        logging.root.handlers[:] = before
        logging.getLogger("ocrsvc").setLevel(logging.NOTSET)
    out, err = capfd.readouterr()
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["request", "matters"]
    assert "票" in out
    assert err == ""


def test_a_log_that_nobody_reads_stops_nobody() -> None:
    reading, writing = os.pipe()
    handler = PatientHandler(writing, waiting_lines=50)
    handler.setFormatter(JsonFormatter())
    for i in range(20_000):  # far more than a pipe holds
        handler.emit(logging.makeLogRecord({"msg": f"line {i} " + "x" * 100, "levelname": "INFO"}))
    assert handler.dropped > 10_000
    read = threading.Thread(target=lambda: text.extend(iter(lambda: os.read(reading, 65536), b"")))
    text: list[bytes] = []
    dropped = handler.dropped
    read.start()
    handler.flush(patience_seconds=20)
    handler.emit(logging.makeLogRecord({"msg": "the last", "levelname": "INFO"}))
    handler.flush(patience_seconds=20)
    os.close(writing)
    read.join()
    os.close(reading)
    lines = [json.loads(line) for line in b"".join(text).splitlines()]
    assert lines[-1]["event"] == "the last"
    told = [line for line in lines if "dropped" in line["event"]]
    assert {line["level"] for line in told} == {"warning"}
    assert sum(line["count"] for line in told) == dropped
    numbers = [int(line["event"].split()[1]) for line in lines if line["event"].endswith("x")]
    assert numbers == sorted(numbers)
    assert len(numbers) + dropped == 20_000
