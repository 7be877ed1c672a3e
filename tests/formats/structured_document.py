"""A document with every kind of block, for the tests of the formats that are made of blocks."""

from __future__ import annotations

from ocrsvc.results import Block, BlockKind, Cell, Document, Line, ModelId, Page, Polygon, Row, Table


def line(text: str, x: float, y: float, width: float, height: float = 20) -> Line:
    return Line(text, 0.9, box(x, y, x + width, y + height), 1)


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return (left, top), (right, top), (right, bottom), (left, bottom)


def block(kind: BlockKind, *lines: Line) -> Block:
    return Block(kind, 1, box(0, 0, 900, 900), tuple((each,) for each in lines))


def table(
    texts: list[list[str]], y: float = 400, spans: dict[tuple[int, int], tuple[int, int]] | None = None
) -> Block:
    """A table with these texts by row and column, the empty ones left out."""
    cells = []
    for r, row in enumerate(texts):
        for c, text in enumerate(row):
            if text:
                height, width = (spans or {}).get((r, c), (1, 1))
                rows: tuple[Row, ...] = ((line(text, 200 * c, y + 40 * r, 12 * len(text)),),)
                cells.append(Cell(r, c, height, width, rows))
    return Block(
        "table",
        1,
        box(0, y, 900, y + 40 * len(texts)),
        tuple(row for cell in cells for row in cell.rows),
        Table(len(texts), max(map(len, texts)), tuple(cells)),
    )


def document(*blocks: Block) -> Document:
    """One page that has these blocks."""
    lines = tuple(each for one in blocks for each in one.lines)
    return Document(lines, (Page(1, 900, 900),), ModelId("crnn", "sha256:00"), {}, blocks)
