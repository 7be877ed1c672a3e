"""Exchanges with a server over kept connections: the whole answer to each request, and what became of one without.

``load.py`` counts answers as fast as it can. This is for benches that look into every answer, send what is no request,
and hang up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httptools

BOUNDARY = "part-of-a-form"


class Refused(Exception):
    """Nobody takes connections on this port."""


class Broken(Exception):
    """The connection ended before the answer did. ``seconds``: the loop's time when the request had been sent."""

    def __init__(self, seconds: float) -> None:
        super().__init__("the connection ended without an answer")
        self.seconds = seconds


@dataclass(frozen=True)
class Answer:
    """One answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, which is JSON."""
        return json.loads(self.body)


def request(
    body: bytes, path: str = "/api/ocr", *, content_type: str = "", method: str = "POST", **headers: str
) -> bytes:
    """Return a whole request that keeps the connection; underscores in names of headers stand for hyphens."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    if content_type:
        head.append(f"Content-Type: {content_type}")
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def form(parts: list[tuple[str, str | None, bytes]]) -> tuple[bytes, str]:
    """Return a multipart body of parts (field, file name or None, content), and its content type."""
    made = []
    for name, file, content in parts:
        named = f'; filename="{file}"' if file is not None else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
        made.append(head.encode() + content + b"\r\n")
    return b"".join(made) + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


class Client:
    """Keeps connections to one port of localhost. ``port`` may change; connections to the old one are then left."""

    def __init__(self, port: int, patience_seconds: float = 120.0) -> None:
        self.port = port
        self._patience_seconds = patience_seconds
        self._free: list[_Connection] = []

    async def ask(self, content: bytes, *, fresh: bool = False) -> Answer:
        """Send a whole request and return its answer; a ``fresh`` one has a connection of its own.

        Raises Refused, Broken, or TimeoutError if the answer takes longer than the patience. Who cancels it hangs up.
        """
        connection = await self._connection(fresh=fresh)
        try:
            async with asyncio.timeout(self._patience_seconds):
                answer = await connection.ask(content)
        except BaseException:
            connection.close()
            raise
        if fresh:
            connection.close()
        elif connection.open:
            self._free.append(connection)
        return answer

    async def send(self, content: bytes) -> _Connection:
        """Send bytes over a new connection, and return it, without waiting for an answer."""
        connection = await self._connection(fresh=True)
        connection.write(content)
        return connection

    def close(self) -> None:
        """Hang up everywhere."""
        while self._free:
            self._free.pop().close()

    async def _connection(self, *, fresh: bool) -> _Connection:
        while self._free and not fresh:
            connection = self._free.pop()
            if connection.open and connection.port == self.port:
                return connection
            connection.close()
        loop = asyncio.get_running_loop()
        port = self.port
        try:
            _, made = await loop.create_connection(lambda: _Connection(port), "127.0.0.1", port)
        except OSError as error:
            raise Refused(str(error)) from error
        return made


@dataclass
class _Connection(asyncio.Protocol):
    """One connection with at most one request on its way."""

    port: int
    open: bool = False
    _transport: asyncio.Transport | None = None
    _answer: asyncio.Future[Answer] | None = None
    _sent: float = 0.0
    _headers: dict[str, str] = field(default_factory=dict)
    _body: list[bytes] = field(default_factory=list)
    _parser: httptools.HttpResponseParser | None = None

    def write(self, content: bytes) -> None:
        """Send bytes."""
        assert self._transport is not None
        self._transport.write(content)

    def ask(self, content: bytes) -> asyncio.Future[Answer]:
        """Send a whole request and return what its answer will be."""
        loop = asyncio.get_running_loop()
        self._answer, self._sent = loop.create_future(), loop.time()
        if not self.open:
            self._fail()
            return self._answer
        self._parser = httptools.HttpResponseParser(self)
        self.write(content)
        return self._answer

    def close(self) -> None:
        """Hang up."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.open = cast(asyncio.Transport, transport), True

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self._fail()

    def data_received(self, data: bytes) -> None:
        try:
            if self._parser is not None:
                self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200:
            return  # 1xx is not the answer yet; the parser goes on with what follows
        if not self._parser.should_keep_alive():
            self.open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(status, self._headers, b"".join(self._body)))
        if not self.open and self._transport is not None:
            self._transport.close()

    def _fail(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Broken(self._sent))
