"""Documents from JSON: what the answer of a service contains, as the result types of this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ocrsvc.formats.json_blocks import from_records
from ocrsvc.results import (
    Alternative,
    Character,
    Document,
    Field,
    FieldError,
    Layout,
    Line,
    ModelId,
    Page,
    Polygon,
)


def document_of(body: Mapping[str, Any], layout: Layout = "lines") -> Document:
    """Return the document of an answer in format json, or of one record of jsonl; ``layout``: as it was asked for.

    Numbers are as precise as the answer has them. Raises KeyError, TypeError or ValueError if the body is no answer.
    """
    lines = tuple(map(_line, body["lines"]))
    return Document(
        lines,
        tuple(map(_page, body["pages"])),
        ModelId(body["model"]["name"], body["model"]["digest"]),
        dict(body["timing_ms"]),
        from_records(body.get("blocks", ()), lines),
        layout,
        tuple(map(_field, body.get("fields", ()))),
    )


def _page(body: Mapping[str, Any]) -> Page:
    return Page(
        body["number"], body["width"], body["height"], body.get("lines_omitted", 0), body["orientation"]
    )


def _line(body: Mapping[str, Any]) -> Line:
    return Line(
        body["text"],
        body["confidence"],
        _polygon(body["polygon"]),
        body["page"],
        tuple(map(_character, body.get("characters", ()))),
        body["needs_review"],
        body.get("free_text"),
        _alternatives(body),
        body.get("source", "recognised"),
        body.get("model"),
    )


def _character(body: Mapping[str, Any]) -> Character:
    return Character(body["text"], body["confidence"], body["start"], body["end"], _alternatives(body))


def _alternatives(body: Mapping[str, Any]) -> tuple[Alternative, ...]:
    return tuple(Alternative(each["text"], each["confidence"]) for each in body.get("alternatives", ()))


def _field(body: Mapping[str, Any]) -> Field:
    error = body.get("error")
    return Field(
        body["name"],
        body["page"],
        _polygon(body["polygon"]),
        body["text"],
        body["value"],
        body["valid"],
        body["changed_from"],
        body["margin"],
        body["confidence"],
        None if error is None else FieldError(error["code"], error["detail"]),
    )


def _polygon(points: Sequence[Sequence[float]]) -> Polygon:
    return cast(Polygon, tuple((float(x), float(y)) for x, y in points))
