"""The table of fields as CSV and XLSX."""

from __future__ import annotations

import csv
import io

import openpyxl

from ocrsvc.fields.table import FieldTable, as_csv, as_xlsx
from ocrsvc.results import Document, Field, FieldError, ModelId, Page

ID = "110101199003077934"


def page(*fields: Field, number: int = 1) -> Document:
    return Document((), (Page(number, 9, 9),), ModelId("m", "sha256:0"), fields=fields)


def table() -> FieldTable:
    made = FieldTable(("id", "name"))
    made.add(
        "a.png", page(Field("id", 1, (), value=ID, valid=True), Field("name", 1, (), value="=1+1,\x07王"))
    )
    missing = FieldError("no-text", "There is no text in the region.")
    made.add("b.pdf", page(Field("id", 2, (), valid=False, error=missing), number=2))
    unmatched = FieldError("template-unmatched", "0 of 3 anchors were found.")
    made.add("c.png", page(Field("id", 1, (), error=unmatched), Field("name", 1, (), error=unmatched)))
    made.fail("d.png", None, "No such file")
    return made


EXPECTED = [
    ["file", "page", "id", "id_valid", "name", "name_valid", "error"],
    ["a.png", "1", ID, "true", "=1+1,\x07王", "", ""],
    ["b.pdf", "2", "", "false", "", "", ""],
    ["c.png", "1", "", "", "", "", "template-unmatched: 0 of 3 anchors were found."],
    ["d.png", "", "", "", "", "", "No such file"],
]


def test_a_page_is_a_row_and_a_field_two_columns() -> None:
    content = as_csv(table())
    assert list(csv.reader(io.StringIO(content.decode(), newline=""))) == EXPECTED
    assert content.startswith(b"file,")


def test_csv_may_begin_with_a_byte_order_mark() -> None:
    assert as_csv(table(), bom=True) == b"\xef\xbb\xbf" + as_csv(table())


def test_cells_of_xlsx_are_text_and_no_formulas() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(table()))).active
    assert sheet is not None
    rows = [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)]
    assert rows == [[cell.replace("\x07", "") for cell in row] for row in EXPECTED]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value} == {"s"}
    assert sheet["C2"].number_format == "@"
