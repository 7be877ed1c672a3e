"""The pictures of a request and the limits on them, whichever kind of body they came in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile

from ocrsvc.errors import EmptyInput, InvalidParameter, TooLarge, TooManyFiles
from ocrsvc.service import base64_image

NO_BODY = "The request has no body; send a picture."
SMALL_BYTES = 64 * 1024  # a body of this size is decoded on the event loop, in well under a millisecond

_MAX_NAME_CHARACTERS = 255  # of a file name; the rest is cut off


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
        elif len(content) <= SMALL_BYTES:
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
class UploadLimits:
    """How much one request may bring: ``body_bytes`` as JSON or raw, ``multipart_bytes`` as a form."""

    body_bytes: int
    multipart_bytes: int
    files: int


def valid_text(name: str, text: str) -> str:
    """The text, if it can be written down; half of a surrogate pair cannot, and JSON and odd codecs bring it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidParameter(f"{name[:40]!r} is no Unicode text: {error.reason}.") from error
    return text


def file_name(text: str | None) -> str:
    """A file name that can be written down."""
    return (text or "")[:_MAX_NAME_CHARACTERS].encode("utf-8", "replace").decode()


def check_count(count: int, max_files: int) -> None:
    if count > max_files:
        raise too_many(max_files)


def too_many(max_files: int) -> TooManyFiles:
    if max_files == 1:
        return TooManyFiles("Send one picture; /api/ocr/batch takes many.", max_files=1)
    return TooManyFiles(f"Send at most {max_files} files in one request.", max_files=max_files)
