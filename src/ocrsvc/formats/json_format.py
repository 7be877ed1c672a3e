"""JSON: one object with the whole result of a reading, as in the answer of POST /api/ocr."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.json_blocks import as_records
from ocrsvc.formats.layouts import text_of
from ocrsvc.formats.words import Word, polygon_of, words_of
from ocrsvc.results import Alternative, Character, Document, Field, Line, Page, Polygon

CONFIDENCE_DIGITS = 4
PIXEL_DIGITS = 1  # finer than the accuracy of any detector
MILLISECOND_DIGITS = 2
MARGIN_DIGITS = 2


def as_mapping(document: Document, rendering: Rendering = PLAIN) -> dict[str, Any]:
    """Return ``document`` as plain lists and dicts, ready for a JSON encoder."""
    body: dict[str, Any] = {} if rendering.file is None else {"file": rendering.file}
    body |= {
        "text": text_of(document),
        "lines": [_line(line, rendering) for line in document.lines],
        "pages": [_page(page) for page in document.pages],
    }
    if document.layout in ("rows", "paragraphs", "tables"):
        body["blocks"] = as_records(document)
    body |= {
        "model": {"name": document.model.name, "digest": document.model.digest},
        "timing_ms": {
            stage: round(float(spent), MILLISECOND_DIGITS) for stage, spent in document.timing_ms.items()
        },
    }
    if document.fields:
        body["fields"] = [_field(field) for field in document.fields]
    if rendering.request_id is not None:
        body["request_id"] = rendering.request_id
    return body


def _page(page: Page) -> dict[str, Any]:
    body = {
        "number": page.number,
        "width": page.width,
        "height": page.height,
        "orientation": page.orientation,
    }
    return body | {"lines_omitted": page.lines_omitted} if page.lines_omitted else body


def _line(line: Line, rendering: Rendering) -> dict[str, Any]:
    body: dict[str, Any] = {
        "text": line.text,
        "confidence": round(float(line.confidence), CONFIDENCE_DIGITS),
        "polygon": _polygon(line.polygon),
        "page": line.page,
        "needs_review": line.needs_review,
    }
    if line.source != "recognised":
        body["source"] = line.source
    if line.model is not None:
        body["model"] = line.model
    if line.free_text is not None:
        body |= {"charset_conflict": True, "free_text": line.free_text}
    if line.alternatives:
        body["alternatives"] = _alternatives(line.alternatives)
    if rendering.words:
        body["words"] = [_word(word) for word in words_of(line)]
    if rendering.characters:
        body["characters"] = [_character(line, character) for character in line.characters]
    return body


def _polygon(polygon: Polygon) -> list[list[float]]:
    return [[round(float(x), PIXEL_DIGITS), round(float(y), PIXEL_DIGITS)] for x, y in polygon]


def _word(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "confidence": round(float(word.confidence), CONFIDENCE_DIGITS),
        "polygon": _polygon(word.polygon),
    }


def _character(line: Line, character: Character) -> dict[str, Any]:
    body: dict[str, Any] = {
        "text": character.text,
        "confidence": round(float(character.confidence), CONFIDENCE_DIGITS),
        "start": round(float(character.start), CONFIDENCE_DIGITS),
        "end": round(float(character.end), CONFIDENCE_DIGITS),
        "polygon": _polygon(polygon_of(line, character)),
    }
    if character.alternatives:
        body["alternatives"] = _alternatives(character.alternatives)
    return body


def _alternatives(alternatives: Sequence[Alternative]) -> list[dict[str, Any]]:
    return [
        {"text": each.text, "confidence": round(float(each.confidence), CONFIDENCE_DIGITS)}
        for each in alternatives
    ]


def _field(field: Field) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": field.name,
        "page": field.page,
        "polygon": [[round(float(x), PIXEL_DIGITS), round(float(y), PIXEL_DIGITS)] for x, y in field.polygon],
        "text": field.text,
        "value": field.value,
        "valid": field.valid,
        "changed_from": field.changed_from,
        "margin": None if field.margin is None else round(float(field.margin), MARGIN_DIGITS),
        "confidence": round(float(field.confidence), CONFIDENCE_DIGITS),
    }
    if field.error is not None:
        body["error"] = {"code": field.error.code, "detail": field.error.detail}
    return body


def encode(body: dict[str, Any]) -> bytes:
    """Return compact UTF-8 JSON on one line; ``allow_nan`` is off because NaN is not JSON."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return ``document`` as one JSON object."""
    return encode(as_mapping(document, rendering)) + b"\n"


FORMAT = Format("json", "application/json", ".json", render)
