"""Receives request bodies and counts their bytes as they arrive, because a Content-Length may be wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import ClientDisconnect, Request

from ocrsvc.errors import OcrError, RequestTimeout, ShuttingDown, TooLarge
from ocrsvc.service.record import record_of
from ocrsvc.service.request_limit import ReceivedBody

STALL_SECONDS = 30.0  # longest gap between two pieces of a body; slower clients waste memory
# A body may take STALL_SECONDS plus a second for this many bytes received, but never longer than LONGEST_SECONDS.
LEAST_BYTES_PER_SECOND = 1024
LONGEST_SECONDS = 600.0


async def chunks(
    request: Request, *, limit_bytes: int, received: ReceivedBody, stall_seconds: float = STALL_SECONDS
) -> AsyncGenerator[bytes, None]:
    """Yield the body piece by piece.

    Raises TooLarge as soon as the body, or its Content-Length, exceeds ``limit_bytes``; the server then discards the
    rest. Raises Saturated if all bodies together exceed their limit, RequestTimeout if no bytes come for
    ``stall_seconds`` or the body is too slow, ShuttingDown if a shutdown ends the wait, ClientDisconnect if the
    client disconnects.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    record = record_of(request.scope)
    clock = asyncio.get_running_loop().time
    began = last = clock()
    arrived_bytes = 0
    more = True
    while more:
        patience = min(stall_seconds + arrived_bytes / LEAST_BYTES_PER_SECOND, LONGEST_SECONDS)
        try:
            async with received.waiting(min(last + stall_seconds, began + patience)):
                message = await request.receive()
        except TimeoutError:
            raise _late(received, last + stall_seconds <= began + patience, stall_seconds) from None
        last = clock()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        arrived_bytes += len(piece)
        record.body_bytes = arrived_bytes
        if arrived_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        received.hold(len(piece))
        if piece:
            yield piece


async def whole(request: Request, *, limit_bytes: int, received: ReceivedBody) -> bytes:
    """Return the whole body; raises as ``chunks`` does."""
    return b"".join([piece async for piece in chunks(request, limit_bytes=limit_bytes, received=received)])


def _late(received: ReceivedBody, stalled: bool, stall_seconds: float) -> OcrError:
    if received.closed:
        return ShuttingDown(
            "The service is shutting down; the body has not come in time.", retry_after_seconds=2
        )
    if stalled:
        return RequestTimeout(f"No bytes of the body arrived for {stall_seconds:g} seconds.")
    return RequestTimeout(
        f"The body comes too slowly: a request may take {stall_seconds:g} s and 1 s for every "
        f"{LEAST_BYTES_PER_SECOND} bytes, {LONGEST_SECONDS:g} s at most."
    )


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        f"The request body is larger than the limit of {limit_bytes / 2**20:.3g} MiB.", max_bytes=limit_bytes
    )
