"""Decoding of pictures sent as base64 or a data URI, with precise error messages."""

from __future__ import annotations

import base64
import binascii
import re

from ocrsvc.errors import EmptyInput, InvalidRequest, reason

_WHITESPACE = re.compile(r"\s+")
_STRANGER = re.compile(r"[^A-Za-z0-9+/_=-]")
_MISPLACED_PADDING = re.compile(r"=(?!=?$)")


def decode(text: str) -> bytes:
    """Return the bytes encoded by base64 text or a ``data:...;base64,`` URI.

    White space, the URL-safe alphabet (``-_``) and missing padding are accepted, because encoders differ.
    Raises InvalidRequest, which says what is wrong and where, or EmptyInput if there are no characters.
    """
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise InvalidRequest("This data URI is not base64; send data:image/png;base64,iVBOR...")
    elif text[:8].lower().startswith(("http://", "https://")):
        raise InvalidRequest("The service fetches no URLs; send the picture itself, as a file or as base64.")
    text = _WHITESPACE.sub("", text)
    if not text:
        raise EmptyInput("The picture is empty: there are no base64 characters.")
    if stranger := _STRANGER.search(text):
        at = stranger.start()
        raise InvalidRequest(
            f"Wrong base64: character {stranger.group()!r} at position {at} is not of its alphabet."
        )
    if misplaced := _MISPLACED_PADDING.search(text):
        raise InvalidRequest(
            f"Wrong base64: the padding '=' at position {misplaced.start()} is not at the end."
        )
    # `replace` copies the text only if there is something to replace.
    digits = text.rstrip("=").replace("-", "+").replace("_", "/")
    if len(digits) % 4 == 1:
        raise InvalidRequest(
            f"Wrong base64: {len(digits)} characters cannot be whole bytes; the end may be cut off."
        )
    try:
        data = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except binascii.Error as error:
        raise InvalidRequest(f"Wrong base64: {reason(error)}.") from error
    if not data:
        raise EmptyInput("The picture is empty: there are no base64 characters.")
    return data
