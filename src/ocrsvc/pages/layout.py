"""Reading order of lines: rows from left to right, columns of text one after the other.

Rows are groups of boxes that overlap vertically. A gutter splits a page into columns only if both sides are running
text: long rows without gaps that fill their column. Cells of a table and prices of a receipt are not running text
and are read row by row. Vertical lines beside rows, such as the heading of a form's part, come before the row at their
top, from right to left. Slanted lines across the page come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ocrsvc.results import Polygon

_ROW_OVERLAP = 0.5  # least vertical overlap of boxes in a row, as a share of the lower height
_GUTTER_HEIGHTS = 0.8  # narrowest gutter, in line heights
_MIN_ROWS = 3  # minimum number of rows on either side of a gutter
_MIN_ASPECT = 6.0  # least width of a row of running text over its height
_MIN_FILL = 0.65  # least width of such a row over that of its column
_MIN_DENSITY = 0.8  # least share of such a row that its boxes cover
_TEXT_SHARE = 0.6  # least share of a side's rows that are running text
_TALL_ASPECT = 1.5
_VERTICAL_ASPECT = (
    2.5  # least height over width of a vertical line on a page of rows; a single sign may be tall, too
)
_SLANT = 0.27  # least rise over run of a slanted line: 15 degrees
_MAX_GUTTERS = 8  # most candidates that are checked; a large table has hundreds of false ones


@dataclass(frozen=True, slots=True)
class Box:
    """Bounds of one line on the straightened page; ``index`` is its place in the sequence that was given."""

    index: int
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """Return the height in pixels."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Return the y halfway down."""
        return (self.top + self.bottom) / 2


def order(polygons: Sequence[Polygon]) -> list[int]:
    """Return the indices of ``polygons`` (corners clockwise from the top left) in reading order."""
    return [box.index for row in order_rows(polygons) for box in row]


def first(polygons: Sequence[Polygon], count: int) -> list[Polygon]:
    """Return the first ``count`` of many more lines, in reading order.

    Only the ``2 * count`` topmost lines are ordered, because the time grows with the square of the longest row.
    """
    highest = sorted(polygons, key=lambda corners: min(y for _, y in corners))[: 2 * count]
    return [highest[i] for i in order(highest)[:count]]


def order_rows(polygons: Sequence[Polygon]) -> list[list[Box]]:
    """Return the lines in reading order, grouped into rows."""
    if not polygons:
        return []
    points, _ = straightened(np.asarray(polygons, dtype=np.float64))
    lows, highs = points.min(axis=1), points.max(axis=1)
    boxes = [
        Box(i, *low, *high) for i, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True))
    ]
    slanted = _slanted(points)
    # Slanted lines such as watermarks, and vertical ones, cross several rows and would disturb their order.
    straight = [box for box in boxes if not slanted[box.index]]
    vertical = [b for b in straight if b.height >= _VERTICAL_ASPECT * (b.right - b.left)]
    aside = {box.index for box in vertical}
    found = _with_vertical(_ordered([b for b in straight if b.index not in aside]), vertical)
    return found + [[box] for box in sorted(boxes, key=lambda b: b.middle) if slanted[box.index]]


def _with_vertical(found: list[list[Box]], vertical: Sequence[Box]) -> list[list[Box]]:
    """Return rows with groups of vertical lines put before the first row that does not lie above the group.

    Neighbours that start at about the same height are a group.
    """
    groups: list[list[Box]] = []
    for box in sorted(vertical, key=lambda b: -b.right):
        for group in groups:
            width = box.right - box.left
            beside = group[-1].left - box.right < 2 * width
            if beside and abs(group[0].top - box.top) < 2 * width:
                group.append(box)
                break
        else:
            groups.append([box])
    result = list(found)
    for group in sorted(groups, key=lambda g: (min(b.top for b in g), g[0].left)):
        top = min(box.top for box in group)
        place = next((i for i, row in enumerate(result) if max(b.middle for b in row) > top), len(result))
        result[place:place] = [[box] for box in group]
    return result


def rows(boxes: Sequence[Box]) -> list[list[Box]]:
    """Group boxes into rows, top to bottom, each from left to right.

    A box belongs to a row if it overlaps the nearest box of that row by half of the lower height. Only the nearest box
    counts, because the rows of a crumpled receipt bend.
    """
    found: list[list[Box]] = []
    lowest: list[float] = []  # bottom of each row, to skip rows far above
    for box in sorted(boxes, key=lambda b: b.middle):
        best, best_overlap = None, _ROW_OVERLAP
        for i in range(max(0, len(found) - 8), len(found)):
            if lowest[i] <= box.top:
                continue
            row = found[i]
            near = min(row, key=lambda b: max(b.left - box.right, box.left - b.right))
            overlap = min(near.bottom, box.bottom) - max(near.top, box.top)
            share = overlap / max(1e-6, min(near.height, box.height))
            beside = min(near.right, box.right) - max(near.left, box.left)
            if share > best_overlap and beside < 0.5 * min(near.right - near.left, box.right - box.left):
                best, best_overlap = i, share
        if best is None:
            found.append([box])
            lowest.append(box.bottom)
        else:
            found[best].append(box)
            lowest[best] = max(lowest[best], box.bottom)
    found.sort(key=lambda row: sum(b.middle for b in row) / len(row))
    return [sorted(row, key=lambda b: b.left) for row in found]


