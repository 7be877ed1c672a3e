"""Record of one request while it is answered: its ID and the figures for its log line."""

from __future__ import annotations

import random
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import cast

from starlette.datastructures import Headers
from starlette.types import Scope

from ocrsvc.reading.stage_log import StageLog
from ocrsvc.results import Document
from ocrsvc.service import trace_context
from ocrsvc.service.trace_context import TraceContext

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class RequestRecord:
    """Figures of one request, set by the route and logged by the middleware; never image bytes or text.

    ``client``: who shares the service fairly with others: the name of the API key, or the address without keys.
    ``key``: the name of the API key; "" where none is needed.
    """

    request_id: str
    client: str = ""
    key: str = ""
    trace: TraceContext | None = None
    stage_log: StageLog | None = None  # if the request is traced
    body_bytes: int = 0
    pages: int = 0
    pixels: int = 0
    lines: int = 0
    files: int = 0
    failed_files: int = 0
    stages_ms: dict[str, float] = field(default_factory=dict)
    problem: str | None = None
    cause: Exception | None = None

    def add(self, document: Document) -> None:
        """Count one document that was read."""
        self.files += 1
        self.lines += len(document.lines)
        self.pages += len(document.pages)
        self.pixels += sum(page.width * page.height for page in document.pages)
        for stage, spent_ms in document.timing_ms.items():
            self.stages_ms[stage] = self.stages_ms.get(stage, 0.0) + spent_ms

    def add_page(self, document: Document) -> None:
        """Count one page of a document that is delivered page by page."""
        files = self.files
        self.add(document)
        self.files = max(1, files)

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Return a context manager that records its block in the trace, if there is one."""
        return self.stage_log.stage(name) if self.stage_log else nullcontext()

    def fail(self, slug: str, cause: Exception) -> None:
        """Record why the request, or its last bad file, was refused."""
        self.problem, self.cause = slug, cause


def open_record(headers: Headers) -> RequestRecord:
    """Return a new record; it keeps the client's ``X-Request-ID`` if that is safe in a log and a header."""
    offered = headers.get("x-request-id", "")
    request_id = offered if _ACCEPTABLE_ID.fullmatch(offered) else _new_id()
    return RequestRecord(request_id, trace=trace_context.parse(headers.getlist("traceparent")))


def _new_id() -> str:
    # Unique, not secret. A system call would let other threads take the interpreter, and cost more than all the rest.
    return f"{random.getrandbits(64):016x}"


def record_of(scope: Scope) -> RequestRecord:
    """Return the record of the request in ``scope``, created if no middleware has done so."""
    state = scope.setdefault("state", {})
    if "record" not in state:
        state["record"] = open_record(Headers())
    return cast(RequestRecord, state["record"])
