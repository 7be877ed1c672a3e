"""OpenAPI description of the routes for clients of other services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ocrsvc.service import openapi

TAG = "other services"

_TYPES: Mapping[str, str] = {
    "fileType": "integer",
    "textRecScoreThresh": "number",
    "is_data": "boolean",
    "is_unread": "boolean",
    "ingore_blank": "boolean",
    "file_types": "array",
}


def members(**types: Any) -> dict[str, Any]:
    """Return the schema of an object with these members, each by its type or its schema, and perhaps others."""
    properties = {name: {"type": each} if isinstance(each, str) else each for name, each in types.items()}
    return {"type": "object", "properties": properties, "additionalProperties": True}


def list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": dict(items)}


ANY: Mapping[str, Any] = {"description": "As the other service has it."}
LITEPARSE = members(
    results=list_of(members(text="string", bbox=list_of({"type": "number"}), confidence="number"))
)
RAPIDOCR_API = {
    "type": "object",
    "description": "Lines by their number, from 0.",
    "additionalProperties": members(rec_txt="string", score="number"),
}
_PADDLEX_STATUS = {"logId": "string", "errorCode": "integer", "errorMsg": "string"}
PADDLEX_HEALTH = members(**_PADDLEX_STATUS)
PADDLEX = members(**_PADDLEX_STATUS, result=members())
FASTGPT = members(pages="integer", markdown="string")
OPEN_WEBUI = list_of(members(page_content="string", metadata=members(page="integer", page_label="string")))
PADDLE_JOB = members(code="integer", msg="string", data=members(jobId="string", state="string"))
UMI = members(code="integer", data=ANY)
UMI_OPTIONS = {
    "type": "object",
    "description": "Options by name.",
    "additionalProperties": members(title="string"),
}


def form(*files: str, fields: Sequence[str] = ()) -> dict[str, Any]:
    """Return a form with one file in one of ``files``, and text fields."""
    properties: dict[str, Any] = dict.fromkeys(files, openapi.BINARY) | {
        name: {"type": "string"} for name in fields
    }
    return {"multipart/form-data": {"schema": {"type": "object", "properties": properties}}}


def json_with(*names: str) -> dict[str, Any]:
    """Return a JSON object with these members, the first of which is needed; they are text unless known otherwise."""
    types: dict[str, Any] = {name: _TYPES.get(name, "string") for name in names}
    for name in names:
        if types[name] == "array":
            types[name] = list_of({"type": "string"})
    return {"application/json": {"schema": {**members(**types), "required": list(names[:1])}}}


def any_file() -> dict[str, Any]:
    """Return a body that is the file itself."""
    return {"application/octet-stream": {"schema": openapi.BINARY}}


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


def responses(answer: Mapping[str, Any], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return ``responses``: an answer of the other service, or a problem document with members of its own."""
    content = {
        "description": "An answer as the other service gives it.",
        "content": {"application/json": {"schema": answer}},
    }
    return {200: content, **openapi.problems(*(statuses or (400, 408, 413, 415, 422, 500, 503, 504)))}


def file_responses(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` of a file."""
    schema = openapi.BINARY if media_type == "application/octet-stream" else {"type": "string"}
    answer = {"description": "The file.", "content": {media_type: {"schema": schema}}}
    return {200: answer, **openapi.problems(404, 409, 422, 503)}
