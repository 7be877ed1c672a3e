"""The OpenAPI document is complete: names, enumerations, errors, media types, security, for generators of clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from ocrsvc import __version__
from ocrsvc.errors import kinds
from ocrsvc.formats import FORMATS
from ocrsvc.service import parameters, problems
from ocrsvc.service.app import create_app
from ocrsvc.service.given_reading import known_members
from ocrsvc.service.openapi_document import HOME_URL
from ocrsvc.service.schemas import BlockShape, LineShape, PageShape, ReadingShape
from ocrsvc.settings import Settings

Node = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Node:
    return create_app(Settings()).openapi()


@pytest.fixture(scope="module")
def guarded() -> Node:
    return create_app(Settings(api_keys=SecretStr("0123456789abcdef0123456789abcdef"))).openapi()


def operations(document: Node) -> Iterator[tuple[str, Node]]:
    for path, each in document["paths"].items():
        for method, operation in each.items():
            yield f"{method} {path}", operation


def objects(node: Any) -> Iterator[Node]:
    """Every object of the document but examples."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in ("examples", "example"):
                yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


def test_it_says_what_it_is_and_whose(document: Node) -> None:
    assert document["openapi"].startswith("3.1.")
    info = document["info"]
    assert (info["title"], info["version"]) == ("ocrsvc", __version__)
    assert info["license"]["identifier"] == "Apache-2.0"
    assert info["contact"]["url"] == HOME_URL
    assert [server["url"] for server in document["servers"]] == ["/"]
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert described == {tag for _, operation in operations(document) for tag in operation["tags"]}


def test_all_references_lead_to_parts_that_are_used(document: Node) -> None:
    used = {each["$ref"] for each in objects(document) if isinstance(each.get("$ref"), str)}
    there = {
        f"#/components/{kind}/{name}" for kind, parts in document["components"].items() for name in parts
    }
    assert used == there
    assert not [name for name in there if name.endswith("Shape")]


def test_an_enumeration_is_one_schema(document: Node) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Mode"]["enum"] == list(parameters.MODES)
    assert schemas["OutputFormat"]["enum"] == list(FORMATS)
    seen = [tuple(each["enum"]) for each in objects(document) if isinstance(each.get("enum"), list)]
    assert len(seen) == len(set(seen))
    named = {each["name"]: each for each in document["paths"]["/api/ocr"]["post"]["parameters"]}
    assert named["layout"]["schema"] == {"$ref": "#/components/schemas/Layout"}
    options = schemas["Options"]["properties"]
    assert options["modes"]["items"] == {"$ref": "#/components/schemas/Mode"}


def test_every_list_says_what_it_holds(document: Node) -> None:
    for each in objects(document):
        assert "prefixItems" not in each
        if each.get("type") == "array":
            assert "items" in each


def test_every_error_has_an_example_for_each_of_its_kinds(document: Node) -> None:
    responses = document["components"]["responses"]
    shown: set[str] = set()
    for name, response in responses.items():
        (media_type, content), *others = response["content"].items()
        assert (media_type, others) == (problems.MEDIA_TYPE, [])
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        for slug, example in content["examples"].items():
            assert example["value"]["type"] == f"/problems/{slug}"
            assert name == f"Problem{example['value']['status']}"
            shown.add(slug)
    not_without_keys = {"unauthorized", "too-many-requests"}
    assert shown == {kind.slug for kind in kinds()} - not_without_keys
    assert "Retry-After" in responses["Problem503"]["headers"]


def test_every_operation_names_its_errors_and_media_types(document: Node) -> None:
    for name, operation in operations(document):
        statuses = {int(status) for status in operation["responses"]}
        assert 431 in statuses, name
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response == {"$ref": f"#/components/responses/Problem{status}"}, name
            else:
                assert status == "204" or response["content"], name
    batch = document["paths"]["/api/ocr/batch"]["post"]["responses"]["200"]["content"]
    assert batch == {"application/jsonl": {"schema": {"$ref": "#/components/schemas/BatchLine"}}}


def test_answers_of_other_services_have_members(document: Node) -> None:
    for name, operation in operations(document):
        if operation["tags"] == ["other services"]:
            content = operation["responses"]["200"]["content"]
            assert all(each["schema"] for each in content.values()), name


def test_a_service_with_keys_says_so(document: Node, guarded: Node) -> None:
    assert "securitySchemes" not in document["components"]
    assert document["security"] == []
    assert set(guarded["components"]["securitySchemes"]) == {"bearer", "header"}
    read, live = guarded["paths"]["/api/ocr"]["post"], guarded["paths"]["/livez"]["get"]
    assert read["security"] == guarded["security"] == [{"bearer": []}, {"header": []}]
    assert live["security"] == []
    assert {"401", "429"} <= set(read["responses"])
    assert "401" not in live["responses"]


@pytest.mark.parametrize(
    ("part", "shape"),
    [("result", ReadingShape), ("lines", LineShape), ("pages", PageShape), ("blocks", BlockShape)],
)
def test_what_answers_have_is_known_where_they_come_back(part: str, shape: Any) -> None:
    assert known_members(part) == frozenset(shape.model_fields)
