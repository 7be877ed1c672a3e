"""Texts of rows, cells and paragraphs: rows joined again where only the width of the paper had broken them.

No space is put between Chinese characters, and a word that a hyphen divides at the end of a row is put together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ocrsvc.formats.headings import height
from ocrsvc.results import Block, Cell, Row
from ocrsvc.text import is_list_item, is_wide

_FULL_SHARE = (
    0.5  # least share of full rows in running text; other rows, such as an address, stay as they are
)
_FULL = 0.85  # a row that reaches this share of its paragraph's width is full
_RUNNING_WIDTH = 13.0  # least width of running text, in line heights: addresses are narrower
_DIVIDED = re.compile(r"[^\W\d_]{2,}-$")
_END = 4  # characters of a text that tell whether its last word is divided
_BULLET = re.compile(r"^\s*[-–—•·●○■□▪◦*✓➢]\s*(?=\S)")
_PAGE_NUMBER = re.compile(r"\s*([-–—·])\s*\d+\s*\1\s*")
_MIXED_SPACE = re.compile(r"[\u3400-\u9fff] [A-Za-z0-9]|[A-Za-z0-9] [\u3400-\u9fff]")


def row_text(row: Row) -> str:
    """Return the text of lines side by side."""
    return " ".join(line.text for line in row)


def cell_text(cell: Cell) -> str:
    """Return the text of a cell of a table on one line."""
    return joined([row_text(row) for row in cell.rows])


def joined(texts: Sequence[str]) -> str:
    """Return rows of one paragraph as one line of text."""
    result = ""
    spaced = any(_MIXED_SPACE.search(text) for text in texts)
    for text in texts:
        text = text.strip()
        if not result or not text:
            result += text
        elif _DIVIDED.search(result[-_END:]) and text[0].islower():
            result = result[:-1] + text
        elif is_wide(result[-1]) and is_wide(text[0]):
            result += text
        elif (is_wide(result[-1]) or is_wide(text[0])) and not spaced:
            result += text if _is_mark(result[-1]) or _is_mark(text[0]) else " " + text
        else:
            result += " " + text
    return result


def paragraph(block: Block) -> list[str]:
    """Return the lines of text that a block makes: one for a paragraph, one for each row of a list or an address."""
    texts = [row_text(row) for row in block.rows]
    return [joined([texts[i] for i in group]) for group in row_groups(block)]


def row_groups(block: Block) -> list[list[int]]:
    """Return the rows of a block, by their places in it, that make one line of text together."""
    extents = _extents(block)
    texts = [row_text(row) for row in block.rows]
    right = max(each.end for each in extents)
    width = right - min(each.start for each in extents)
    full = [right - each.end <= max((1 - _FULL) * width, each.step * 2) for each in extents]
    heights = [height(row[0]) for row in block.rows]
    wide = width >= _RUNNING_WIDTH * sum(heights) / len(heights)
    running = wide and len(texts) > 1 and sum(full[:-1]) >= _FULL_SHARE * (len(full) - 1)
    parts: list[list[int]] = []
    for i, text in enumerate(texts):
        goes_on = i > 0 and not is_list_item(text) and (running and _fills(extents, texts, i, right))
        if goes_on or (i > 0 and block.kind == "heading"):
            parts[-1].append(i)
        else:
            parts.append([i])
    return parts


def without_bullet(item: str) -> str | None:
    """Return the text of an item of a list without its bullet; None for one that has a number or nothing there.

    A number of a page between two dashes is no item.
    """
    match = None if _PAGE_NUMBER.fullmatch(item) else _BULLET.match(item)
    return item[match.end() :] if match else None


def _fills(extents: Sequence[Extent], texts: Sequence[str], i: int, right: float) -> bool:
    """Return whether the row before ``i`` had no room for the first word of row ``i``."""
    if _DIVIDED.search(texts[i - 1][-_END:]):
        return True
    word = texts[i].split(" ")[0]
    if word and is_wide(word[0]):
        word = word[:2]
    room = right - extents[i - 1].end
    return room <= max(2.5, len(word) + 1.5) * extents[i].step


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a row begins and ends along its text, and the width of one of its characters, in pixels."""

    start: float
    end: float
    step: float


def direction(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the unit vector along the text of rows, by their longest line."""
    best = (1.0, 0.0)
    longest = 0.0
    for row in rows:
        for line in row:
            (ax, ay), (bx, by) = line.polygon[:2]
            if (length := math.hypot(bx - ax, by - ay)) > longest:
                longest, best = length, ((bx - ax) / length, (by - ay) / length)
    return best


def _extents(block: Block) -> list[Extent]:
    dx, dy = direction(block.rows)
    extents = []
    for row in block.rows:
        along = [x * dx + y * dy for line in row for x, y in line.polygon]
        length = max(along) - min(along)
        extents.append(Extent(min(along), max(along), length / max(1, len(row_text(row)))))
    return extents


def _is_mark(character: str) -> bool:
    """Return whether this is punctuation, after which Chinese text has no space."""
    return is_wide(character) and not character.isalnum()
