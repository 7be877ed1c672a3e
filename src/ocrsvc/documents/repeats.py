"""Headers and footers: lines at the edge of pages that say the same on several pages, but for the page number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import cast

from ocrsvc.documents.page_structure import in_order
from ocrsvc.pages.turns import Turn, advanced
from ocrsvc.results import Block, BlockKind, Document, Page, Polygon, Row
from ocrsvc.text import fold

_EDGE = 0.12  # part of the page's height at the top and at the bottom where headers and footers are
_MOST_ROWS = 3  # of a header or footer
_PLACE = 0.025  # two rows at the same place differ in y by this share of the page's height at most
_ALIKE = 0.8  # least similarity of two texts whose digits are not compared
_LEAST_PAGES = 2
_LEAST_SHARE = 0.3  # of the pages that are within reach: chapters have headers of their own
_REACH = 6  # pages before and after that are compared
_NUMBER = re.compile(
    r"[-–—·.\s]*(?:第|page|p\.?|no\.?)?\s*(?:#+|[ivxlc]+)\s*(?:页)?\s*(?:(?:/|of|共)\s*#+\s*页?)?[-–—·.\s]*"
)


@dataclass(frozen=True, slots=True)
class _Edge:
    """One row at the top or bottom of a page; ``at`` is the y of its middle as a share of the page's height."""

    kind: BlockKind
    at: float
    text: str


def with_repeats(document: Document) -> Document:
    """Return a document with its headers and footers as blocks of their own; it is the same without blocks.

    Pages that were delivered one by one have none, because what repeats is known only from the others.
    """
    if not document.blocks or len(document.pages) < _LEAST_PAGES:
        return document
    of_page: dict[int, list[Block]] = {page.number: [] for page in document.pages}
    for block in document.blocks:
        of_page.setdefault(block.page, []).append(block)
    edges = [_edges(page, of_page[page.number]) for page in document.pages]
    blocks: list[Block] = []
    for i, page in enumerate(document.pages):
        near = [edges[j] for j in range(max(0, i - _REACH), min(len(edges), i + _REACH + 1)) if j != i]
        kinds = {key: edge.kind for key, edge in edges[i].items() if _repeats(edge, near)}
        blocks += _split(of_page[page.number], kinds) if kinds else of_page[page.number]
    return replace(document, blocks=tuple(blocks), lines=in_order(blocks))


def _edges(page: Page, blocks: Sequence[Block]) -> dict[tuple[int, int], _Edge]:
    """Return the rows at the top and bottom of a page, by block and row."""
    rows = []
    for i, block in enumerate(blocks):
        if block.kind == "table":
            continue
        for j, row in enumerate(block.rows):
            rows.append((_middle(row, page), (i, j), "".join(line.text for line in row)))
    rows.sort()
    top = [("header", each) for each in rows[:_MOST_ROWS] if each[0] < _EDGE]
    bottom = [("footer", each) for each in rows[-_MOST_ROWS:] if each[0] > 1 - _EDGE]
    return {
        key: _Edge("header" if kind == "header" else "footer", at, re.sub(r"\d+", "#", fold(text)))
        for kind, (at, key, text) in top + bottom
    }


def _middle(row: Row, page: Page) -> float:
    turn = cast(Turn, page.orientation)
    height = page.width if turn in (90, 270) else page.height  # of the upright page
    corners = [y for line in row for _, y in advanced(line.polygon, turn, page.width, page.height)]
    return (min(corners) + max(corners)) / 2 / max(1, height)


def _repeats(edge: _Edge, near: Sequence[dict[tuple[int, int], _Edge]]) -> bool:
    same = sum(any(_alike(edge, other) for other in edges.values()) for edges in near)
    return same >= max(1, min(_LEAST_SHARE * len(near), 3))


def _alike(edge: _Edge, other: _Edge) -> bool:
    if edge.kind != other.kind or abs(edge.at - other.at) > _PLACE:
        return False
    if edge.text == other.text:
        return True
    if _NUMBER.fullmatch(edge.text) and _NUMBER.fullmatch(other.text):
        return True
    # Texts with the number only: "#" is like "#", not like every short text.
    return min(len(edge.text), len(other.text)) >= 4 and (
        SequenceMatcher(None, edge.text, other.text, autojunk=False).ratio() >= _ALIKE
    )


def _split(blocks: Sequence[Block], kinds: dict[tuple[int, int], BlockKind]) -> list[Block]:
    """Return the blocks of a page with some rows as blocks of their own: headers first, footers last."""
    found: dict[BlockKind, list[Block]] = {"header": [], "footer": []}
    rest: list[Block] = []
    for i, block in enumerate(blocks):
        kept = tuple(row for j, row in enumerate(block.rows) if (i, j) not in kinds)
        for j, row in enumerate(block.rows):
            if kind := kinds.get((i, j)):
                found[kind].append(Block(kind, block.page, _bounds([row]), (row,)))
        if len(kept) == len(block.rows):
            rest.append(block)
        elif kept:
            rest.append(replace(block, rows=kept, polygon=_bounds(kept)))
    return [*found["header"], *rest, *found["footer"]]


def _bounds(rows: Sequence[Row]) -> Polygon:
    corners = [corner for row in rows for line in row for corner in line.polygon]
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    top, bottom = min(y for _, y in corners), max(y for _, y in corners)
    return (left, top), (right, top), (right, bottom), (left, bottom)
