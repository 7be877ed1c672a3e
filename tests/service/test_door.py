"""What the door refuses is refused as the application does it, and nothing else is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import tiny_model

from ocrsvc.reading.reader import Reader
from ocrsvc.service.app import create_app
from ocrsvc.service.door import Door
from ocrsvc.service.state import Service
from ocrsvc.settings import Settings

KEY = "a-key-of-the-office-0123456789"
LOCAL = ("127.0.0.1", 5)
ONE, TWO = ("10.0.0.1", 5), ("10.0.0.2", 5)


def service(**settings: Any) -> Service:
    return Service(Settings(**settings), Reader)


@contextmanager
def inside(of: Service, client: str, requests: int) -> Iterator[None]:
    """Requests of this client that are being answered."""
    with ExitStack() as stack:
        for _ in range(requests):
            stack.enter_context(of.request_limit.enter(client)).begin()
        yield


def refusal(
    of: Service,
    client: tuple[str, int] | None = ONE,
    method: bytes = b"POST",
    path: bytes = b"/api/ocr",
    **headers: str,
) -> tuple[int, dict[str, str], dict[str, Any]] | None:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    answer = Door(of, "127.0.0.1").refusal(method, path, raw, client)
    if answer is None:
        return None
    head, _, content = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert int(fields["content-length"]) == len(content)
    return int(first.split()[1]), fields, json.loads(content)


async def test_it_answers_as_the_application_does(tmp_path: Path) -> None:
    models_dir = tiny_model.write_with_detector(tmp_path)
    app = create_app(Settings(model="tiny", models_dir=models_dir, max_requests=1), load_first=True)
    of: Service = app.state.service
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        with inside(of, LOCAL[0], 1):
            names = {"traceparent": f"00-{'4' * 32}-{'5' * 16}-01", "X-Request-ID": "mine"}
            theirs = await client.post("/api/ocr", content=b"x", headers=names)
            found = refusal(of, LOCAL, traceparent=names["traceparent"], x_request_id="mine")
    assert found is not None
    status, fields, problem = found
    assert (status, problem["type"]) == (theirs.status_code, theirs.json()["type"])
    assert fields.keys() == theirs.headers.keys()
    varying = {"server-timing", "traceparent"}
    assert {n: v for n, v in fields.items() if n not in varying} == {
        n: v for n, v in theirs.headers.items() if n not in varying
    }
    assert problem == theirs.json()
    assert fields["traceparent"].split("-")[1] == "4" * 32
    assert of.metrics.render().count(b'ocrsvc_requests_total{code="503",route="/api/ocr"} 2.0') == 1


async def test_who_has_less_than_its_share_is_let_in() -> None:
    of = service(max_requests=4)
    with inside(of, ONE[0], 4):
        assert refusal(of) is not None
        assert refusal(of, TWO) is None
        # Behind a proxy that is trusted, its client counts; nobody else may say who it is.
        assert refusal(of, LOCAL, x_forwarded_for=TWO[0]) is None
        assert refusal(of, LOCAL, x_forwarded_for=ONE[0]) is not None
        assert refusal(of, ONE, x_forwarded_for=TWO[0]) is not None
    assert refusal(of) is None


async def test_keys(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    of = service(api_keys=KEY, max_requests=1)
    name = of.keys.client(KEY)
    assert name is not None
    with inside(of, name, 1):
        assert refusal(of, x_api_key="another") is None
        assert refusal(of, authorization=f"Bearer {KEY}") is not None
    (line,) = (record.__dict__ for record in caplog.records if record.name == "ocrsvc.access")
    assert (line["client"], line["status"], line["problem"]) == (name, 503, "saturated")


@pytest.mark.parametrize(
    "other", [{"method": b"GET"}, {"path": b"/api/ocr/batch"}, {"path": b"/api/jobs"}, {"path": b"/ocr"}]
)
async def test_all_else_is_left_to_the_application(other: dict[str, bytes]) -> None:
    of = service(max_requests=1)
    with inside(of, ONE[0], 1):
        assert refusal(of, **other) is None  # type: ignore[arg-type]


async def test_answers_to_pages_of_other_sites_are_left_to_the_application() -> None:
    of = service(max_requests=1, cors_origins="https://example.org")
    with inside(of, ONE[0], 1):
        assert refusal(of) is None
