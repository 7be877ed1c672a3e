"""Turns every exception into an answer in RFC 9457 ``application/problem+json``.

tests/service/test_problems.py fixes the members: ``type title status detail instance request_id``, then the extra
members of the error. ``type`` is a relative URL, under which the service describes the kind of problem.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ocrsvc.errors import (
    InvalidParameter,
    JobUnfinished,
    NotFound,
    OcrError,
    RequestTimeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
    kinds,
)
from ocrsvc.service.record import record_of

MEDIA_TYPE = "application/problem+json"
ACCEPTED_TYPES = "image/*, application/pdf, multipart/form-data, application/json"
_CHALLENGE = 'Bearer realm="ocrsvc"'
_OPAQUE = "The service failed on this request. Its log has the cause, under this request_id."


@dataclass(frozen=True, slots=True)
class Problem:
    """Content of an error answer. ``extra`` never replaces one of the standard members."""

    status: int
    slug: str
    title: str
    detail: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, *, instance: str, request_id: str) -> dict[str, Any]:
        """Return the problem document of one occurrence."""
        standard = {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        }
        return standard | {key: value for key, value in self.extra.items() if key not in standard}

    def content(self, *, instance: str, request_id: str) -> bytes:
        """Return the problem document of one occurrence as JSON."""
        body = self.body(instance=instance, request_id=request_id)
        return json.dumps(body, ensure_ascii=False, default=str).encode()


def describe(error: Exception) -> Problem:
    """Return what the client may know about ``error``; for an internal error (500), only its kind."""
    if isinstance(error, OcrError):
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return Problem(error.status, error.slug, error.title, _OPAQUE)
        return Problem(error.status, error.slug, error.title, error.detail, error.extra, _headers(error))
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _http(error)
    return Problem(OcrError.status, OcrError.slug, OcrError.title, _OPAQUE)


def response(error: Exception, *, instance: str, request_id: str) -> Response:
    """Return the answer to a request that ended with ``error``."""
    problem = describe(error)
    content = problem.content(instance=instance, request_id=request_id)
    return Response(content, problem.status, dict(problem.headers), MEDIA_TYPE)


def message(
    problem: Problem, headers: Iterable[tuple[bytes, bytes]], *, instance: str, request_id: str
) -> bytes:
    """Return a whole HTTP/1.1 answer with these headers, for requests that the application does not see."""
    content = problem.content(instance=instance, request_id=request_id)
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\n"
        f"Content-Length: {len(content)}\r\n"
    )
    return b"".join(
        [head.encode(), *(name + b": " + value + b"\r\n" for name, value in headers), b"\r\n", content]
    )


def install(app: FastAPI) -> None:
    """Answer every exception that a route of ``app`` raises with a problem document."""

    async def handle(request: Request, error: Exception) -> Response:
        record = record_of(request.scope)
        record.fail(describe(error).slug, error)
        return response(error, instance=request.url.path, request_id=record.request_id)

    for kind in (OcrError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle)


def catalogue() -> dict[str, type[OcrError]]:
    """Return every kind of problem by its slug, in the order of the tree of errors."""
    return {kind.slug: kind for kind in kinds()}


def _headers(error: OcrError) -> dict[str, str]:
    if isinstance(error, Unavailable | TooManyRequests):
        return {"Retry-After": str(max(1, error.retry_after_seconds))}
    if isinstance(error, Unauthorized):  # RFC 6750, section 3: a request without a key gets no error code
        return {"WWW-Authenticate": _CHALLENGE + (', error="invalid_token"' if error.offered else "")}
    if isinstance(error, JobUnfinished):
        return {"Retry-After": "1"}
    if isinstance(error, UnsupportedMedia):
        return {"Accept": ACCEPTED_TYPES}  # RFC 9110, section 15.5.16
    if isinstance(error, RequestTimeout):
        return {"Connection": "close"}  # section 15.5.9; otherwise the server waits for the rest of the body
    return {}


def _invalid(error: RequestValidationError) -> Problem:
    faults = [
        {"where": ".".join(map(str, fault.get("loc", ()))), "what": str(fault.get("msg", ""))}
        for fault in error.errors()
    ]
    detail = (
        "; ".join(f"{fault['where']}: {fault['what']}" for fault in faults) or "The request is not valid."
    )
    kind = InvalidParameter
    return Problem(kind.status, kind.slug, kind.title, detail, {"errors": faults})


def _http(error: HTTPException) -> Problem:
    """Return the problem for a routing error (404, 405) or another framework error, named by its status's phrase."""
    if error.status_code == NotFound.status:
        return Problem(
            NotFound.status,
            NotFound.slug,
            NotFound.title,
            "There is nothing here; the interface is at /docs.",
        )
    try:
        title = HTTPStatus(error.status_code).phrase.capitalize()
    except ValueError:
        title = "Error"
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and "Allow" in headers:
        detail = f"This method is not allowed here; use {headers['Allow']}."
    return Problem(error.status_code, title.lower().replace(" ", "-"), title, detail, {}, headers)
