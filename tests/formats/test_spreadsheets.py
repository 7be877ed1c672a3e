"""CSV and XLSX: opened again and compared, with what spreadsheets would misunderstand."""

from __future__ import annotations

import csv
import io

import pytest
from formats.structured_document import block, document, line, table
from openpyxl import load_workbook

from ocrsvc.formats import render
from ocrsvc.formats.xlsx_format import number_of

TEXTS = [
    ["品名", "数量", "金额"],
    ["=1+1", "007", "1,234.50"],
    ["@home", "6901234567892", "-12.50"],
    ["+1 555", "12%", "0.10"],
    ["", "2026-11-27", "3"],
]


def test_a_workbook_says_what_the_table_says() -> None:
    book = load_workbook(io.BytesIO(render("xlsx", document(table(TEXTS)))))
    assert book.sheetnames == ["Table 1"]
    values = [[cell.value for cell in row] for row in book["Table 1"].iter_rows()]
    assert values == [
        ["品名", "数量", "金额"],
        ["=1+1", "007", 1234.5],
        ["@home", "6901234567892", -12.5],
        ["+1 555", "12%", 0.1],
        [None, "2026-11-27", 3],
    ]
    kinds = {cell.data_type for row in book["Table 1"].iter_rows() for cell in row}
    assert "f" not in kinds, "a text became a formula"
    assert book["Table 1"]["C2"].number_format == "#,##0.00"
    assert book["Table 1"]["C4"].number_format == "0.00"


def test_spans_are_merged_cells_and_pages_without_tables_have_a_sheet() -> None:
    spans = {(0, 0): (1, 2), (1, 0): (2, 1)}
    merged = table([["both", ""], ["left", "1"], ["", "2"]], spans=spans)
    book = load_workbook(io.BytesIO(render("xlsx", document(merged, table([["a", "b"], ["c", "d"]])))))
    assert book.sheetnames == ["Table 1", "Table 2"]
    assert sorted(map(str, book["Table 1"].merged_cells.ranges)) == ["A1:B1", "A2:A3"]
    book = load_workbook(io.BytesIO(render("xlsx", document(block("paragraph", line("text", 0, 0, 50))))))
    assert [[cell.value for cell in row] for row in book["Page 1"].iter_rows()] == [["text"]]
    assert load_workbook(io.BytesIO(render("xlsx", document()))).sheetnames == ["Page 1"]


def test_characters_that_xml_has_not_are_left_out() -> None:
    book = load_workbook(io.BytesIO(render("xlsx", document(table([["a\x00b\x0bc", "x"], ["y", "z"]])))))
    assert book["Table 1"]["A1"].value == "abc"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", (12, "0")),
        ("0", (0, "0")),
        ("12.50", (12.5, "0.00")),
        ("1,234", (1234, "#,##0")),
        ("-3", (-3, "0")),
        *[
            (text, None)
            for text in ("007", "12345678901", "1,23", "1.2.3", "-0", "5%", "１２", "1e5", ".5", "", "+3")
        ],
    ],
)
def test_a_text_is_a_number_only_if_nothing_is_lost(text: str, number: tuple[float, str] | None) -> None:
    assert number_of(text) == number


def test_csv_has_tables_one_after_the_other_and_no_formulas() -> None:
    found = render("csv", document(table(TEXTS), table([["a, b", 'say "c"']]))).decode()
    rows = list(csv.reader(io.StringIO(found)))
    assert rows == [
        ["品名", "数量", "金额"],
        ["'=1+1", "007", "1,234.50"],
        ["'@home", "6901234567892", "-12.50"],
        ["'+1 555", "12%", "0.10"],
        ["", "2026-11-27", "3"],
        [],
        ["a, b", 'say "c"'],
    ]


def test_csv_of_a_page_without_a_table_is_its_rows() -> None:
    row = (line("left", 0, 0, 50), line("right", 300, 0, 50))
    text = document(block("paragraph", *row))
    assert render("csv", text) == b"left\r\nright\r\n"
    assert render("csv", document()) == b""
