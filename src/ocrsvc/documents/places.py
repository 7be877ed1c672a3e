"""Cells of tables while they are being found: their place in the grid and the boxes in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ocrsvc.pages.layout import Box, rows
from ocrsvc.results import Cell, Line, Row, Table


@dataclass(slots=True)
class Place:
    """One cell: the rows and columns that it covers, from the first to before the last, and its boxes."""

    row: int
    column: int
    row_end: int
    column_end: int
    boxes: list[Box] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table in the straight frame: its bounds and its cells by row, then by column."""

    left: float
    top: float
    right: float
    bottom: float
    row_count: int
    column_count: int
    places: tuple[Place, ...]

    @property
    def boxes(self) -> list[Box]:
        """Return the boxes of all cells."""
        return [box for place in self.places for box in place.boxes]

    def table(self, lines: Sequence[Line]) -> Table:
        """Return the table with the lines of its cells; cells without a line stay, because their borders are there."""
        cells = [
            Cell(
                each.row,
                each.column,
                each.row_end - each.row,
                each.column_end - each.column,
                lines_of(rows(each.boxes), lines),
            )
            for each in self.places
        ]
        return Table(self.row_count, self.column_count, tuple(cells))

    def rows(self, lines: Sequence[Line]) -> tuple[Row, ...]:
        """Return the lines of the table cell by cell: of each cell in turn, row by row."""
        return tuple(row for place in self.places for row in lines_of(rows(place.boxes), lines))


def lines_of(found: Sequence[Sequence[Box]], lines: Sequence[Line]) -> tuple[Row, ...]:
    """Return rows of boxes as rows of lines."""
    return tuple(tuple(lines[box.index] for box in row) for row in found)
