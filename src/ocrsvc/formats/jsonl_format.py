"""JSON Lines (jsonlines.org): one object a page, so that pages can be written as they are read, and concatenated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ocrsvc.formats import json_format
from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.results import Document


def page_record(
    document: Document, number: int, page_count: int, rendering: Rendering = PLAIN
) -> dict[str, Any]:
    """Return the record of a page: as in json, with ``page`` and ``page_count``; ``document`` holds this page alone."""
    body = json_format.as_mapping(document, rendering)
    return _head(rendering.file, number, page_count) | body


def error_record(
    error: Mapping[str, Any], number: int, page_count: int, file: str | None = None
) -> dict[str, Any]:
    """Return the record of a page that could not be read; ``error`` is a problem document."""
    return _head(file, number, page_count) | {"error": dict(error)}


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return one line of JSON for each page of ``document``, ``file`` first if it is known."""
    if not document.pages:
        return json_format.encode(json_format.as_mapping(document, rendering)) + b"\n"
    lines = []
    for page in document.pages:
        mine = tuple(line for line in document.lines if line.page == page.number)
        blocks = document.blocks_of(page) if document.blocks else ()
        fields = tuple(field for field in document.fields if field.page == page.number)
        alone = replace(document, lines=mine, pages=(page,), blocks=blocks, fields=fields)
        lines.append(json_format.encode(page_record(alone, page.number, len(document.pages), rendering)))
    return b"".join(line + b"\n" for line in lines)


def render_error(file: str, error: Mapping[str, Any]) -> bytes:
    """Return the line of a file that could not be read: ``{"file": ..., "error": {...}}``."""
    return json_format.encode({"file": file, "error": dict(error)}) + b"\n"


def _head(file: str | None, number: int, page_count: int) -> dict[str, Any]:
    head: dict[str, Any] = {} if file is None else {"file": file}
    return head | {"page": number, "page_count": page_count}


FORMAT = Format("jsonl", "application/jsonl", ".jsonl", render)
