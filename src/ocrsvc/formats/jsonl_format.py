"""JSON Lines (jsonlines.org): one object a file, so that the readings of many files can be concatenated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocrsvc.formats import json_format
from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.results import Document


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return ``document`` as one line of JSON, ``file`` first if it is known."""
    return json_format.encode(json_format.as_mapping(document, rendering)) + b"\n"


def render_error(file: str, error: Mapping[str, Any]) -> bytes:
    """Return the line of a file that could not be read: ``{"file": ..., "error": {...}}``."""
    return json_format.encode({"file": file, "error": dict(error)}) + b"\n"


FORMAT = Format("jsonl", "application/jsonl", ".jsonl", render)
