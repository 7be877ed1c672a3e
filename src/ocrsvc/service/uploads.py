"""The three ways to send pictures (multipart, JSON with base64, the raw bytes), made one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ocrsvc.errors import (
    EmptyInput,
    InvalidParameter,
    InvalidRequest,
    TooLarge,
    TooManyFiles,
    UnsupportedMedia,
    reason,
)
from ocrsvc.service import base64_image, body
from ocrsvc.service.record import record_of
from ocrsvc.service.request_limit import ReceivedBody

ONE = ("image", "file")
MANY = ("images", "image", "files", "file")
_RAW_TYPES = ("application/pdf", "application/octet-stream", "")
_MAX_FIELDS = 32  # all parameters together are fewer than ten
_MOST_JSON_VALUES = 1000  # that have nothing to do with pictures
_SMALL_BYTES = 64 * 1024  # what may be decoded on the event loop: well under a millisecond
_MOST_NAME = 255  # characters of a file name; the rest is cut off
_MOST_DISPOSITION = 4096  # bytes; Python's parser takes seconds for 64 kB of semicolons
_NO_BODY = "The request has no body; send a picture."
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Picture:
    """One file of a request, still as it came: bytes, base64 text, or a (perhaps spooled) multipart part."""

    name: str
    content: bytes | str | UploadFile = field(repr=False)

    async def load(self, pool: Executor, *, limit_bytes: int) -> bytes:
        """Return the file's bytes; EmptyInput, TooLarge, or InvalidRequest for wrong base64."""
        content = self.content
        if isinstance(content, UploadFile):
            if (content.size or 0) > limit_bytes:
                raise TooLarge(
                    f"The file is larger than {limit_bytes / 2**20:.3g} MiB.", max_bytes=limit_bytes
                )
            await content.seek(0)  # a file of a batch may be tried again
            data = await content.read()
        elif isinstance(content, bytes):
            data = content
        elif len(content) <= _SMALL_BYTES:
            data = base64_image.decode(content)
        else:
            data = await asyncio.get_running_loop().run_in_executor(pool, base64_image.decode, content)
        if not data:
            raise EmptyInput("The picture is empty: it has no bytes.")
        return data

    async def close(self) -> None:
        """Drop a spooled file."""
        if isinstance(self.content, UploadFile):
            await self.content.close()


@dataclass(frozen=True, slots=True)
class Upload:
    """The pictures of a request, in their order, and the other fields or members that came with them."""

    pictures: tuple[Picture, ...]
    fields: Mapping[str, str]

    async def close(self) -> None:
        """Drop all spooled files."""
        for picture in self.pictures:
            await picture.close()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may bring: ``body_bytes`` as JSON or raw, ``multipart_bytes`` as a form."""

    body_bytes: int
    multipart_bytes: int
    files: int


async def receive(
    request: Request, *, names: Sequence[str], limits: Limits, received: ReceivedBody, pool: Executor
) -> Upload:
    """Return what the client sent; ``names`` are the field names under which pictures may come.

    Raises InvalidRequest for what is malformed, UnsupportedMedia for other content types, and what
    body.chunks raises.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await _multipart(request, names, limits, received)
    content = await body.whole(request, limit_bytes=limits.body_bytes, received=received)
    if not content:
        raise EmptyInput(_NO_BODY)
    if media_type == "application/json" or media_type.endswith("+json"):
        if len(content) <= _SMALL_BYTES:
            return _json(content, names, limits)
        received.hold(len(content))  # its text is held beside it
        return await asyncio.get_running_loop().run_in_executor(pool, _json, content, names, limits)
    if media_type.startswith("image/") or media_type in _RAW_TYPES or _is_binary_form(media_type, content):
        return Upload((Picture(_filename(request), content),), {})
    raise UnsupportedMedia(
        f"A body of type {media_type[:80]!r} is not understood; send multipart/form-data with a field "
        f"{names[0]!r}, application/json, or the picture itself as image/*, application/pdf or "
        "application/octet-stream."
    )


async def _multipart(
    request: Request, names: Sequence[str], limits: Limits, received: ReceivedBody
) -> Upload:
    stream = body.chunks(request, limit_bytes=limits.multipart_bytes, received=received)
    parser = MultiPartParser(
        request.headers,
        stream,
        max_files=limits.files + 1,
        max_fields=_MAX_FIELDS + limits.files,
        max_part_size=limits.body_bytes,
    )
    if limits.files == 1:
        # One picture is held in memory anyway: no temporary file, so that a read-only file system is enough.
        parser.spool_max_size = limits.multipart_bytes + 1
    try:
        form = await parser.parse()
    except (LookupError, UnicodeError) as error:
        raise InvalidRequest(
            f"The charset of the form does not decode its fields: {reason(error)}."
        ) from error
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise _too_many(limits.files) from error
        raise InvalidRequest(f"Wrong multipart body: {error.message}") from error
    finally:
        await stream.aclose()
    if not record_of(request.scope).body_bytes:
        raise EmptyInput(_NO_BODY)
    try:
        return _from_form(form, names, limits.files)
    except BaseException:
        await form.close()
        raise


