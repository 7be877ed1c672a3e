"""The pictures of a request and the limits on them, the same for every kind of body."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile

from ocrsvc.errors import EmptyInput, InvalidParameter, TooLarge, TooManyFiles
from ocrsvc.service import base64_image

NO_BODY = "The request has no body; send a picture."
SMALL_BYTES = 64 * 1024  # a body of this size is decoded on the event loop, in well under a millisecond

_MAX_NAME_CHARACTERS = 255  # longer file names are cut off


@dataclass(frozen=True, slots=True)
class Picture:
    """One file of a request as received: bytes, base64 text, or a multipart part (in memory or a temporary file).

    ``member``: the form field or JSON member that it came in; empty for a raw body.
    """

    name: str
    content: bytes | str | UploadFile = field(repr=False)
    member: str = ""

    async def load(self, pool: Executor, *, limit_bytes: int) -> bytes:
        """Return the file's bytes; raise EmptyInput, TooLarge, or InvalidRequest for wrong base64."""
        content = self.content
        if isinstance(content, UploadFile):
            if (content.size or 0) > limit_bytes:
                raise TooLarge(
                    f"The file is larger than {limit_bytes / 2**20:.3g} MiB.", max_bytes=limit_bytes
                )
            await content.seek(0)  # a batch may load its file again
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
        """Delete the temporary file, if there is one."""
        if isinstance(self.content, UploadFile):
            await self.content.close()


@dataclass(frozen=True, slots=True)
class Upload:
    """Pictures of a request, in order, and the other form fields or JSON members.

    ``foreign``: the other members of a request after the contract of another service, whatever they are.
    """

    pictures: tuple[Picture, ...]
    fields: Mapping[str, str]
    foreign: Mapping[str, Any] = field(default_factory=dict)

    async def close(self) -> None:
        """Delete all temporary files."""
        for picture in self.pictures:
            await picture.close()


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Limits on one request: ``body_bytes`` for JSON and raw bodies, ``multipart_bytes`` for forms."""

    body_bytes: int
    multipart_bytes: int
    files: int


def valid_text(name: str, text: str) -> str:
    """Return the text; raise InvalidParameter if it has a lone surrogate, as JSON and odd codecs may produce."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidParameter(f"{name[:40]!r} is no Unicode text: {error.reason}.") from error
    return text


def file_name(text: str | None) -> str:
    """Return the file name, shortened, with "?" for lone surrogates, which UTF-8 cannot encode."""
    return (text or "")[:_MAX_NAME_CHARACTERS].encode("utf-8", "replace").decode()


def check_count(count: int, max_files: int) -> None:
    if count > max_files:
        raise too_many(max_files)


def too_many(max_files: int) -> TooManyFiles:
    if max_files == 1:
        return TooManyFiles("Send one picture; /api/ocr/batch takes many.", max_files=1)
    return TooManyFiles(f"Send at most {max_files} files in one request.", max_files=max_files)
