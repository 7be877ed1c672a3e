"""What /docs says about the two POST routes: bodies in three forms are described by hand."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from ocrsvc.formats import FORMATS
from ocrsvc.recognition.charsets import named
from ocrsvc.service.parameters import CHARSET_MODES, MODES
from ocrsvc.service.schemas import BatchLineShape, ProblemShape, ReadingShape

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsVzHiwAAAABJRU5ErkJggg=="

PARAMETER_SCHEMAS: dict[str, dict[str, Any]] = {
    "mode": {
        "type": "string",
        "enum": list(MODES),
        "description": "auto: decide by the picture; line: it is one line of text; page: look for lines.",
    },
    "model": {"type": "string", "description": "Name of a recogniser, see GET /api/models."},
    "format": {
        "type": "string",
        "enum": list(FORMATS),
        "description": "Format of the answer; without it the Accept header decides, then json.",
    },
    "charset": {
        "type": "string",
        "description": (
            f"Only read these characters: names of {', '.join(named())} separated by commas, or the characters "
            "themselves after 'chars:', for example digits or chars:0123456789X."
        ),
    },
    "charset_mode": {
        "type": "string",
        "enum": list(CHARSET_MODES),
        "description": (
            "Which lines have charset_conflict and free_text: force: those whose free reading has characters that "
            "the charset's leaves out; report: all whose free reading is another one. Only with a charset."
        ),
    },
    "pages": {"type": "string", "description": "Pages of a PDF or TIFF, for example 1-3,7."},
    "characters": {"type": "boolean", "description": "Add every character with its confidence and place."},
    "review_threshold": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Confidence below which a line has needs_review; default: the model's own.",
    },
}
_FILE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_BASE64 = {"type": "string", "description": "base64, or a data URI"}


def _query(names: list[str]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name in names:
        schema = dict(PARAMETER_SCHEMAS[name])
        description = schema.pop("description")
        parameters.append(
            {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
        )
    return parameters


# The parameters may be form fields too. They are not shown as such: Swagger UI would fill each one in.
def _body(multipart: dict[str, Any], json_schema: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": multipart},
            "application/json": {"schema": json_schema, "examples": examples},
        },
    }


def one_picture() -> dict[str, Any]:
    """Return ``openapi_extra`` of POST /api/ocr."""
    fields = {name: dict(schema) for name, schema in PARAMETER_SCHEMAS.items()}
    body = _body(
        {"type": "object", "required": ["image"], "properties": {"image": _FILE}},
        {"type": "object", "required": ["image"], "properties": {"image": _BASE64, **fields}},
        {
            "base64": {"summary": "base64", "value": {"image": _PIXEL, "mode": "line"}},
            "data-uri": {"summary": "data URI", "value": {"image": f"data:image/png;base64,{_PIXEL}"}},
        },
    )
    for media_type in ("image/*", "application/pdf", "application/octet-stream"):
        body["content"][media_type] = {"schema": _FILE}
    return {"parameters": _query(list(PARAMETER_SCHEMAS)), "requestBody": body}


def many_pictures() -> dict[str, Any]:
    """Return ``openapi_extra`` of POST /api/ocr/batch."""
    names = [name for name in PARAMETER_SCHEMAS if name != "format"]
    fields = {name: dict(PARAMETER_SCHEMAS[name]) for name in names}
    named = {
        "type": "object",
        "required": ["image"],
        "properties": {"file": {"type": "string"}, "image": _BASE64},
    }
    body = _body(
        {
            "type": "object",
            "required": ["images"],
            "properties": {"images": {"type": "array", "items": _FILE}},
        },
        {
            "type": "object",
            "required": ["images"],
            "properties": {"images": {"type": "array", "items": {"anyOf": [_BASE64, named]}}, **fields},
        },
        {
            "base64": {"summary": "base64", "value": {"images": [_PIXEL, _PIXEL], "mode": "line"}},
            "named": {"summary": "with names", "value": {"images": [{"file": "a.png", "image": _PIXEL}]}},
        },
    )
    return {"parameters": _query(names), "requestBody": body}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for these statuses, each a problem document."""
    schema = {"$ref": f"#/components/schemas/{ProblemShape.__name__}"}
    said = {
        400: "Malformed: JSON, base64, multipart, a missing field, no bytes",
        404: "Nothing here",
        406: "The Accept header names no format that we write",
        408: "The body stopped coming",
        413: "More bytes than the limit (max_bytes)",
        415: "Not a picture or PDF that we read",
        422: "Cannot be decoded, too many pixels or pages, an unknown model, format, charset or other value",
        500: "A failure of the service",
        503: "Saturated, starting or shutting down; see Retry-After",
        504: "Not read before the deadline",
    }
    return {
        status: {"description": said[status], "content": {"application/problem+json": {"schema": schema}}}
        for status in statuses
    }


def reading_responses() -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` of POST /api/ocr."""
    content: dict[str, Any] = {
        each.media_type.partition(";")[0]: {"schema": {"type": "string"}}
        for each in FORMATS.values()
        if each.name != "json"
    }
    answer = {
        "description": "The reading in the format asked for.",
        "model": ReadingShape,
        "content": content,
    }
    return {200: answer, **problems(400, 406, 408, 413, 415, 422, 500, 503, 504)}


def batch_responses() -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` of POST /api/ocr/batch."""
    schema = {"$ref": f"#/components/schemas/{BatchLineShape.__name__}"}
    answer = {
        "description": "JSON Lines: each line is one object of this shape.",
        "content": {"application/jsonl": {"schema": schema}},
    }
    return {200: answer, **problems(400, 408, 413, 415, 422, 500, 503)}


def add_shapes(app: FastAPI, *shapes: type[BaseModel]) -> None:
    """Add shapes to the description that no ``response_model`` names, but ``$ref``s in it do."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = plain()
            components = description.setdefault("components", {}).setdefault("schemas", {})
            for shape in shapes:
                schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
                components |= schema.pop("$defs", {})
                components[shape.__name__] = schema
        return plain()

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend it