def _from_form(form: FormData, names: Sequence[str], max_files: int) -> Upload:
    pictures: list[Picture] = []
    fields: dict[str, str] = {}
    strangers: list[str] = []
    for name, value in form.multi_items():
        if name in names or (name.endswith("[]") and name[:-2] in names):
            # A text field is base64: `curl -F "image=<picture.b64"`.
            filename = value.filename if isinstance(value, UploadFile) else None
            pictures.append(Picture(_name(filename) or f"{name}-{len(pictures)}", value))
        elif isinstance(value, str):
            fields[name] = _valid(name, value)
        else:
            strangers.append(name)
    if not pictures:
        hint = f"; there is a file in {strangers[0][:40]!r}" if strangers else ""
        raise InvalidRequest(f"The form has no picture: send the file in the field {names[0]!r}{hint}.")
    _check_count(len(pictures), max_files)
    return Upload(tuple(pictures), fields)


def _json(content: bytes, names: Sequence[str], limits: Limits) -> Upload:
    # An object takes 64 bytes for the three that it is written with; base64 has none of these characters.
    values = sum(map(content.count, (b"{", b"[", b",")))
    if values > (most := _MOST_JSON_VALUES + 4 * limits.files):
        raise InvalidRequest(f"The JSON has more than {most} commas, braces and brackets: send fewer values.")
    try:
        # The standard library decodes all of a body to text first: four bytes a character where one is an emoji.
        message = json.loads(content) if len(content) <= _SMALL_BYTES else from_json(content)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The JSON is not UTF-8: wrong byte at position {error.start}.") from error
    except RecursionError as error:
        raise InvalidRequest("The JSON is nested too deeply.") from error
    except ValueError as error:
        raise InvalidRequest(f"The body is not JSON: {reason(error)}.") from error
    if not isinstance(message, dict):
        raise InvalidRequest(
            f'The JSON must be an object such as {{"{names[0]}": ...}}, not {_kind(message)}.'
        )
    name = next((name for name in names if message.get(name) is not None), None)
    if name is None:
        raise InvalidRequest(f"The JSON has no member {names[0]!r}, which must hold the picture in base64.")
    value = message[name]
    entries = value if isinstance(value, list) else [value]
    if isinstance(value, list) and limits.files == 1 and len(entries) != 1:
        raise _too_many(1)
    if not entries:
        raise EmptyInput(f"The list {name!r} is empty.")
    _check_count(len(entries), limits.files)
    pictures = tuple(_entry(entry, name, index) for index, entry in enumerate(entries))
    return Upload(
        pictures,
        {key: _text(key, each) for key, each in message.items() if key not in names and each is not None},
    )


def _entry(entry: Any, name: str, index: int) -> Picture:
    """Return one picture of a JSON body: base64 text, or ``{"file": name, "image": base64}``."""
    if isinstance(entry, str):
        return Picture(f"{name}-{index}", entry)
    if isinstance(entry, dict) and isinstance(entry.get("image"), str):
        return Picture(_name(str(entry.get("file") or "")) or f"{name}-{index}", entry["image"])
    raise InvalidRequest(
        f"{name!r}, item {index}: a picture must be base64 text or a data URI, not {_kind(entry)}."
    )


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return _valid(name, str(value))
    raise InvalidParameter(f"{name[:40]!r} must be text, a number or a boolean, not {_kind(value)}.")


def _valid(name: str, text: str) -> str:
    """The text, if it can be written down; half of a surrogate pair cannot, and JSON and odd codecs bring it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidParameter(f"{name[:40]!r} is no Unicode text: {error.reason}.") from error
    return text


def _name(text: str | None) -> str:
    """A file name that can be written down."""
    return (text or "")[:_MOST_NAME].encode("utf-8", "replace").decode()


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _check_count(count: int, max_files: int) -> None:
    if count > max_files:
        raise _too_many(max_files)


def _too_many(max_files: int) -> TooManyFiles:
    if max_files == 1:
        return TooManyFiles("Send one picture; /api/ocr/batch takes many.", max_files=1)
    return TooManyFiles(f"Send at most {max_files} files in one request.", max_files=max_files)


def _filename(request: Request) -> str:
    """Return the name in a raw body's Content-Disposition, if it has one."""
    disposition = request.headers.get("content-disposition")
    if disposition is None:
        return "image"
    if len(disposition) > _MOST_DISPOSITION:
        raise InvalidRequest(f"Content-Disposition is longer than {_MOST_DISPOSITION} bytes.")
    header = Message()
    header["content-disposition"] = disposition
    try:
        return _name(header.get_filename()) or "image"
    except (LookupError, ValueError, TypeError) as error:  # odd charsets and numbers in filename*
        raise InvalidRequest(f"Content-Disposition names no file: {reason(error)}.") from error


def _is_binary_form(media_type: str, content: bytes) -> bool:
    """Tell whether this is what ``curl --data-binary @file`` sends without a Content-Type of its own."""
    return (media_type == _FORM and not content[:64].isascii()) or (
        media_type == _FORM and content[:4] == b"%PDF"
    )
