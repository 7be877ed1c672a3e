"""Hand-written OpenAPI description of the routes that take files, whose bodies have several forms, and of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from ocrsvc.formats import FORMATS
from ocrsvc.service.access import is_open
from ocrsvc.service.job_schemas import JobShape, LastRecordShape, PageRecordShape
from ocrsvc.service.negotiation import EVENTS_TYPE
from ocrsvc.service.parameters import RENDERING_NAMES, RESULT_NAMES, openapi_schemas
from ocrsvc.service.schemas import BatchLineShape, ProblemShape, ReadingShape

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsVzHiwAAAABJRU5ErkJggg=="

_FILE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_BASE64 = {"type": "string", "description": "base64, or a data URI"}


def _query(schemas: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in schemas.items()
    ]


# Parameters may also be form fields, but are not described so: Swagger UI would fill in each one.
def _body(multipart: dict[str, Any], json_schema: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": multipart},
            "application/json": {"schema": json_schema, "examples": examples},
        },
    }


def one_picture() -> dict[str, Any]:
    """Return ``openapi_extra`` for POST /api/ocr."""
    fields = openapi_schemas()
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
    return {"parameters": _query(fields), "requestBody": body}


def of_job() -> dict[str, Any]:
    """Return ``openapi_extra`` for the routes of one job."""
    about = "What POST /api/jobs gave as id."
    id_ = {"name": "id", "in": "path", "required": True, "description": about, "schema": {"type": "string"}}
    return {"parameters": [id_]}


def result_parameters() -> dict[str, Any]:
    """Return ``openapi_extra`` for the result of a job."""
    schemas = openapi_schemas()
    return {"parameters": of_job()["parameters"] + _query({name: schemas[name] for name in RESULT_NAMES})}


def given_reading() -> dict[str, Any]:
    """Return ``openapi_extra`` for POST /api/render."""
    schemas = openapi_schemas()
    result = {"type": "string", "format": "binary", "contentMediaType": "application/json"}
    form = {"type": "object", "required": ["result"], "properties": {"result": result, "image": _FILE}}
    return {
        "parameters": _query({name: schemas[name] for name in RENDERING_NAMES}),
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
    }


def many_pictures() -> dict[str, Any]:
    """Return ``openapi_extra`` for POST /api/ocr/batch."""
    fields = {name: schema for name, schema in openapi_schemas().items() if name != "format"}
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
    return {"parameters": _query(fields), "requestBody": body}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for these statuses, each a problem document."""
    schema = {"$ref": f"#/components/schemas/{ProblemShape.__name__}"}
    said = {
        400: "Malformed request: wrong JSON, base64 or multipart, a missing field, or no bytes",
        401: "No API key, or an unknown one",
        404: "Not found",
        409: "The job has no result, or not yet",
        406: "The Accept header names none of the output formats",
        408: "The body did not arrive in time",
        413: "More bytes than the limit (max_bytes)",
        415: "Not a supported type of picture or document",
        422: "A file that cannot be decoded, too many pixels or pages, or an unknown or wrong parameter",
        429: "The API key has used up its share; see Retry-After",
        500: "Internal error",
        503: "Saturated, starting or shutting down; see Retry-After",
        504: "The reading did not finish before the deadline",
    }
    return {
        status: {"description": said[status], "content": {"application/problem+json": {"schema": schema}}}
        for status in statuses
    }


def reading_responses(*, job: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for POST /api/ocr or, with ``job``, for the result of a job."""
    content = _contents()
    answer = {
        "description": "The text in the requested format.",
        "model": ReadingShape,
        "content": content,
    }
    others = (404, 406, 409, 422, 500, 503) if job else (400, 406, 408, 413, 415, 422, 500, 503, 504)
    return {200: answer, **problems(*others)}


def job_responses(status: int, *others: int) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for the routes that answer with a job."""
    return {status: {"description": "The job.", "model": JobShape}, **problems(*others)}


def events_responses() -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for the events of a job."""
    answer = {
        "description": "Server-sent events: progress, and at the end done, failed or cancelled; each has the job.",
        "content": {EVENTS_TYPE: {"schema": {"type": "string"}}},
    }
    return {200: answer, **problems(404, 503)}


def _contents() -> dict[str, Any]:
    """Return the content of an answer for every format but json."""
    content: dict[str, Any] = {
        each.media_type.partition(";")[0]: {
            "schema": {"type": "string"} | ({"format": "binary"} if each.binary else {})
        }
        for each in FORMATS.values()
        if each.name not in ("json", "jsonl")
    }
    names = (PageRecordShape.__name__, LastRecordShape.__name__)
    records = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}
    return content | {"application/jsonl": {"schema": records}, EVENTS_TYPE: {"schema": {"type": "string"}}}


def batch_responses() -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for POST /api/ocr/batch."""
    schema = {"$ref": f"#/components/schemas/{BatchLineShape.__name__}"}
    answer = {
        "description": "JSON Lines: each line is one object of this shape.",
        "content": {"application/jsonl": {"schema": schema}},
    }
    return {200: answer, **problems(400, 408, 413, 415, 422, 500, 503)}


def add_shapes(app: FastAPI, *shapes: type[BaseModel]) -> None:
    """Add shapes to the OpenAPI document that only a ``$ref`` names, not a ``response_model``."""
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


def add_security(app: FastAPI) -> None:
    """Describe in the OpenAPI document that all but the open paths need an API key."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = plain()
            description["components"]["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
            for path, operations in description["paths"].items():
                if not is_open(path):
                    for method, operation in operations.items():
                        operation["security"] = [{"bearer": []}, {"header": []}]
                        statuses = (401, 429) if method in ("post", "put") else (401,)
                        operation["responses"] |= {
                            str(status): response for status, response in problems(*statuses).items()
                        }
        return plain()

    app.openapi = described  # type: ignore[method-assign]
