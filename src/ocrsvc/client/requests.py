"""Requests to ``POST /api/ocr`` and what their answers mean; nothing here touches the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ocrsvc.engine.inputs import Input
from ocrsvc.engine.options import Options, check_names
from ocrsvc.engine.result import Result
from ocrsvc.errors import OcrError, by_slug
from ocrsvc.formats.json_document import document_of

if TYPE_CHECKING:
    import httpx

PATH = "/api/ocr"
_HERE_ONLY = ("structured", "deadline_seconds")  # options of a reader in this process


class ServiceOptions(Options, total=False):
    """Options of a call to a service: those of ``Options``, and the ``model`` that is to read.

    The service finds paragraphs and tables only with a ``layout`` of ``rows``, ``paragraphs`` or ``tables``.
    ``deadline_seconds`` is the time-out of the request.
    """

    model: str | None


class InvalidAnswer(Exception):
    """What answered is no ocrsvc, or not one of this version."""


def arguments_of(
    given: Input, format_name: str, granularity: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of httpx for one request; the parameters are fields of the form, beside the picture.

    Addresses are often logged, so no parameter, such as a password, stands there. Raises InvalidParameter.
    """
    check_names(options, ServiceOptions.__annotations__)
    fields = {"format": format_name, "granularity": granularity}
    for name, value in options.items():
        if value is not None and name not in _HERE_ONLY:
            fields[name] = json.dumps([*value]) if name in ("regions", "ignore") else str(value)
    arguments: dict[str, Any] = {
        "data": fields,
        "files": {"image": (given.name or "image", given.data)},
    }
    if (seconds := options.get("deadline_seconds")) is not None:
        arguments["timeout"] = seconds
    return arguments


def check(answer: httpx.Response) -> None:
    """Raise the error that an answer, whose body has been read, holds."""
    if answer.is_success:
        return
    if answer.headers.get("content-type", "").partition(";")[0] == "application/problem+json":
        raise error_of(answer.json())
    raise InvalidAnswer(f"{answer.request.url} answered with the status {answer.status_code}.")


def error_of(problem: Mapping[str, Any]) -> OcrError:
    """Return the error that a problem document describes."""
    kind = by_slug(str(problem.get("type", "")).rpartition("/")[2])
    extra = {k: v for k, v in problem.items() if k not in ("type", "title", "status", "detail")}
    return kind(
        str(problem.get("detail") or problem.get("title") or "The service refused the request."), **extra
    )


def result_of(body: Any, given: Input, options: Mapping[str, Any]) -> Result:
    """Return the Result in the body of an answer; raises InvalidAnswer."""
    try:
        document = document_of(body, options.get("layout", "lines"))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidAnswer(f"The answer is not one of ocrsvc: {error!r}.") from error
    return Result(document, given, options.get("password"))


def page_of(record: str, given: Input, options: Mapping[str, Any]) -> Result | None:
    """Return the Result in one record of jsonl, or None for the last one; raises the error that it holds."""
    body = json.loads(record)
    if "error" in body:
        raise error_of(body["error"])
    return None if "done" in body else result_of(body, given, options)
