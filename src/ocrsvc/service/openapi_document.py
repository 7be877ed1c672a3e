"""The OpenAPI document as a whole: who makes it, the parts that routes share, errors, security.

``openapi`` describes single routes. Everything here serves programs that generate clients or check documents: names
without our suffix ``Shape``, one schema for each enumeration, lists of one kind of item, shared answers of errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter

from ocrsvc.errors import OcrError, kinds
from ocrsvc.fields.region import Area, Region, TypeName, Unit
from ocrsvc.fields.template import Template
from ocrsvc.formats import FORMATS
from ocrsvc.service import compat_openapi, openapi, parameters, problems
from ocrsvc.service.access import is_open
from ocrsvc.service.job_schemas import JOB_STATES, LastRecordShape, PageRecordShape
from ocrsvc.service.schemas import BatchLineShape, ProblemShape

HOME_URL = "https://pypi.org/project/ocrsvc/"
INFO: Mapping[str, Any] = {
    "license_info": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    "contact": {"name": "ocrsvc", "url": HOME_URL},
    "servers": [{"url": "/", "description": "The service that this document comes from."}],
}

_TAGS = {
    "reading": "Read pictures and PDFs, and write readings in any format.",
    "jobs": "Read long documents while no client waits.",
    "about": "Models, options, and kinds of problems.",
    "probes": "Health checks and metrics.",
    compat_openapi.TAG: "The contracts of other OCR services, for their clients. New programs use `reading`.",
}
_ENUMERATIONS: Mapping[str, tuple[Sequence[str], str]] = {
    "Mode": (parameters.MODES, "What a picture is."),
    "OutputFormat": (tuple(FORMATS), "Format of an answer."),
    "CharsetMode": (parameters.CHARSET_MODES, "Which lines say how they read without the charset."),
    "OrientationName": (parameters.ORIENTATIONS, "Clockwise angle in degrees to be upright, or auto."),
    "Layout": (parameters.LAYOUTS, "How text is laid out."),
    "PdfText": (parameters.PDF_TEXTS, "Use of the text layer of a PDF."),
    "Granularity": (parameters.GRANULARITIES, "Smallest parts with a place of their own."),
    "FieldType": (get_args(TypeName), "Type of the value of a region."),
    "Unit": (get_args(Unit), "Unit of coordinates."),
    "JobState": (JOB_STATES, "State of a job; cancelled only in its last event."),
}
_SHAPES: tuple[type[BaseModel], ...] = (ProblemShape, BatchLineShape, PageRecordShape, LastRecordShape)
_SUFFIX = "Shape"
_REQUEST_ID = "4be1a0c2d97f3e55"
_SCHEMES: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}]  # one of them
_METHODS_COUNTED = ("post", "put")  # that a key's limits count

Node = dict[str, Any]


def install(app: FastAPI, *, keys: bool) -> None:
    """Let the application describe itself with all that is added here; ``keys``: requests need an API key."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finished(plain(), keys=keys)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _finished(document: Node, *, keys: bool) -> Node:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for shape in _SHAPES:
        _add(schemas, shape.__name__, shape.model_json_schema(ref_template=openapi.COMPONENTS + "{model}"))
    for each in (Area, Region, Template):
        adapter: TypeAdapter[Any] = TypeAdapter(each)
        _add(schemas, each.__name__, adapter.json_schema(ref_template=openapi.COMPONENTS + "{model}"))
    schemas |= openapi.bodies()
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's; ours are problem documents
        schemas.pop(unused, None)
    statuses: set[int] = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses |= _finish(operation, method, keys=keys and not is_open(path))
    components["responses"] = {_response_name(status): _problem(status) for status in sorted(statuses)}
    components["headers"] = _HEADERS
    if keys:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    document["security"] = _SCHEMES if keys else []
    used = {tag for each in document["paths"].values() for op in each.values() for tag in op["tags"]}
    document["tags"] = [{"name": tag, "description": text} for tag, text in _TAGS.items() if tag in used]
    plain: Node = _walked(document, _one_kind_of_item, _named_enumeration, _without_suffix)
    finished = plain["components"]["schemas"]
    for name, (values, about) in _ENUMERATIONS.items():
        finished[name] = {"type": "string", "enum": list(values), "description": about}
    plain["components"]["schemas"] = {
        name.removesuffix(_SUFFIX): each for name, each in sorted(finished.items())
    }
    return plain


