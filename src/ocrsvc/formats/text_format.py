"""Plain text: the lines in reading order, UTF-8, with a newline at the end unless nothing was read."""

from __future__ import annotations

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.results import Document


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return the text of ``document`` in UTF-8."""
    text = document.text
    return (text + "\n").encode() if text else b""


FORMAT = Format("text", "text/plain; charset=utf-8", ".txt", render)
