"""Hand-written OpenAPI description of the routes that take files, whose bodies have several forms, and of jobs.

``openapi_document`` adds what all routes share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocrsvc.formats import FORMATS
from ocrsvc.service.job_schemas import JobShape, LastRecordShape, PageRecordShape
from ocrsvc.service.negotiation import EVENTS_TYPE
from ocrsvc.service.parameters import RENDERING_NAMES, RESULT_NAMES, TIMEOUT_HEADER, openapi_schemas
from ocrsvc.service.schemas import BatchLineShape, ProblemShape, ReadingShape

COMPONENTS = "#/components/schemas/"
BINARY = {"type": "string", "format": "binary"}

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsVzHiwAAAABJRU5ErkJggg=="

_FILE = {**BINARY, "description": "The picture or PDF. Its type is seen from its bytes."}
_BASE64 = {"type": "string", "minLength": 1, "description": "base64, or a data URI"}


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


def bodies() -> dict[str, dict[str, Any]]:
    """Return the schemas of request bodies by name.

    Parameters may also be form fields, but are not described so: Swagger UI would fill in each one.
    """
    fields = {name: _in_json(name, schema) for name, schema in openapi_schemas().items()}
    of_many = {name: schema for name, schema in fields.items() if name != "format"}
    images = {"type": "array", "minItems": 1, "items": _FILE}
    result = {
        "type": "string",
        "format": "binary",
        "contentMediaType": "application/json",
        "description": "The answer of a reading in the format json, corrected.",
    }
    named = {"image": _BASE64, "file": {"type": "string", "description": "Name of the file."}}
    entries = {"anyOf": [_BASE64, _reference("NamedPicture")]}
    return {
        "PictureForm": _object("A form with one file.", {"image": _FILE}),
        "PicturesForm": _object("A form with many files.", {"images": images}),
        "CorrectedForm": _object("A form with a reading.", {"result": result, "image": _FILE}),
        "PictureJson": _object("One picture with its parameters.", {"image": _BASE64, **fields}),
        "PicturesJson": _object(
            "Pictures with their parameters.",
            {"images": {"type": "array", "minItems": 1, "items": entries}, **of_many},
        ),
        "NamedPicture": _object("A picture with the name of its file.", named),
    }


def _in_json(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter as a member of a JSON body, where one that is JSON itself need not be text."""
    forms = {
        "regions": {"type": "array", "items": _reference("Region")},
        "ignore": {"type": "array", "items": _reference("Area")},
        "template": _reference("Template"),
    }
    if name not in forms:
        return dict(schema)
    return {"description": schema["description"], "anyOf": [forms[name], {"type": "string"}]}


def _object(about: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object whose first member is required."""
    return {
        "type": "object",
        "description": about,
        "required": [next(iter(properties))],
        "properties": dict(properties),
        "additionalProperties": False,
    }


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": COMPONENTS + name}


def _body(form: str, json_body: str, examples: dict[str, Any]) -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _reference(form)},
            "application/json": {"schema": _reference(json_body), "examples": examples},
        },
    }


_TIMEOUT = {
    "name": TIMEOUT_HEADER.title(),
    "in": "header",
    "required": False,
    "description": "Seconds that the client waits; never more than the deadline of the service.",
    "schema": {"type": "number", "exclusiveMinimum": 0},
}


def one_picture() -> dict[str, Any]:
    """Return ``openapi_extra`` for POST /api/ocr."""
    body = _body(
        "PictureForm",
        "PictureJson",
        {
            "base64": {"summary": "base64", "value": {"image": _PIXEL, "mode": "line"}},
            "data-uri": {"summary": "data URI", "value": {"image": f"data:image/png;base64,{_PIXEL}"}},
        },
    )
    for media_type in ("image/*", "application/pdf", "application/octet-stream"):
        body["content"][media_type] = {"schema": _FILE}
    return {"parameters": [*_query(openapi_schemas()), _TIMEOUT], "requestBody": body}


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
    return {
        "parameters": _query({name: schemas[name] for name in RENDERING_NAMES}),
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": _reference("CorrectedForm")}},
        },
    }


def many_pictures() -> dict[str, Any]:
    """Return ``openapi_extra`` for POST /api/ocr/batch."""
    fields = {name: schema for name, schema in openapi_schemas().items() if name != "format"}
    body = _body(
        "PicturesForm",
        "PicturesJson",
        {
            "base64": {"summary": "base64", "value": {"images": [_PIXEL, _PIXEL], "mode": "line"}},
            "named": {"summary": "with names", "value": {"images": [{"file": "a.png", "image": _PIXEL}]}},
        },
    )
    return {"parameters": [*_query(fields), _TIMEOUT], "requestBody": body}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for these statuses, each a problem document."""
    schema = _reference(ProblemShape.__name__)
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
        431: "The headers have more bytes than the limit",
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
    return {200: answer, **problems(404, 422, 503)}


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
    records = {"anyOf": [_reference(name) for name in names]}
    return content | {"application/jsonl": {"schema": records}, EVENTS_TYPE: {"schema": {"type": "string"}}}


def batch_responses() -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for POST /api/ocr/batch."""
    schema = _reference(BatchLineShape.__name__)
    answer = {
        "description": "JSON Lines: each line is one object of this shape.",
        "content": {"application/jsonl": {"schema": schema}},
    }
    return {200: answer, **problems(400, 408, 413, 415, 422, 500, 503)}


def metrics_responses(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` for GET /metrics."""
    content = {media_type.partition(";")[0]: {"schema": {"type": "string"}}}
    return {200: {"description": "All metrics in Prometheus' text format.", "content": content}}