def _add(schemas: Node, name: str, schema: Node) -> None:
    for other, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(other, definition)
    schemas.setdefault(name, schema)


_HEADERS: Mapping[str, Any] = {
    "RequestId": {"description": "Id of the request; the log has it, too.", "schema": {"type": "string"}},
    "RetryAfter": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "JobLocation": {"description": "Path of the new job.", "schema": {"type": "string"}},
}
_WITH_RETRY = (429, 503)


def _finish(operation: Node, method: str, *, keys: bool) -> set[int]:
    """Give an operation the answers that every one has, and its security; return the statuses of its problems."""
    responses: Node = operation["responses"]
    shared = {431} | ({401} if keys else set()) | ({429} if keys and method in _METHODS_COUNTED else set())
    responses |= {str(status): openapi.problems(status)[status] for status in shared}
    failures = {int(status) for status in responses if int(status) >= 400}
    for status, response in responses.items():
        if int(status) in failures:
            responses[status] = {"$ref": f"#/components/responses/{_response_name(int(status))}"}
        else:
            response.setdefault("headers", {})["X-Request-ID"] = {"$ref": "#/components/headers/RequestId"}
        if int(status) == 202:
            response["headers"]["Location"] = {"$ref": "#/components/headers/JobLocation"}
    operation["responses"] = dict(sorted(responses.items()))
    operation["security"] = _SCHEMES if keys else []
    return failures


def _response_name(status: int) -> str:
    return f"Problem{status}"


def _problem(status: int) -> Node:
    """Return the answer of one status, with an example for each kind of problem."""
    response: Node = openapi.problems(status)[status]
    examples = {kind.slug: _example(kind) for kind in kinds() if kind.status == status}
    response["content"][problems.MEDIA_TYPE]["examples"] = examples
    response["headers"] = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
    if status in _WITH_RETRY:
        response["headers"]["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    return response


def _example(kind: type[OcrError]) -> Node:
    about = " ".join((kind.__doc__ or "").split())
    value = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": about,
        "instance": "/api/ocr",
        "request_id": _REQUEST_ID,
    }
    return {"summary": kind.title, "value": value}


def _walked(node: Any, *changes: Callable[[Node], Node]) -> Any:
    """Return a copy in which each object has been changed; examples stay as they are."""
    if isinstance(node, list):
        return [_walked(each, *changes) for each in node]
    if not isinstance(node, dict):
        return node
    for change in changes:
        node = change(node)
    return {
        key: value if key in ("examples", "example") else _walked(value, *changes)
        for key, value in node.items()
    }


def _one_kind_of_item(node: Node) -> Node:
    """Describe a tuple as a list of fixed length: generators and checkers know no ``prefixItems``."""
    items = node.get("prefixItems")
    if not isinstance(items, list) or any(each != items[0] for each in items):
        return node
    return {key: value for key, value in node.items() if key != "prefixItems"} | {"items": items[0]}


def _named_enumeration(node: Node) -> Node:
    """Name a known enumeration, so that a generated client has one type for it."""
    values = node.get("enum")
    if not isinstance(values, list):
        return node
    name = next((name for name, (known, _) in _ENUMERATIONS.items() if list(known) == values), None)
    if name is None:
        return node
    kept = {key: value for key, value in node.items() if key in ("description", "default")}
    return kept | {"$ref": openapi.COMPONENTS + name}


def _without_suffix(node: Node) -> Node:
    changed = dict(node)
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith(openapi.COMPONENTS):
        changed["$ref"] = reference.removesuffix(_SUFFIX)
    if isinstance(node.get("title"), str):
        changed["title"] = node["title"].removesuffix(_SUFFIX)
    return changed
