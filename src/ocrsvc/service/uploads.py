"""Receives pictures in any of the three forms: multipart, base64 in JSON, or raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from email.message import Message

from starlette.requests import Request

from ocrsvc.errors import EmptyInput, InvalidRequest, UnsupportedMedia, reason
from ocrsvc.service import body, form_body, json_body
from ocrsvc.service.pictures import NO_BODY, SMALL_BYTES, Picture, Upload, UploadLimits, file_name
from ocrsvc.service.request_limit import ReceivedBody

ONE = ("image", "file")
MANY = ("images", "image", "files", "file")

_RAW_TYPES = ("application/pdf", "application/octet-stream", "")
_MAX_DISPOSITION_BYTES = 4096  # Python's parser takes seconds for 64 kB of semicolons
_FORM = "application/x-www-form-urlencoded"


def media_type_of(request: Request) -> str:
    """Return the media type of a body in small letters without its parameters; empty if the request names none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def receive(
    request: Request,
    *,
    names: Sequence[str],
    limits: UploadLimits,
    received: ReceivedBody,
    pool: Executor,
    foreign: Sequence[str] = (),
) -> Upload:
    """Return the pictures and fields of a request; ``names`` are the fields that may hold pictures.

    ``foreign``: those of JSON after the contract of another service (``json_body.parse``). Raises
    InvalidRequest for a malformed body, UnsupportedMedia for another content type, and the errors of the parsers and of
    body.chunks.
    """
    media_type = media_type_of(request)
    if media_type == "multipart/form-data":
        # A form with fields of another service's is one of its own: ours has none.
        lenient = bool(set(foreign) & set(names))
        return await form_body.parse(request, names, limits, received, lenient=lenient)
    content = await body.whole(request, limit_bytes=limits.body_bytes, received=received)
    if not content:
        raise EmptyInput(NO_BODY)
    if media_type == "application/json" or media_type.endswith("+json"):
        if len(content) <= SMALL_BYTES:
            return json_body.parse(content, names, limits, foreign)
        received.hold(len(content))  # the decoded text takes as much memory again
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, json_body.parse, content, names, limits, foreign)
    if media_type.startswith("image/") or media_type in _RAW_TYPES or _is_binary_form(media_type, content):
        return Upload((Picture(_filename(request), content),), {})
    raise UnsupportedMedia(
        f"A body of type {media_type[:80]!r} is not understood; send multipart/form-data with a field "
        f"{(*names, *foreign)[0]!r}, application/json, or the picture itself as image/*, application/pdf or "
        "application/octet-stream."
    )


def _filename(request: Request) -> str:
    """Return the name in a raw body's Content-Disposition, if it has one."""
    disposition = request.headers.get("content-disposition")
    if disposition is None:
        return "image"
    if len(disposition) > _MAX_DISPOSITION_BYTES:
        raise InvalidRequest(f"Content-Disposition is longer than {_MAX_DISPOSITION_BYTES} bytes.")
    header = Message()
    header["content-disposition"] = disposition
    try:
        return file_name(header.get_filename()) or "image"
    except (LookupError, ValueError, TypeError) as error:  # unknown charsets and wrong numbers in filename*
        raise InvalidRequest(f"Content-Disposition names no file: {reason(error)}.") from error


def _is_binary_form(media_type: str, content: bytes) -> bool:
    """Return whether this looks like ``curl --data-binary @file`` without a Content-Type header."""
    return (media_type == _FORM and not content[:64].isascii()) or (
        media_type == _FORM and content[:4] == b"%PDF"
    )
