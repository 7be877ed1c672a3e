"""Output formats of a Document, for the service and the command line.

``FORMATS`` maps a name to its media type, file suffix and renderer; :func:`render` is the entry point.
"""

from __future__ import annotations

from types import MappingProxyType

from ocrsvc.errors import UnknownFormat
from ocrsvc.formats import (
    alto_format,
    csv_format,
    docx_format,
    hocr_format,
    json_format,
    jsonl_format,
    markdown_format,
    pagexml_format,
    pdf_format,
    text_format,
    tsv_format,
    xlsx_format,
)
from ocrsvc.formats.format import Format, Granularity, Rendering
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
            docx_format.FORMAT,
            hocr_format.FORMAT,
            alto_format.FORMAT,
            pagexml_format.FORMAT,
            pdf_format.FORMAT,
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


def of_file(name: str) -> Format | None:
    """Return the format of a file with this name, None if its suffix is of none; ``.page.xml`` is not ``.xml``."""
    found = [
        each
        for each in FORMATS.values()
        if len(name) > len(each.suffix) and name.lower().endswith(each.suffix)
    ]
    return max(found, key=lambda each: len(each.suffix), default=None)


def render(
    name: str,
    document: Document,
    *,
    file: str | None = None,
    granularity: Granularity = "line",
    request_id: str | None = None,
    source: bytes | None = None,
    password: str | None = None,
) -> bytes:
    """Return ``document`` in the format ``name``; raises UnknownFormat.

    The other arguments are those of ``Rendering``: they appear only in formats that have a place for them.
    """
    rendering = Rendering(file, request_id, granularity, source, password)
    return find(name).render(document, rendering)


__all__ = ["FORMATS", "Format", "Granularity", "Rendering", "find", "of_file", "render"]
