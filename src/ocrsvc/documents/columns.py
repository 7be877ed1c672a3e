"""Columns of running text that stand side by side, however many, before rows are read across them.

``layout`` looks for one gutter at a time and needs running text on all of either side. Here all gutters of a page are
looked for together, and a narrow column of small print, such as a sidebar, is one as well.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import median

from ocrsvc.pages.layout import Box, order_rows, rows
from ocrsvc.results import Polygon

_GUTTER = 0.7  # least width of a gutter, in heights of the boxes
_CROSSING_SHARE = 0.12  # most boxes that may cross a gutter: titles and wide tables
_LEAST_ROWS = 3  # of each column
_FULL = 0.7  # a row that reaches this share of the width of its column is full
_FULL_SHARE = 0.5  # least share of full rows in a column of running text
_ASPECT = 5.0  # least width of a column over the height of its rows
_SHARED_HEIGHT = 0.25  # least part of the lower column beside the other one

Rows = list[list[Box]]


def ordered(boxes: Sequence[Box]) -> Rows:
    """Return boxes in reading order, in rows: column after column where there are columns of running text."""
    gutters = _gutters(boxes)
    if not gutters:
        return _plain(boxes)
    crossing = sorted((box for box in boxes if _crosses(box, gutters)), key=lambda box: box.middle)
    inside = [box for box in boxes if not _crosses(box, gutters)]
    result: Rows = []
    edges = [box.middle for box in crossing] + [float("inf")]
    done: set[int] = set()
    for i, edge in enumerate(edges):
        band = [box for box in inside if box.middle < edge and box.index not in done]
        done |= {box.index for box in band}
        columns: list[list[Box]] = [[] for _ in range(len(gutters) + 1)]
        for box in band:
            columns[_column(box, gutters)].append(box)
        for column in columns:
            result += _plain(column)
        if i < len(crossing):
            result.append([crossing[i]])
    return result


def _crosses(box: Box, gutters: Sequence[float]) -> bool:
    """Return whether a box reaches well over a gutter, on both of its sides."""
    return any(box.left + box.height < x < box.right - box.height for x in gutters)


def _column(box: Box, gutters: Sequence[float]) -> int:
    return sum(x <= (box.left + box.right) / 2 for x in gutters)


def _plain(boxes: Sequence[Box]) -> Rows:
    """Return boxes in the reading order that pages have without this."""
    found = order_rows([_corners(box) for box in boxes])
    return [[boxes[box.index] for box in row] for row in found]


def _gutters(boxes: Sequence[Box]) -> list[float]:
    """Return the x of the gutters between columns of running text, ascending; none unless all columns are such."""
    if len(boxes) < 2 * _LEAST_ROWS:
        return []
    height = median(box.height for box in boxes)
    most = int(_CROSSING_SHARE * len(boxes))
    events = sorted([(box.left, 1) for box in boxes] + [(box.right, -1) for box in boxes])
    depth, opened = 0, events[0][0]
    stripes: list[tuple[float, float]] = []
    is_open = False
    for x, step in events:
        depth += step
        if depth <= most and not is_open:
            opened, is_open = x, True
        elif depth > most and is_open:
            stripes.append((opened, x))
            is_open = False
    # A stripe at the left of all text, or one in which a column begins late, is no gutter: columns are checked below.
    first = 0 if stripes and stripes[0][0] > events[0][0] else 1
    wide = [stripe for stripe in stripes[first:] if stripe[1] - stripe[0] >= _GUTTER * height]
    gutters = [_middle(boxes, *stripe) for stripe in wide]
    return gutters if gutters and _are_columns(boxes, gutters) else []


def _middle(boxes: Sequence[Box], low: float, high: float) -> float:
    """Return the middle of the widest part of a stripe in which no box begins or ends: rows are of many lengths."""
    edges = sorted({low, high} | {x for b in boxes for x in (b.left, b.right) if low < x < high})
    # One edge alone: where most boxes have no height, a stripe may have no width.
    return max(((b - a, (a + b) / 2) for a, b in itertools.pairwise(edges)), default=(0.0, edges[0]))[1]


def _are_columns(boxes: Sequence[Box], gutters: Sequence[float]) -> bool:
    columns: list[list[Box]] = [[] for _ in range(len(gutters) + 1)]
    for box in boxes:
        if not _crosses(box, gutters):
            columns[_column(box, gutters)].append(box)
    if not all(len(column) >= _LEAST_ROWS and _is_text(column) for column in columns):
        return False
    for left, right in itertools.pairwise(columns):
        tops = [min(b.top for b in side) for side in (left, right)]
        bottoms = [max(b.bottom for b in side) for side in (left, right)]
        shared = min(bottoms) - max(tops)
        if shared < _SHARED_HEIGHT * min(bottoms[0] - tops[0], bottoms[1] - tops[1]):
            return False
    return True


def _is_text(column: Sequence[Box]) -> bool:
    """Return whether most rows of a column are one line each that fills its width."""
    found = rows(column)
    left, right = min(b.left for b in column), max(b.right for b in column)
    height = median(b.height for b in column)
    if right - left < _ASPECT * height or len(found) < _LEAST_ROWS:
        return False
    alone = [row[0] for row in found if len(row) == 1]
    full = sum(box.right - box.left >= _FULL * (right - left) for box in alone)
    return full >= _FULL_SHARE * len(found)


def _corners(box: Box) -> Polygon:
    return (box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)
