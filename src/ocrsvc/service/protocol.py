"""uvicorn's HTTP/1.1 protocol with limits on the size of a request's head and on its time, a door that refuses
requests by their heads, and a gentle shutdown.

uvicorn has no such limits with httptools: endless headers would fill the memory, and a client that sends none would
keep its connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from starlette.datastructures import Headers
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ocrsvc.errors import HeadersTooLarge, OcrError, RequestTimeout
from ocrsvc.service import problems
from ocrsvc.service.door import Door
from ocrsvc.service.record import open_record

# Each chunk of a chunked body has about six bytes of framing; more than this many times the body is not framing.
_MOST_FRAMING = 16
_REQUEST_LINE_BYTES = 32  # at most, without the address: method, version, line ends


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 if a request's head is too large, 408 if it is too late, and closes the connection.

    All bytes but the body count as head: request line, headers, trailers, and the framing of chunks.
    """

    max_head_bytes: ClassVar[int] = 64 * 1024
    head_seconds: ClassVar[float] = 20.0  # from the first byte of a request to the end of its headers
    door: ClassVar[Door | None] = None
    linger_seconds: ClassVar[float] = 0.5  # at a shutdown, for a request that the client has sent already

    _received = _body = 0  # bytes received of the current request, and bytes of its body
    _unclaimed = 0  # bytes of the piece of data in work that belong to no request yet
    _refused = _turned_away = False
    _leaving = False
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the timeout for the first request, as long as the one between requests."""
        super().connection_made(transport)
        self._be_patient(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timeout."""
        self._be_patient(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes, and refuse the request if its head is too large."""
        if self._refused:
            return
        self._received += len(data)
        self._unclaimed = len(data)
        super().data_received(data)
        self._check_size()

    def shutdown(self) -> None:
        """Close the connection after the present request; one at rest only after ``linger_seconds``.

        uvicorn closes that at once, and with it a request that is on its way or not yet read. Here it is answered.
        """
        self._leaving = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(self.linger_seconds, self._leave)
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        """Reset the count and start the timeout for the head."""
        super().on_message_begin()
        self._received, self._body = max(0, self._unclaimed), 0
        self._be_patient(self.head_seconds)

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is too large, which one large piece of data may make it."""
        self._be_patient(None)
        self._received = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._unclaimed -= self._received + _REQUEST_LINE_BYTES
        self._check_size()
        if not self._refused and not self._turn_away():
            super().on_headers_complete()
            if self._leaving and self.cycle is not None:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Count a piece of the body and pass it on."""
        self._body += len(body)
        self._unclaimed -= len(body)
        if not self._refused and not self._turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Pass on the end of the body."""
        if self._turned_away:
            self._turned_away = False
            self._be_patient(None)
            self.on_response_complete()
        elif not self._refused:
            super().on_message_complete()

    def _turn_away(self) -> bool:
        """Answer the request if the door does so; its body will be discarded, and the connection kept."""
        plain = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        if self.door is None or self._leaving or not plain or self.parser.should_upgrade():
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False  # it may be answered only after the one before it
        path = self.url.partition(b"?")[0]
        answer = self.door.refusal(
            self.parser.get_method(),
            path,
            self.headers,
            self.client,
            always=self.server_state.default_headers,
        )
        if answer is not None:
            self.transport.write(answer)
            self._turned_away = True
            self._be_patient(self.timeout_keep_alive)
        return self._turned_away

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

    def _leave(self) -> None:
        head_is_coming = self._patience is not None and self._received > 0
        if not head_is_coming and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def _refuse(self, error: OcrError) -> None:
        self._refused = True
        # No second answer, also while one is being sent.
        if not self._turned_away and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_answer(error))
        self.transport.close()


def guarded(door: Door) -> type[BoundedProtocol]:
    """Return the protocol with a door."""
    return type("GuardedProtocol", (BoundedProtocol,), {"door": door})


def _answer(error: OcrError) -> bytes:
    request_id = open_record(Headers()).request_id
    return problems.message(
        problems.describe(error), [(b"Connection", b"close")], instance="", request_id=request_id
    )
