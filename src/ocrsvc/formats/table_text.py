"""Tables as Markdown: with pipes or, where cells span rows or columns, as HTML."""

from __future__ import annotations

import html
from collections.abc import Callable

from ocrsvc.formats.reflow import cell_text
from ocrsvc.results import Table


def grid(table: Table) -> list[list[str]]:
    """Return the texts of a table by row and column; a cell that spans has its text at its top left place."""
    texts = [[""] * table.column_count for _ in range(table.row_count)]
    for cell in table.cells:
        texts[cell.row][cell.column] = cell_text(cell)
    return texts


def has_spans(table: Table) -> bool:
    """Return whether a cell covers more than one place."""
    return any(cell.row_span > 1 or cell.column_span > 1 for cell in table.cells)


def markdown(table: Table, escape: Callable[[str], str] = str) -> str:
    """Return a table in Markdown, the first row as its head; ``escape`` is applied to texts between pipes."""
    if has_spans(table):
        return as_html(table)
    rows = [[escape(text).replace("|", "\\|") for text in row] for row in grid(table)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * table.column_count)
    return "\n".join(lines)


def as_html(table: Table) -> str:
    """Return a table in HTML, one row a line."""
    lines = ["<table>"]
    for number in range(table.row_count):
        covered = {
            column
            for cell in table.cells
            if cell.row <= number < cell.row + cell.row_span
            for column in range(cell.column, cell.column + cell.column_span)
        }
        begun = {cell.column: cell for cell in table.cells if cell.row == number}
        row = ""
        for column in range(table.column_count):
            if cell := begun.get(column):
                spans = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
                spans += f' colspan="{cell.column_span}"' if cell.column_span > 1 else ""
                row += f"<td{spans}>{html.escape(cell_text(cell), quote=False)}</td>"
            elif column not in covered:
                row += "<td></td>"
        lines.append(f"<tr>{row}</tr>")
    return "\n".join([*lines, "</table>"])
