"""Plain text in the layout of the document, UTF-8, with a newline at the end unless nothing was read."""

from __future__ import annotations

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.layouts import text_of
from ocrsvc.results import Document


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return the text of ``document`` in UTF-8."""
    text = text_of(document)
    return (text + "\n").encode() if text else b""


FORMAT = Format("text", "text/plain; charset=utf-8", ".txt", render)
