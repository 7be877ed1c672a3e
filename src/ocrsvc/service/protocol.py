"""HTTP/1.1 as uvicorn speaks it, with bounds: how large the head of a request may be, and how long it may take.

uvicorn has neither with httptools: a client that sends headers for ever fills the memory, one that sends none keeps
its connection for ever.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ocrsvc.errors import HeadersTooLarge, OcrError, RequestTimeout
from ocrsvc.service import problems
from ocrsvc.service.record import open_record

# A body sent in chunks has frames around them, of six bytes or so; more than this times the body is no frame.
_MOST_FRAMING = 16


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a request whose head is too large, 408 to one whose head does not come, and closes.

    What is not body counts as head: request line, headers, trailers, the frames of chunks.
    """

    max_head_bytes: ClassVar[int] = 64 * 1024
    head_seconds: ClassVar[float] = 20.0  # from the first byte of a request to the end of its headers

    _received = _body = 0  # bytes of the request at hand, and how many of them were its body
    _refused = False
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a first request as long as for a further one."""
        super().connection_made(transport)
        self._be_patient(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._be_patient(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count, and refuse what is too much."""
        if self._refused:
            return
        self._received += len(data)
        super().data_received(data)
        self._check_size()

    def on_message_begin(self) -> None:
        """A request begins, its first bytes in what was received last."""
        super().on_message_begin()
        self._received = self._body = 0
        self._be_patient(self.head_seconds)

    def on_headers_complete(self) -> None:
        """Go on with the request, unless its head came too large in one piece."""
        self._be_patient(None)
        self._received = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._check_size()
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of the body."""
        self._body += len(body)
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand on the end of the body."""
        if not self._refused:
            super().on_message_complete()

    def _check_size(self) -> None:
        if not self._refused and self._received - (_MOST_FRAMING + 1) * self._body > self.max_head_bytes:
            self._refuse(
                HeadersTooLarge(
                    f"The headers of the request are larger than {self.max_head_bytes / 1024:g} KiB.",
                    max_bytes=self.max_head_bytes,
                )
            )

    def _be_patient(self, seconds: float | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if seconds is None else self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if self._received:
            self._refuse(RequestTimeout(f"The headers have not come within {self.head_seconds:g} seconds."))
        else:
            self.transport.close()

    def _refuse(self, error: OcrError) -> None:
        self._refused = True
        # Beside an answer on its way there is no place for another.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_answer(error))
        self.transport.close()


def _answer(error: OcrError) -> bytes:
    problem = problems.describe(error)
    body: dict[str, Any] = problem.body(instance="", request_id=open_record({}).request_id)
    content = json.dumps(body, ensure_ascii=False).encode()
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        f"Content-Type: {problems.MEDIA_TYPE}\r\n"
        f"Content-Length: {len(content)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + content
