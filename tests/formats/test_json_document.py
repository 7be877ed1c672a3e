"""An answer in JSON gives back the document that it was made of."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ocrsvc.formats.format import Rendering
from ocrsvc.formats.json_document import document_of
from ocrsvc.formats.json_format import render
from ocrsvc.results import (
    Alternative,
    Block,
    Cell,
    Character,
    Document,
    Field,
    FieldError,
    Line,
    ModelId,
    Page,
    Table,
)

BOX = ((1.0, 2.0), (31.5, 2.0), (31.5, 12.0), (1.0, 12.0))
LOWER = ((1.0, 22.0), (31.5, 22.0), (31.5, 32.0), (1.0, 32.0))
CHARACTER = Character("中", 0.75, 0.25, 0.5, (Alternative("中", 0.75), Alternative("申", 0.125)))
LINES = (
    Line(
        "中文", 0.5, BOX, 1, (CHARACTER,), True, "中丈", (Alternative("中文", 0.5), Alternative("申文", 0.25))
    ),
    Line("Total", 1.0, LOWER, 2, source="pdf_text"),
)
DOCUMENT = Document(
    LINES,
    (Page(1, 40, 60, 3, 90), Page(2, 41, 61)),
    ModelId("crnn", "sha256:00"),
    {"decode": 1.5, "total": 20.25},
    fields=(
        Field("a", 1, BOX, "2026", "2026-01-01", True, "2026", 3.25, 0.5),
        Field("b", 2, (), error=FieldError("no-text", "There is no text.")),
    ),
)


def test_everything_comes_back() -> None:
    assert document_of(json.loads(render(DOCUMENT, Rendering(granularity="char")))) == DOCUMENT


def test_blocks_come_back() -> None:
    table = Table(1, 2, (Cell(0, 0, rows=((LINES[0],),)), Cell(0, 1)))
    blocks = (Block("table", 1, BOX, ((LINES[0],),), table), Block("footer", 2, LOWER, ((LINES[1],),)))
    document = replace(DOCUMENT, blocks=blocks, layout="tables")
    again = document_of(json.loads(render(document, Rendering(granularity="char"))), "tables")
    assert again == document


def test_what_is_no_answer_is_an_error() -> None:
    for body in ({}, {"lines": [{"text": "a"}]}):
        with pytest.raises(KeyError):
            document_of(body)
