"""What a client sends and what it makes of answers, without a network."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from ocrsvc.client.requests import InvalidAnswer, arguments_of, check, error_of, page_of, result_of
from ocrsvc.engine.inputs import Input
from ocrsvc.errors import InvalidParameter, OcrError, PasswordRequired, Saturated, kinds

GIVEN = Input(b"bytes", "a.png")


def test_parameters_are_fields_of_the_form_never_of_the_address() -> None:
    region = {"name": "a", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    options = {"mode": "line", "orientation": 90, "password": "secret", "charset": None, "regions": [region]}
    arguments = arguments_of(GIVEN, "json", "char", options)
    assert set(arguments) == {"data", "files"}
    assert arguments["files"] == {"image": ("a.png", b"bytes")}
    regions = json.loads(arguments["data"].pop("regions"))
    assert regions == [region]
    assert arguments["data"] == {
        "format": "json",
        "granularity": "char",
        "mode": "line",
        "orientation": "90",
        "password": "secret",
    }
    assert arguments_of(Input(b""), "text", "line", {"deadline_seconds": 3.0, "structured": True}) == {
        "data": {"format": "text", "granularity": "line"},
        "files": {"image": ("image", b"")},
        "timeout": 3.0,
    }
    with pytest.raises(InvalidParameter, match="'chrset'; is charset meant"):
        arguments_of(GIVEN, "json", "char", {"chrset": "digits"})


def test_a_problem_becomes_the_error_that_the_service_raised() -> None:
    for kind in kinds():
        again = error_of(kind("What was wrong.", allowed=["a"]).members())
        assert (type(again), again.detail, again.extra["allowed"]) == (kind, "What was wrong.", ["a"])
    assert type(error_of({"type": "about:blank", "title": "Bad"})) is OcrError


def answer(status: int, body: Any, media_type: str) -> httpx.Response:
    return httpx.Response(
        status,
        content=json.dumps(body).encode(),
        headers={"content-type": media_type},
        request=httpx.Request("POST", "http://localhost:8000/api/ocr"),
    )


def test_an_answer_is_checked() -> None:
    check(answer(200, {}, "application/json"))
    with pytest.raises(Saturated, match="too much"):
        check(answer(503, Saturated("too much").members(), "application/problem+json"))
    with pytest.raises(InvalidAnswer, match="the status 404"):
        check(answer(404, {}, "text/html"))
    bodies: list[Any] = [{}, [], {"lines": 3}, {"lines": [{}], "pages": []}]
    for body in bodies:
        with pytest.raises(InvalidAnswer):
            result_of(body, GIVEN, {})


def test_a_record_is_a_page_an_error_or_the_last() -> None:
    assert page_of('{"done": true, "page_count": 1}', GIVEN, {}) is None
    with pytest.raises(PasswordRequired):
        page_of(json.dumps({"page": 1, "error": PasswordRequired("Locked.").members()}), GIVEN, {})
    with pytest.raises(OcrError):
        page_of(json.dumps({"done": False, "error": {"title": "Deadline"}}), GIVEN, {})
