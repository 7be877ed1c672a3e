"""Blocks as plain values in which lines are numbers: their places in ``lines``; and back again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ocrsvc.formats.reflow import cell_text
from ocrsvc.results import Block, Cell, Document, Line, Polygon, Row, Table

PIXEL_DIGITS = 1


def as_records(document: Document, digits: int | None = PIXEL_DIGITS) -> list[dict[str, Any]]:
    """Return the blocks of a document, ready for a JSON encoder; ``lines`` and ``rows`` count from 0.

    Polygons are rounded to so many ``digits`` of a pixel; None keeps them as they are.
    """
    places = {id(line): i for i, line in enumerate(document.lines)}
    equal: dict[tuple[int, str, Polygon], int] = {}
    for i, line in enumerate(document.lines):
        equal.setdefault((line.page, line.text, line.polygon), i)

    def numbered(rows: Sequence[Row]) -> list[list[int]]:
        return [
            [places.get(id(line), equal.get((line.page, line.text, line.polygon), -1)) for line in row]
            for row in rows
        ]

    return [_block(block, numbered, digits) for block in document.blocks]


def _block(
    block: Block, numbered: Callable[[Sequence[Row]], list[list[int]]], digits: int | None
) -> dict[str, Any]:
    rows = numbered(block.rows)
    body: dict[str, Any] = {
        "kind": block.kind,
        "page": block.page,
        "polygon": [
            [x, y] if digits is None else [round(x, digits), round(y, digits)] for x, y in block.polygon
        ],
        "lines": [number for row in rows for number in row],
        "rows": rows,
    }
    if block.table is not None:
        body["table"] = {
            "row_count": block.table.row_count,
            "column_count": block.table.column_count,
            "cells": [
                {
                    "row": cell.row,
                    "column": cell.column,
                    "row_span": cell.row_span,
                    "column_span": cell.column_span,
                    "text": cell_text(cell),
                    "rows": numbered(cell.rows),
                }
                for cell in block.table.cells
            ],
        }
    return body


def from_records(records: Sequence[Mapping[str, Any]], lines: Sequence[Line]) -> tuple[Block, ...]:
    """Return the blocks that ``as_records`` was given; ``lines`` are those of the document."""

    def rows(numbers: Sequence[Sequence[int]]) -> tuple[Row, ...]:
        return tuple(tuple(lines[i] for i in row) for row in numbers)

    blocks = []
    for each in records:
        table = None
        if (stated := each.get("table")) is not None:
            cells = tuple(
                Cell(c["row"], c["column"], c["row_span"], c["column_span"], rows(c["rows"]))
                for c in stated["cells"]
            )
            table = Table(stated["row_count"], stated["column_count"], cells)
        polygon = cast(Polygon, tuple((float(x), float(y)) for x, y in each["polygon"]))
        blocks.append(Block(each["kind"], each["page"], polygon, rows(each["rows"]), table))
    return tuple(blocks)
