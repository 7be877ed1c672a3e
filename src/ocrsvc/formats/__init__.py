"""Output formats of a Document, for the service and the command line.

``FORMATS`` maps a name to its media type, file suffix and renderer; :func:`render` is the entry point.
"""

from __future__ import annotations

from types import MappingProxyType

from ocrsvc.errors import UnknownFormat
from ocrsvc.formats import (
    csv_format,
    json_format,
    jsonl_format,
    markdown_format,
    text_format,
    tsv_format,
    xlsx_format,
)
from ocrsvc.formats.format import Format, Rendering
from ocrsvc.results import Document

FORMATS = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            text_format.FORMAT,
            json_format.FORMAT,
            jsonl_format.FORMAT,
            tsv_format.FORMAT,
            markdown_format.FORMAT,
            csv_format.FORMAT,
            xlsx_format.FORMAT,
        )
    }
)


def find(name: str) -> Format:
    """Return the format called ``name``; raises UnknownFormat."""
    try:
        return FORMATS[name]
    except KeyError:
        raise UnknownFormat(
            f"There is no output format {name[:40]!r}; use one of {', '.join(FORMATS)}.",
            allowed=list(FORMATS),
        ) from None


def render(
    name: str,
    document: Document,
    *,
    file: str | None = None,
    characters: bool = False,
    request_id: str | None = None,
) -> bytes:
    """Return ``document`` in the format ``name``; raises UnknownFormat.

    ``file``, ``characters`` and ``request_id`` appear only in json and jsonl.
    """
    return find(name).render(document, Rendering(file=file, characters=characters, request_id=request_id))


__all__ = ["FORMATS", "Format", "Rendering", "find", "render"]
