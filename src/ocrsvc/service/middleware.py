"""ASGI middleware around every request: request ID, log line, stage times, and a handler for unexpected errors.

Starlette's BaseHTTPMiddleware is not used because it hides a client's disconnect from the route
(github.com/encode/starlette/discussions/2094).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Collection
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocrsvc.service import problems
from ocrsvc.service.connection import CLIENT_GONE_STATUS, ClientGone
from ocrsvc.service.metrics import Metrics
from ocrsvc.service.record import RequestRecord, open_record
from ocrsvc.service.tracing import RequestTrace, Tracing

logger = logging.getLogger("ocrsvc.access")

QUIET_ROUTES = frozenset(
    {"/livez", "/readyz", "/startupz", "/health", "/metrics"}
)  # not logged: polled every few seconds
# Of every answer, unless it has its own. A result may be opened in a browser as a page, which then may do nothing.
_PERMANENT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_PERMANENT = tuple((name.lower().encode(), value.encode()) for name, value in _PERMANENT_HEADERS.items())


class RequestContext:
    """Gives each request its record, and logs and counts it when the request has ended, whatever the outcome."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, tracing: Tracing | None = None) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = open_record(Headers(scope=scope))
        scope.setdefault("state", {})["record"] = record
        exchange = _Exchange(record, send)
        trace = self._tracing.begin(scope, record) if self._tracing else None
        try:
            await self._app(scope, receive, exchange.send)
        except (ClientGone, ClientDisconnect):
            exchange.status = CLIENT_GONE_STATUS
        except asyncio.CancelledError:
            exchange.status = CLIENT_GONE_STATUS
            raise
        except Exception as error:
            # A bug of the service, logged here with its traceback. Re-raised, the server would log it again.
            record.fail(problems.describe(error).slug, error)
            logger.exception("unexpected failure", extra={"request_id": record.request_id})
            if exchange.status is None:
                answer = problems.response(error, instance=scope["path"], request_id=record.request_id)
                await answer(scope, receive, exchange.send)
        finally:
            if not exchange.complete:
                exchange.status = CLIENT_GONE_STATUS
            self._write_down(scope, exchange, trace)

    def _write_down(self, scope: Scope, exchange: _Exchange, trace: RequestTrace | None) -> None:
        route = _route(scope)
        status = exchange.status or CLIENT_GONE_STATUS
        spent_seconds = time.perf_counter() - exchange.started
        write_down(self._metrics, scope["method"], route, status, spent_seconds, exchange.record)
        if trace is not None:
            trace.end(route, status, exchange.record)


def write_down(
    metrics: Metrics, method: str, route: str, status: int, spent_seconds: float, record: RequestRecord
) -> None:
    """Count a request that has ended, and log it unless it is a probe."""
    metrics.request_ended(route, status, spent_seconds, record)
    if route in QUIET_ROUTES and status in (200, 503):
        return
    level = logging.ERROR if status >= 500 and status != 503 else logging.INFO
    logger.log(level, "request", extra=_fields(method, route, status, spent_seconds, record))


def added_headers(
    record: RequestRecord, started: float, present: Collection[bytes] = ()
) -> list[tuple[bytes, bytes]]:
    """Return the headers that every answer has, without those permanent ones that are ``present``.

    ``started`` is in seconds of ``time.perf_counter``.
    """
    added = [(b"x-request-id", record.request_id.encode())]
    if record.trace is not None:
        added.append((b"traceparent", record.trace.header.encode()))
    added += (each for each in _PERMANENT if each[0] not in present)
    stages = {**record.stages_ms, "total": (time.perf_counter() - started) * 1000}
    timing = ", ".join(f"{_token(name)};dur={ms:.1f}" for name, ms in stages.items())
    return [*added, (b"server-timing", timing.encode())]


class _Exchange:
    """Records the status and the end of an answer, and adds the headers that every answer has."""

    def __init__(self, record: RequestRecord, send: Send) -> None:
        self.record = record
        self.status: int | None = None
        self.complete = False
        self.started = time.perf_counter()
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            message["headers"] = headers + added_headers(self.record, self.started, present)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True
        await self._send(message)


@functools.cache  # there are only a few stages
def _token(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)


def _route(scope: Scope) -> str:
    """Return the route's pattern, never the raw path, because metrics must have few labels."""
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str):
        return path
    return "/static" if scope["path"].startswith("/static/") else "unmatched"


def _fields(
    method: str, route: str, status: int, spent_seconds: float, record: RequestRecord
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "request_id": record.request_id,
        "method": method,
        "route": route,
        "status": status,
        "ms": round(spent_seconds * 1000, 1),
        "bytes": record.body_bytes,
    }
    if record.client:
        fields["client"] = record.client
    if record.trace is not None:
        fields |= {"trace_id": record.trace.trace_id, "span_id": record.trace.span_id}
    if record.files or record.failed_files:
        fields |= {
            "files": record.files + record.failed_files,
            "pixels": record.pixels,
            "lines": record.lines,
        }
    if record.failed_files:
        fields["failed_files"] = record.failed_files
    if record.stages_ms:
        fields["stages_ms"] = {stage: round(ms, 1) for stage, ms in record.stages_ms.items()}
    if record.problem:
        fields["problem"] = record.problem
        if status == 500:
            fields["cause"] = str(record.cause)
    return fields
