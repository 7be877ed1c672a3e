"""Every error has one shape, says what it may and no more, and is described where its type leads."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException

from ocrsvc.errors import (
    CorruptModel,
    EngineFailure,
    OcrError,
    RequestTimeout,
    Saturated,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)
from ocrsvc.service import problems
from ocrsvc.service.metrics import Metrics
from ocrsvc.service.middleware import RequestContext

STANDARD = ["type", "title", "status", "detail", "instance", "request_id"]
EVERY_KIND = list(problems.catalogue().values())


async def answer_to(error: Exception, **request: Any) -> httpx.Response:
    """Return the answer of an application whose only route raises ``error``."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(RequestContext, metrics=Metrics())

    @app.get("/raise")
    async def fail() -> None:
        raise error

    @app.get("/number")
    async def number(n: int = Query(ge=1)) -> int:
        return n

    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(**{"method": "GET", "url": "/raise", **request})


def make(kind: type[OcrError], **extra: Any) -> OcrError:
    return kind("what was wrong", **extra)


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda kind: kind.slug)
async def test_every_error_class_has_the_one_shape(kind: type[OcrError]) -> None:
    response = await answer_to(make(kind, hint="an extra member"))
    assert response.status_code == kind.status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert list(body)[:6] == STANDARD
    assert body["type"] == f"/problems/{kind.slug}"
    assert body["title"] == kind.title
    assert body["status"] == kind.status
    assert body["instance"] == "/raise"
    assert body["request_id"] == response.headers["x-request-id"]
    if kind.status == 500:
        assert list(body) == STANDARD
        assert "what was wrong" not in response.text
    else:
        assert body["detail"] == "what was wrong"
        assert body["hint"] == "an extra member"


def test_slugs_and_titles_are_unique() -> None:
    kinds = [kind for kind in EVERY_KIND if not kind.__subclasses__()]
    assert len({kind.slug for kind in kinds}) == len(kinds)
    assert len({kind.title for kind in kinds}) == len(kinds)


def test_every_class_explains_itself() -> None:
    assert all(kind.__doc__ for kind in EVERY_KIND)


async def test_an_extra_member_cannot_replace_a_standard_one() -> None:
    body = (await answer_to(TooLarge("too much", status=200, title="fine", max_bytes=7))).json()
    assert (body["status"], body["title"], body["max_bytes"]) == (413, "Too large", 7)


@pytest.mark.parametrize("kind", [Unavailable, Saturated])
async def test_unavailable_says_when_to_come_back(kind: type[Unavailable]) -> None:
    response = await answer_to(kind("later", retry_after_seconds=7))
    assert response.headers["retry-after"] == "7"
    assert response.json()["retry_after_seconds"] == 7


async def test_unsupported_media_says_what_is_accepted() -> None:
    response = await answer_to(UnsupportedMedia("no"))
    assert "image/*" in response.headers["accept"]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret /srv/models/crnn"),
        EngineFailure("secret /srv/models/crnn"),
        CorruptModel("secret /srv/models/crnn"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_failure_of_ours_tells_nothing_of_our_insides(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = await answer_to(error)
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "request_id" in response.json()["detail"]
    assert "secret" in caplog.text or "secret" in str([vars(record) for record in caplog.records])


async def test_a_bug_leaves_one_traceback_with_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    response = await answer_to(RuntimeError("a bug"), headers={"X-Request-ID": "bug-1"})
    assert response.json()["request_id"] == "bug-1"
    traces = [record for record in caplog.records if record.exc_info]
    assert [vars(record)["request_id"] for record in traces] == ["bug-1"]


async def test_bad_input_leaves_one_line_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ocrsvc")
    await answer_to(TooLarge("too much"))
    assert [(record.name, record.levelname) for record in caplog.records] == [("ocrsvc.access", "INFO")]
    assert caplog.records[0].exc_info is None
    assert vars(caplog.records[0])["problem"] == "too-large"


async def test_no_such_path() -> None:
    response = await answer_to(RuntimeError(), url="/nothing/here")
    assert response.status_code == 404
    assert response.json()["type"] == "/problems/not-found"
    assert response.json()["instance"] == "/nothing/here"


async def test_wrong_method_says_the_right_one() -> None:
    response = await answer_to(RuntimeError(), url="/raise", method="DELETE")
    assert response.status_code == 405
    assert response.json()["type"] == "/problems/method-not-allowed"
    assert response.headers["allow"] == "GET"
    assert "GET" in response.json()["detail"]


async def test_validation_names_the_place() -> None:
    response = await answer_to(RuntimeError(), url="/number?n=0")
    body = response.json()
    assert response.status_code == 422
    assert body["type"] == "/problems/invalid-parameter"
    assert list(body) == [*STANDARD, "errors"]
    assert body["errors"][0]["where"] == "query.n"
    assert "query.n" in body["detail"]


@pytest.mark.parametrize(("status", "slug"), [(418, "i'm-a-teapot"), (799, "error"), (431, None)])
async def test_http_exceptions_of_a_framework(status: int, slug: str | None) -> None:
    response = await answer_to(HTTPException(status, "said so", headers={"X-Why": "because"}))
    assert response.status_code == status
    assert response.headers["x-why"] == "because"
    body = response.json()
    assert list(body) == STANDARD
    assert body["detail"] == "said so"
    if slug:
        assert body["type"] == f"/problems/{slug}"


async def test_members_that_json_cannot_hold_are_written_as_text() -> None:
    response = await answer_to(TooLarge("too much", path=object))
    assert "object" in json.loads(response.content)["path"]


def test_who_is_too_slow_is_hung_up_on() -> None:
    answer = problems.response(RequestTimeout("Too slow."), instance="/api/ocr", request_id="r")
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
