"""Table of the fields of many pages: a row for each page, two columns for each field, as CSV or XLSX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from ocrsvc.results import Document

_BOM = "\ufeff"  # with it, Excel takes a CSV file for UTF-8
_FLAGS = {True: "true", False: "false", None: ""}


@dataclass(slots=True)
class FieldTable:
    """Rows of text below the heads ``file``, ``page``, each of the ``names`` with its ``_valid``, and ``error``."""

    names: tuple[str, ...]
    rows: list[list[str]] = field(default_factory=list)

    @property
    def heads(self) -> list[str]:
        """Return the heads of the columns."""
        return ["file", "page", *(head for name in self.names for head in (name, f"{name}_valid")), "error"]

    def add(self, file: str, document: Document) -> None:
        """Add a row for a page; ``document`` holds this page alone. A page without the template has its error."""
        values = {each.name: each for each in document.fields}
        unmatched = [
            each.error for each in document.fields if each.error and each.error.code == "template-unmatched"
        ]
        cells: list[str] = []
        for name in self.names:
            found = values.get(name)
            missing = found is None or bool(unmatched)
            cells += ["", ""] if found is None or missing else [found.value or "", _FLAGS[found.valid]]
        error = f"{unmatched[0].code}: {unmatched[0].detail}" if unmatched else ""
        self.rows.append([file, str(document.pages[0].number), *cells, error])

    def fail(self, file: str, page: int | None, reason: str) -> None:
        """Add a row for a file, or a page of one, that could not be read."""
        self.rows.append([file, "" if page is None else str(page), *[""] * (2 * len(self.names)), reason])


def as_csv(table: FieldTable, *, bom: bool = False) -> bytes:
    """Return a table as CSV (RFC 4180) in UTF-8, with a byte order mark for Excel if ``bom``."""
    text = io.StringIO()
    csv.writer(text).writerows([table.heads, *table.rows])
    return ((_BOM if bom else "") + text.getvalue()).encode()


def as_xlsx(table: FieldTable) -> bytes:
    """Return a table as XLSX. All cells are text, so that Excel does not round numbers of 18 digits."""
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.active
    if sheet is None:
        raise RuntimeError("a new workbook has no sheet")
    sheet.title = "fields"
    lines: Sequence[Sequence[str]] = [table.heads, *table.rows]
    for row, line in enumerate(lines, 1):
        for column, text in enumerate(line, 1):
            cell = sheet.cell(row, column)
            if isinstance(cell, Cell):
                cell.value = ILLEGAL_CHARACTERS_RE.sub("", text) or None
                cell.data_type = "s"  # also of a text that begins with =, which would be a formula
                cell.number_format = "@"
                if row == 1:
                    cell.font = Font(bold=True)
    sheet.freeze_panes = "B2"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
