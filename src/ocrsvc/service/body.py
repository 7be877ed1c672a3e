"""The bytes of a request, counted as they arrive: a Content-Length is a promise, not a fact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import ClientDisconnect, Request

from ocrsvc.errors import RequestTimeout, TooLarge
from ocrsvc.service.door import Visit
from ocrsvc.service.record import record_of

STALL_SECONDS = 30.0  # between two pieces of a body; slower clients hold memory for nothing


async def chunks(
    request: Request, *, limit_bytes: int, visit: Visit, stall_seconds: float = STALL_SECONDS
) -> AsyncGenerator[bytes, None]:
    """Yield the body piece by piece.

    TooLarge as soon as it is, or is announced to be, larger than ``limit_bytes``; the server then
    discards the rest. Saturated if all bodies together are too many, RequestTimeout if nothing comes for
    ``stall_seconds``, ClientDisconnect if the client leaves.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    record = record_of(request.scope)
    more = True
    while more:
        try:
            async with asyncio.timeout(stall_seconds):
                message = await request.receive()
        except TimeoutError:
            raise RequestTimeout(f"No more of the body has come for {stall_seconds:g} seconds.") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        record.body_bytes += len(piece)
        if record.body_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        visit.hold(len(piece))
        if piece:
            yield piece


async def whole(request: Request, *, limit_bytes: int, visit: Visit) -> bytes:
    """Return the whole body; raises as ``chunks`` does."""
    return b"".join([piece async for piece in chunks(request, limit_bytes=limit_bytes, visit=visit)])


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        f"The request body is larger than the limit of {limit_bytes / 2**20:.3g} MiB.", max_bytes=limit_bytes
    )
