"""Parses JSON bodies: base64 members become pictures, other members become parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from ocrsvc.errors import EmptyInput, InvalidParameter, InvalidRequest, reason
from ocrsvc.service import unknown_names
from ocrsvc.service.pictures import (
    SMALL_BYTES,
    Picture,
    Upload,
    UploadLimits,
    check_count,
    file_name,
    too_many,
    valid_text,
)
from ocrsvc.text import nearest

_MAX_VALUES = 4000  # most values besides pictures: 128 regions with all their members have 3 000
_ENTRY = ("image", "file")  # members of a picture with a name
_JSON = {"regions": list, "ignore": list, "template": dict}  # parameters that are JSON themselves


def parse(content: bytes, names: Sequence[str], limits: UploadLimits, foreign: Sequence[str] = ()) -> Upload:
    """Return the pictures and the other members of a JSON object.

    ``foreign``: members that hold the picture of a request after the contract of another service; the others of such
    a request may be anything. Raises InvalidRequest, EmptyInput, TooManyFiles or InvalidParameter.
    """
    message = load(content, (names or foreign)[0], files=limits.files)
    other = next((name for name in foreign if message.get(name) is not None), None)
    if other is not None and not any(message.get(name) is not None for name in names):
        picture = message.pop(other)
        if not isinstance(picture, str):
            raise InvalidRequest(f"{other!r} must be base64 text, not {_kind(picture)}.")
        return Upload((Picture(other, picture, other),), {}, message)
    return _own(message, names or foreign, limits)


def load(content: bytes, name: str, *, files: int = 1) -> dict[str, Any]:
    """Return a JSON object, of which ``name`` is the main member; raises InvalidRequest."""
    # Limits memory: an object of three bytes of JSON takes 64 bytes in Python. Base64 has none of these characters.
    values = sum(map(content.count, (b"{", b"[", b",")))
    if values > (most := _MAX_VALUES + 4 * files):
        raise InvalidRequest(f"The JSON has more than {most} commas, braces and brackets: send fewer values.")
    try:
        # The standard library first decodes the body to text, four bytes a character if one of them is an emoji.
        message = json.loads(content) if len(content) <= SMALL_BYTES else from_json(content)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The JSON is not UTF-8: wrong byte at position {error.start}.") from error
    except RecursionError as error:
        raise InvalidRequest("The JSON is nested too deeply.") from error
    except ValueError as error:
        raise InvalidRequest(f"The body is not JSON: {reason(error)}.") from error
    if not isinstance(message, dict):
        raise InvalidRequest(f'The JSON must be an object such as {{"{name}": ...}}, not {_kind(message)}.')
    return message


def _own(message: dict[str, Any], names: Sequence[str], limits: UploadLimits) -> Upload:
    name = next((name for name in names if message.get(name) is not None), None)
    if name is None:
        for each in message:
            if each not in names and nearest(each.lower(), names):
                raise unknown_names.unknown("member", each, names)
        raise InvalidRequest(f"The JSON has no member {names[0]!r}, which must hold the picture in base64.")
    value = message[name]
    entries = value if isinstance(value, list) else [value]
    if isinstance(value, list) and limits.files == 1 and len(entries) != 1:
        raise too_many(1)
    if not entries:
        raise EmptyInput(f"The list {name!r} is empty.")
    check_count(len(entries), limits.files)
    pictures = tuple(_entry(entry, name, index) for index, entry in enumerate(entries))
    return Upload(
        pictures,
        {key: _text(key, each) for key, each in message.items() if key not in names and each is not None},
    )


def _entry(entry: Any, name: str, index: int) -> Picture:
    """Return one picture of a JSON body: base64 text, or ``{"file": name, "image": base64}``."""
    if isinstance(entry, str):
        return Picture(f"{name}-{index}", entry, name)
    if isinstance(entry, dict) and isinstance(entry.get("image"), str):
        unknown_names.check(f"member of {name!r}, item {index}:", entry, _ENTRY)
        return Picture(file_name(str(entry.get("file") or "")) or f"{name}-{index}", entry["image"], name)
    raise InvalidRequest(
        f"{name!r}, item {index}: a picture must be base64 text or a data URI, not {_kind(entry)}."
    )


def _text(name: str, value: Any) -> str:
    if name in _JSON and isinstance(value, _JSON[name]):
        return valid_text(name, json.dumps(value, ensure_ascii=False))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return valid_text(name, str(value))
    raise InvalidParameter(f"{name[:40]!r} must be text, a number or a boolean, not {_kind(value)}.")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
