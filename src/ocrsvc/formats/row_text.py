"""Rows of a page as lines of text in which spaces keep columns apart, for a monospaced font."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from ocrsvc.formats.reflow import direction
from ocrsvc.results import Block, Document, Line, Row, Table
from ocrsvc.text import display_width

_MOST_COLUMNS = 400  # of a text line; a text beyond it is put after two spaces


def visual_rows(block: Block) -> list[Row]:
    """Return the rows of a block as they stand on the page; those of a table go through all of its cells."""
    return list(block.rows) if block.table is None else _table_rows(block.table)


def _table_rows(table: Table) -> list[Row]:
    rows: list[Row] = []
    for number in range(table.row_count):
        cells = [cell for cell in table.cells if cell.row == number and cell.rows]
        for i in range(max((len(cell.rows) for cell in cells), default=0)):
            rows.append(tuple(line for cell in cells if i < len(cell.rows) for line in cell.rows[i]))
    return rows


def texts(document: Document) -> list[str]:
    """Return one text for each row of all pages, page after page."""
    return [text for page in document.pages for text in _page(document.blocks_of(page))]


def _page(blocks: Sequence[Block]) -> list[str]:
    rows = [row for block in blocks for row in visual_rows(block)]
    if not rows:
        return []
    along = direction(rows)
    width = median(_length(line) / max(1, display_width(line.text)) for row in rows for line in row)
    left = min(_start(line, along) for row in rows for line in row)
    return [_text(row, along, left, max(1e-6, width)) for row in rows]


def _text(row: Row, along: tuple[float, float], left: float, width: float) -> str:
    text = ""
    for line in row:
        column = min(_MOST_COLUMNS, round((_start(line, along) - left) / width))
        used = display_width(text)
        # Two spaces are the least between columns; one would look like a space between words.
        text += " " * max(column - used, 2 if text else 0) + line.text
    return text


def _start(line: Line, along: tuple[float, float]) -> float:
    return min(x * along[0] + y * along[1] for x, y in line.polygon)


def _length(line: Line) -> float:
    (ax, ay), (bx, by) = line.polygon[:2]
    return math.hypot(bx - ax, by - ay)
