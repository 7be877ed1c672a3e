"""The traces of a running server, as a receiver of OTLP over HTTP gets them."""

from __future__ import annotations

import gzip
import http.server
import importlib.util
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from available import missing
from running_server import StartServer

pytestmark = pytest.mark.timeout(180)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass
class Receiver:
    """An OTLP receiver; ``spans`` and ``resource`` are what it got, parsed with OpenTelemetry's own messages."""

    url: str = ""
    paths: set[str] = field(default_factory=set)
    spans: list[Any] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    if importlib.util.find_spec("opentelemetry.proto") is None:
        missing("no OpenTelemetry: pip install 'ocrsvc[otel]'")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    got = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            got.paths.add(self.path)
            for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                got.resource |= {each.key: each.value.string_value for each in part.resource.attributes}
                got.spans += [span for scope in part.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    got.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


def value(span: Any, key: str) -> Any:
    """The value of one attribute of a span."""
    (found,) = [each.value for each in span.attributes if each.key == key]
    return getattr(found, found.WhichOneof("value"))


def test_a_request_is_a_span_with_its_stages(
    start_server: StartServer,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    draw_page: Callable[..., Any],
    png: Callable[..., bytes],
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    server = start_server(model="crnn-fast")
    server.wait_until_ready()
    page = png(draw_page().image)
    caller = {"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Request-ID": "traced"}
    with httpx.Client(base_url=server.url, timeout=60) as client:
        answer = client.post("/api/ocr?mode=page", content=page, headers=caller)
        unsampled = client.post("/api/ocr", content=page, headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
        stream = client.post("/api/ocr?mode=page&format=jsonl", content=page)
        bad = client.post("/api/ocr", content=b"no picture")
    assert [each.status_code for each in (answer, unsampled, stream, bad)] == [200, 200, 200, 415]
    assert server.stop() == 0  # exports what is left
    assert receiver.paths == {"/v1/traces"}
    assert receiver.resource["service.name"] == "ocrsvc"

    roots = {value(span, "ocrsvc.request_id"): span for span in receiver.spans if span.kind == 2}
    assert len(roots) == 3
    root = roots["traced"]
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, SPAN)
    assert answer.headers["traceparent"] == f"00-{TRACE}-{root.span_id.hex()}-01"
    assert unsampled.headers["traceparent"].endswith("-00")
    assert root.name == "POST /api/ocr"
    assert value(root, "http.response.status_code") == 200
    assert value(root, "ocrsvc.lines") == len(answer.json()["lines"])
    stages = [span for span in receiver.spans if span.parent_span_id == root.span_id]
    assert {span.name for span in stages} == {"receive", "decode", "detect", "recognise", "format", "queue"}
    for span in stages:
        assert root.start_time_unix_nano - 1_000_000 <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano + 1_000_000
    models = {value(span, "ocrsvc.model") for span in stages if span.name == "queue"}
    assert len(models) == 2  # the detector and the recogniser

    streamed = roots[stream.headers["x-request-id"]]
    assert {span.name for span in receiver.spans if span.parent_span_id == streamed.span_id} >= {
        "decode",
        "recognise",
        "format",
    }
    refused = roots[bad.headers["x-request-id"]]
    assert value(refused, "error.type") == "unsupported-media-type"
    text = str(receiver.spans)
    assert not any(line["text"] in text for line in answer.json()["lines"] if len(line["text"]) > 3)