def _ordered(boxes: Sequence[Box]) -> list[list[Box]]:
    gutter = _gutter(boxes)
    if gutter is None:
        return rows(boxes)
    spanning = sorted((b for b in boxes if b.left < gutter < b.right), key=lambda b: b.middle)
    middles = np.array([b.middle for b in spanning])
    result: list[list[Box]] = []
    aside = [b for b in boxes if not b.left < gutter < b.right]
    band_of = {b.index: int(np.searchsorted(middles, b.middle)) for b in aside}
    # Boxes that span the gutter (headlines, wide captions) separate the columns above from those below.
    bands = {
        key: list(group)
        for key, group in groupby(sorted(aside, key=lambda b: band_of[b.index]), lambda b: band_of[b.index])
    }
    for band in range(len(spanning) + 1):
        inside = bands.get(band, [])
        for side in ([b for b in inside if b.right <= gutter], [b for b in inside if b.left >= gutter]):
            if side:
                result += _ordered(side)
        if band < len(spanning):
            result.append([spanning[band]])
    return result


def _gutter(boxes: Sequence[Box]) -> float | None:
    """Return the x of the best gutter between two columns of running text, or None."""
    if len(boxes) < 2 * _MIN_ROWS:
        return None
    lefts, rights = np.array([b.left for b in boxes]), np.array([b.right for b in boxes])
    narrowest = _GUTTER_HEIGHTS * float(np.median([b.height for b in boxes]))
    widest: dict[float, tuple[int, float, float]] = {}
    for x in np.unique(lefts).tolist():
        # A gutter ends where a box begins, and starts at the last box that ends before.
        before = rights[rights <= x]
        if before.size < _MIN_ROWS or (lefts >= x).sum() < _MIN_ROWS:
            continue
        start = float(before.max())
        crossing = int(((lefts < x) & (rights > x)).sum())
        if x - start >= narrowest:
            widest[start] = max(
                widest.get(start, (-len(boxes), 0.0, 0.0)), (-crossing, x - start, (x + start) / 2)
            )
    ranked = sorted(widest.values(), reverse=True)[:_MAX_GUTTERS]
    return next((middle for _, _, middle in ranked if _two_columns(boxes, middle)), None)


def _two_columns(boxes: Sequence[Box], gutter: float) -> bool:
    left = [b for b in boxes if b.right <= gutter]
    right = [b for b in boxes if b.left >= gutter]
    if not (_is_text(left) and _is_text(right)):
        return False
    top = max(min(b.top for b in left), min(b.top for b in right))
    bottom = min(max(b.bottom for b in left), max(b.bottom for b in right))
    shorter = min(max(b.bottom for b in side) - min(b.top for b in side) for side in (left, right))
    return bottom - top > 0.5 * shorter


def _is_text(column: Sequence[Box]) -> bool:
    """Return whether these boxes are rows of running text (or several columns of it)."""
    found = rows(column)
    if len(found) < _MIN_ROWS:
        return False
    width = max(b.right for b in column) - min(b.left for b in column)
    good = 0
    for row in found:
        extent = row[-1].right - row[0].left
        covered = sum(b.right - b.left for b in row)
        height = max(b.height for b in row)
        good += (
            extent >= _MIN_FILL * width
            and covered >= _MIN_DENSITY * extent
            and extent >= _MIN_ASPECT * height
        )
    return good >= _TEXT_SHARE * len(found)


def _slanted(points: NDArray[np.float64]) -> list[bool]:
    """Return which of the boxes ``[N,4,2]`` on a straightened page are slanted; none if all are."""
    across, down = points[:, 1] - points[:, 0], points[:, 3] - points[:, 0]
    long = np.linalg.norm(across, axis=1) > 2 * np.linalg.norm(down, axis=1)
    turned = long & (np.abs(across[:, 1]) > _SLANT * np.abs(across[:, 0]))
    return [bool(each) for each in turned] if not turned.all() else [False] * len(points)


def straightened(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotate corners ``[N,4,2]`` so that most lines are horizontal; also return the matrix ``[2,2]`` that does so.

    On a page of vertical lines these become rows, and the first corner of each is again the top left of its box.
    """
    across = points[:, 1] - points[:, 0]
    down = points[:, 3] - points[:, 0]
    widths, heights = np.linalg.norm(across, axis=1), np.linalg.norm(down, axis=1)
    matrix = np.eye(2)
    tall = heights >= _TALL_ASPECT * widths
    if tall.sum() > 0.5 * len(points):
        # Vertical lines, the first at the right, become ordinary rows when turned counter-clockwise.
        matrix = np.array([[0.0, -1.0], [1.0, 0.0]])
        points = (points @ matrix)[:, [1, 2, 3, 0]]
        across = points[:, 1] - points[:, 0]
        widths, heights = heights, widths
    wide = widths > 2 * heights
    if not wide.any():
        return points, matrix
    # The median is weighted by width, because a watermark may have more lines than the text.
    angles = np.arctan2(across[wide, 1], across[wide, 0])
    rank = np.argsort(angles)
    reached = np.cumsum(widths[wide][rank])
    angle = float(angles[rank][np.searchsorted(reached, reached[-1] / 2)])
    cosine, sine = np.cos(-angle), np.sin(-angle)
    rotation = np.array([[cosine, sine], [-sine, cosine]])
    return np.asarray(points @ rotation), matrix @ rotation
