"""Parses multipart/form-data: files and base64 fields become pictures, other fields become parameters."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ocrsvc.errors import EmptyInput, InvalidRequest, reason
from ocrsvc.service import body, unknown_names
from ocrsvc.service.pictures import (
    NO_BODY,
    Picture,
    Upload,
    UploadLimits,
    check_count,
    file_name,
    too_many,
    valid_text,
)
from ocrsvc.service.record import record_of
from ocrsvc.service.request_limit import ReceivedBody
from ocrsvc.text import nearest

_IN_MEMORY_FILES = 2  # a picture, or a reading and its document
_MAX_FIELDS = 32  # there are fewer than ten parameters


async def parse(
    request: Request,
    names: Sequence[str],
    limits: UploadLimits,
    received: ReceivedBody,
    *,
    lenient: bool = False,
) -> Upload:
    """Return the pictures and fields of a form; raise InvalidRequest, EmptyInput, TooManyFiles or InvalidParameter.

    ``lenient``: files in other fields are ignored, as the contracts of other services have it.
    """
    form = await received_form(request, limits, received)
    try:
        return _from_form(form, names, limits.files, lenient=lenient)
    except BaseException:
        await form.close()
        raise


async def received_form(request: Request, limits: UploadLimits, received: ReceivedBody) -> FormData:
    """Return the parts of a form; raise InvalidRequest, EmptyInput or TooManyFiles."""
    stream = body.chunks(request, limit_bytes=limits.multipart_bytes, received=received)
    parser = MultiPartParser(
        request.headers,
        stream,
        max_files=limits.files + 1,
        max_fields=_MAX_FIELDS + limits.files,
        max_part_size=limits.body_bytes,
    )
    if limits.files <= _IN_MEMORY_FILES:
        # These are held in memory anyway. Without a temporary file, a read-only file system is enough.
        parser.spool_max_size = limits.multipart_bytes + 1
    try:
        form = await parser.parse()
    except (LookupError, UnicodeError) as error:
        raise InvalidRequest(
            f"The charset of the form does not decode its fields: {reason(error)}."
        ) from error
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise too_many(limits.files) from error
        raise InvalidRequest(f"Wrong multipart body: {error.message}") from error
    finally:
        await stream.aclose()
    if not record_of(request.scope).body_bytes:
        raise EmptyInput(NO_BODY)
    return form


def _from_form(form: FormData, names: Sequence[str], max_files: int, *, lenient: bool) -> Upload:
    pictures: list[Picture] = []
    fields: dict[str, str] = {}
    strangers: list[str] = []
    for name, value in form.multi_items():
        if name in names or (name.endswith("[]") and name[:-2] in names):
            # A text field holds base64, as in `curl -F "image=<picture.b64"`.
            filename = value.filename if isinstance(value, UploadFile) else None
            pictures.append(
                Picture(file_name(filename) or f"{name}-{len(pictures)}", value, name.removesuffix("[]"))
            )
        elif isinstance(value, str):
            fields[name] = valid_text(name, value)
        else:
            strangers.append(name)
    for name in strangers:
        if not lenient and (pictures or nearest(name.lower(), names)):
            raise unknown_names.unknown("file", name, names)
    if not pictures:
        hint = f"; there is a file in {strangers[0][:40]!r}" if strangers else ""
        raise InvalidRequest(f"The form has no picture: send the file in the field {names[0]!r}{hint}.")
    check_count(len(pictures), max_files)
    return Upload(tuple(pictures), fields)
