"""Excel workbooks: one sheet for each table, and one for each page without a table, with merged cells for spans.

A text becomes a number only if the number says all that the text says: leading zeros, long numbers such as ids, dates
and percentages stay text. No text is ever a formula.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from ocrsvc.formats.csv_format import tables_of
from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.results import Document, Table

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.(\d+))?")
_MOST_DIGITS = 15  # that a cell of Excel keeps
_MOST_WHOLE_DIGITS = 10  # longer ones are ids rather than amounts
_CHARACTERS_BEYOND = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # those that XML cannot hold
_MOST_CELL_CHARACTERS = 32767
_WIDTHS = (8, 60)  # least and most width of a column, in characters


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return ``document`` as a workbook; a document without text has one empty sheet."""
    from openpyxl import Workbook  # heavy, and of no use to other formats

    book = Workbook()
    for empty in book.worksheets:
        book.remove(empty)
    count = 0
    for page in document.pages:
        for block, texts in tables_of(document.blocks_of(page), page.number):
            count += block is not None
            sheet = book.create_sheet(f"Table {count}" if block is not None else f"Page {page.number}")
            _fill(sheet, texts)
            if block is not None and block.table is not None:
                _merge(sheet, block.table)
    if not book.worksheets:
        book.create_sheet("Page 1")
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def number_of(text: str) -> tuple[float | int, str] | None:
    """Return a number and its format in Excel's words if a text is one and loses nothing as one, else None."""
    match = _NUMBER.fullmatch(text)
    digits = sum(c.isdigit() for c in text)
    if match is None or digits > _MOST_DIGITS:
        return None
    decimals = len(match[1] or "")
    if (
        digits - decimals > _MOST_WHOLE_DIGITS
        or text in ("-0", "-0.0")
        or (text[0] == "-" and float(text.replace(",", "")) == 0)
    ):
        return None
    shown = ("#,##0" if "," in text else "0") + ("." + "0" * decimals if decimals else "")
    plain = text.replace(",", "")
    return (float(plain) if decimals else int(plain)), shown


def _fill(sheet: Worksheet, texts: list[list[str]]) -> None:
    from openpyxl.utils import get_column_letter

    widths: dict[int, int] = {}
    for i, row in enumerate(texts, start=1):
        for j, text in enumerate(row, start=1):
            if not text:
                continue
            cell = sheet.cell(i, j)
            if found := number_of(text):
                cell.value, cell.number_format = found
            else:
                said = _CHARACTERS_BEYOND.sub("", text)[:_MOST_CELL_CHARACTERS]
                cell.value, cell.data_type = said, "s"
                if said.startswith(("=", "+", "-", "@")):
                    cell.quotePrefix = True  # stays text when a person edits the cell
            widths[j] = max(widths.get(j, 0), sum(2 if ord(c) > 0x2E7F else 1 for c in text) + 2)
    for j, width in widths.items():
        sheet.column_dimensions[get_column_letter(j)].width = min(max(width, _WIDTHS[0]), _WIDTHS[1])


def _merge(sheet: Worksheet, table: Table) -> None:
    for cell in table.cells:
        if cell.row_span > 1 or cell.column_span > 1:
            sheet.merge_cells(
                start_row=cell.row + 1,
                start_column=cell.column + 1,
                end_row=cell.row + cell.row_span,
                end_column=cell.column + cell.column_span,
            )


FORMAT = Format(
    "xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsx",
    render,
    structured=True,
    whole=True,
    binary=True,
)
