"""Answers that are sent piece by piece: records as JSON Lines or as server-sent events, and their response."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ocrsvc.formats import json_format

KEEP_ALIVE_SECONDS = 15.0  # proxies close a connection on which nothing comes for a minute


@dataclass(frozen=True, slots=True)
class Encoding:
    """How records are written: ``events`` as server-sent events, else as JSON Lines.

    ``keep_alive`` is sent while there is nothing to say; empty where the format has no room for it.
    """

    media_type: str
    events: bool
    keep_alive: bytes = b""

    def encode(self, record: Mapping[str, Any], event: str, number: int | None = None) -> bytes:
        """Return one record; ``event`` and ``number`` are the name and the id of a server-sent event."""
        data = json_format.encode(dict(record))
        if not self.events:
            return data + b"\n"
        head = f"event: {event}\n" + ("" if number is None else f"id: {number}\n")
        return head.encode() + b"data: " + data + b"\n\n"


LINES = Encoding("application/jsonl", events=False)
EVENTS = Encoding("text/event-stream", events=True, keep_alive=b": still reading\n\n")


class StreamedResponse(StreamingResponse):
    """Sends the pieces as they come and closes ``resources`` at the end, even if no piece was taken."""

    def __init__(
        self, pieces: AsyncGenerator[bytes, None], resources: AsyncExitStack, *, media_type: str
    ) -> None:
        # Without the first header, Nginx buffers the answer until all has come.
        headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
        super().__init__(pieces, media_type=media_type, headers=headers)
        self._resources = resources
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._pieces.aclose()
            await self._resources.aclose()
