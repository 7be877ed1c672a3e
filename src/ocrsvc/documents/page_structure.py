"""The blocks of one page: its tables, and the paragraphs, headings and footnotes around them, in reading order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ocrsvc.documents import aligned, columns, cut_lines, paragraphs, ruled
from ocrsvc.documents.frame import Frame, frame_of
from ocrsvc.documents.places import Grid, lines_of
from ocrsvc.documents.rules import Rule
from ocrsvc.pages import layout
from ocrsvc.pages.layout import Box
from ocrsvc.results import Block, BlockKind, Document, Line, Page, Row, Table

Boxes = list[Box]


def blocks_of(page: Page, lines: Sequence[Line], rules: Sequence[Rule] = ()) -> tuple[Block, ...]:
    """Return the blocks of a page in reading order; each of its ``lines`` is in exactly one of them.

    A line that reaches over a vertical rule of a table is there in parts, if one of them is in a table.
    ``rules`` are in pixels of the upright page (``rules.find``). Headers and footers are found later, when all pages
    are there (``repeats``).
    """
    if not lines:
        return ()
    frame = frame_of(page, lines, rules)
    parts = cut_lines.parts_of(lines, frame)
    if not parts:
        return _blocks_of(page, lines, frame)

    def in_parts(those: Mapping[int, Sequence[Line]]) -> tuple[Block, ...]:
        cut = cut_lines.cut(lines, frame, those)
        return _blocks_of(page, cut, frame_of(page, cut, rules))

    blocks = in_parts(parts)
    in_tables = {id(line) for block in blocks if block.table for line in block.lines}
    confirmed = {i: each for i, each in parts.items() if not in_tables.isdisjoint(map(id, each))}
    if len(confirmed) < len(parts):  # a stroke of a large character looks like a rule, but is in no table
        return in_parts(confirmed) if confirmed else _blocks_of(page, lines, frame)
    return blocks


def _blocks_of(page: Page, lines: Sequence[Line], frame: Frame) -> tuple[Block, ...]:
    blocks: list[Block] = []
    waiting: list[Boxes] = []
    for item in _ordered(frame, ruled.find(frame)):
        if isinstance(item, Grid):
            blocks += _text_blocks(waiting, lines, frame)
            blocks.append(_table_block(item, lines, frame))
            waiting = []
        else:
            waiting.append(item)
    return (*blocks, *_text_blocks(waiting, lines, frame))


def with_blocks(document: Document) -> Document:
    """Return a document with the blocks of its pages, for lines that were read without them: rules are not known."""
    blocks = [
        block
        for page in document.pages
        for block in blocks_of(page, [line for line in document.lines if line.page == page.number])
    ]
    return replace(document, blocks=tuple(blocks), lines=in_order(blocks))


def in_order(blocks: Sequence[Block]) -> tuple[Line, ...]:
    """Return the lines of blocks in reading order."""
    return tuple(line for block in blocks for line in block.lines)


def by_upper_edge(lines: Sequence[Line]) -> list[Line]:
    """Return lines by their upper edge in the picture, then from left to right; nothing is grouped."""
    return sorted(lines, key=lambda line: min((y, x) for x, y in line.polygon))


def _ordered(frame: Frame, grids: Sequence[Grid]) -> list[Boxes | Grid]:
    """Return rows and ruled tables in reading order; a table takes part in it as one large box."""
    taken = {box.index for grid in grids for box in grid.boxes}
    count = len(frame.boxes)
    items = [box for box in frame.boxes if box.index not in taken]
    items += [Box(count + i, g.left, g.top, g.right, g.bottom) for i, g in enumerate(grids)]
    result: list[Boxes | Grid] = []
    for row in columns.ordered(items):
        text = [box for box in row if box.index < count]
        tables = [grids[box.index - count] for box in row if box.index >= count]
        if not tables:
            result.append(text)
            continue
        # Text beside a table is read before it if it stands at its left.
        left = [box for box in text if box.right <= tables[0].left]
        result += layout.rows(left)
        result += tables
        result += layout.rows([box for box in text if box not in left])
    return result


def _text_blocks(rows: Sequence[Boxes], lines: Sequence[Line], frame: Frame) -> list[Block]:
    """Return the blocks of rows in reading order, unruled tables included."""
    blocks: list[Block] = []
    done = 0
    parts: list[tuple[BlockKind, Sequence[Boxes], Grid | None]] = []
    for start, end, grid in aligned.find(rows, frame.height):
        parts += [(p.kind, p.rows, None) for p in paragraphs.find(rows[done:start], lines, frame)]
        parts.append(("table", rows[start:end], grid))
        done = end
    parts += [(p.kind, p.rows, None) for p in paragraphs.find(rows[done:], lines, frame)]
    for kind, part, table in parts:
        if table is not None:
            blocks.append(_table_block(table, lines, frame))
        else:
            blocks.append(_block(kind, frame, [b for row in part for b in row], lines_of(part, lines)))
    return blocks


def _table_block(grid: Grid, lines: Sequence[Line], frame: Frame) -> Block:
    return _block("table", frame, grid.boxes, grid.rows(lines), grid.table(lines))


def _block(
    kind: BlockKind, frame: Frame, boxes: Sequence[Box], rows: tuple[Row, ...], table: Table | None = None
) -> Block:
    bounds = (
        min(b.left for b in boxes),
        min(b.top for b in boxes),
        max(b.right for b in boxes),
        max(b.bottom for b in boxes),
    )
    return Block(kind, frame.page.number, frame.polygon(*bounds), rows, table)
