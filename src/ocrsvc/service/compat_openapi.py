"""OpenAPI description of the routes for clients of other services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ocrsvc.service import openapi

TAG = "other services"

_FILE = {"type": "string", "format": "binary"}
_JSON = {"type": "object", "additionalProperties": True}


def form(*files: str, fields: Sequence[str] = ()) -> dict[str, Any]:
    """Return a form with one file in one of ``files``, and text fields."""
    properties: dict[str, Any] = dict.fromkeys(files, _FILE) | {name: {"type": "string"} for name in fields}
    return {"multipart/form-data": {"schema": {"type": "object", "properties": properties}}}


def json_with(*names: str) -> dict[str, Any]:
    """Return a JSON object with these members, the first of which is needed."""
    properties: dict[str, Any] = {name: {} for name in names}
    return {"application/json": {"schema": {**_JSON, "required": list(names[:1]), "properties": properties}}}


def any_file() -> dict[str, Any]:
    """Return a body that is the file itself."""
    return {"application/octet-stream": {"schema": _FILE}}


def request(*contents: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``openapi_extra`` for a route that takes a body of one of these kinds."""
    return {
        "requestBody": {
            "required": True,
            "content": {kind: each for content in contents for kind, each in content.items()},
        }
    }


def path(*names: str) -> dict[str, Any]:
    """Return ``openapi_extra`` for a route without a body whose path has these parts."""
    string = {"type": "string"}
    return {
        "parameters": [{"name": name, "in": "path", "required": True, "schema": string} for name in names]
    }


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return ``responses``: an object of the other service, or a problem document with members of its own."""
    answer = {
        "description": "An answer as the other service gives it.",
        "content": {"application/json": {"schema": {}}},
    }
    return {200: answer, **openapi.problems(*(statuses or (400, 408, 413, 415, 422, 500, 503, 504)))}


def file_responses(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` of a file."""
    answer = {"description": "The file.", "content": {media_type: {"schema": {"type": "string"}}}}
    return {200: answer, **openapi.problems(404, 409, 422, 503)}
