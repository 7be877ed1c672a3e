"""Comma-separated values (RFC 4180): the tables of a document; a page without one gives its rows of text.

A text that a spreadsheet would take for a formula gets an apostrophe in front, as OWASP advises, unless it is a number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.row_text import visual_rows
from ocrsvc.formats.table_text import grid
from ocrsvc.results import Block, Document

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[-+]?[\d.,]*\d[\d.,]*%?")


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return the tables of ``document`` in UTF-8, one after the other, with an empty line between them."""
    output = io.StringIO()
    writer = csv.writer(output)
    for i, table in enumerate(tables(document)):
        if i:
            output.write("\r\n")
        writer.writerows([_harmless(text) for text in row] for row in table)
    return output.getvalue().encode()


def tables(document: Document) -> list[list[list[str]]]:
    """Return the texts of each table by row and column, and the rows of each page without a table."""
    return [texts for page in document.pages for _, texts in tables_of(document.blocks_of(page), page.number)]


def tables_of(blocks: Sequence[Block], page: int) -> list[tuple[Block | None, list[list[str]]]]:
    """Return the tables of a page with their texts or, without any, None with its rows of text if there are any."""
    found = [(block, grid(block.table)) for block in blocks if block.table is not None]
    if found:
        return [*found]
    rows = [[line.text for line in row] for block in blocks for row in visual_rows(block)]
    return [(None, rows)] if rows else []


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


FORMAT = Format("csv", "text/csv; charset=utf-8", ".csv", render, structured=True)
