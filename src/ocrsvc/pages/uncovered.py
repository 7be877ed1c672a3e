"""Finds the parts of a drawn page that have ink like that of text, but no line of the text layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.pages.source import Pixels
from ocrsvc.pages.text_layer import MOST_AREAS, Area
from ocrsvc.results import Polygon

# Everything below is at this resolution, at which letters of 5 points are still 4 pixels high.
_DPI = 100
_STEP = 40  # least difference of neighbouring pixels at an edge, in grey levels
_RULE_PIXELS = 30  # shortest straight edge that is a rule or a frame, not a stroke
_COVER_PIXELS = 2  # around each line of text: rounding, and the blur of the drawing
_UNDERLINE = 0.2  # of the height of a line, below it, where underlines are
_LEAST_PIXELS, _MOST_PIXELS = 3, 120  # height of an edge component of text
_JOIN_PIXELS = 9  # ink as close as this is one area
_LEAST_AREA = (9, 5)  # width and height: two letters; bullets and ticks are smaller
_LEAST_SHARE = 0.02  # of an area that has edges
_MOST_CLUSTERS = 500  # that are compared with each other; more become one area
_MARGIN_PIXELS = 4  # around an area, because the detector needs some ground around text


def areas(page: Pixels, lines: Sequence[Polygon], dpi: float) -> tuple[Area, ...]:
    """Return the areas of a page uint8 [H,W,3] drawn at ``dpi`` that must be read although ``lines`` have their text.

    At most ``MOST_AREAS``; if there are more, one area around all of them.
    """
    scale = min(1.0, _DPI / dpi)
    edges = _edges(page, scale)
    cover = _cover(edges.shape, lines, scale)
    edges &= ~cover
    edges &= ~_rules(edges)
    found = _clusters(edges)
    if len(found) > MOST_AREAS:
        left, top, right, bottom = np.array(found).T
        found = [(int(left.min()), int(top.min()), int(right.max()), int(bottom.max()))]
    return tuple(_on_page(area, page, scale) for area in found)


def with_ink(page: Pixels, lines: Sequence[Polygon]) -> list[bool]:
    """Return for each line of text whether anything is drawn where it is; their bounds are on the page."""
    gray = cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
    found = []
    for polygon in lines:
        xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
        place = np.s_[int(min(ys)) : int(max(ys)) + 1, int(min(xs)) : int(max(xs)) + 1]
        # The brightness alone takes a tenth of the time; colours of the same brightness are rare.
        found.append(_differs(gray[place]) or any(map(_differs, cv2.split(page[place]))))
    return found


def _differs(part: NDArray[Any]) -> bool:
    """Return whether the values of a part uint8 [h,w] of a page differ as at an edge."""
    if not part.size:
        return False
    low, high, _, _ = cv2.minMaxLoc(part)
    return high - low >= _STEP


def masked(page: Pixels, lines: Sequence[Polygon]) -> Pixels:
    """Return a copy of a page uint8 [H,W,3] without the ink of these lines, so that it is not read again."""
    copy = page.copy()
    for polygon in lines:
        xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
        left, right = max(0, int(min(xs)) - 1), int(max(xs)) + 2
        top, bottom = max(0, int(min(ys)) - 1), int(max(ys)) + 2
        part = page[top:bottom, left:right]
        if not part.size:
            continue
        border = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
        ground = np.median(border, axis=0).tolist()
        if _is_straight(polygon):
            copy[top:bottom, left:right] = ground
        else:
            cv2.fillPoly(copy, [np.round(polygon).astype(np.int32)], ground)
    return copy


def _is_straight(polygon: Polygon) -> bool:
    return len({round(x) for x, _ in polygon}) == len({round(y) for _, y in polygon}) == 2


def _edges(page: Pixels, scale: float) -> NDArray[np.bool_]:
    """Return where the brightness changes, on the page made smaller, as bool [h,w]."""
    gray = cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, kernel) >= _STEP)


def _cover(shape: tuple[int, ...], lines: Sequence[Polygon], scale: float) -> NDArray[np.bool_]:
    """Return what the lines cover, with the places of their underlines, as bool of this shape."""
    cover = np.zeros(shape, np.uint8)
    for polygon in lines:
        corners = np.array(polygon) * scale
        down = corners[3] - corners[0]
        corners[2:] += _UNDERLINE * down
        cv2.fillPoly(cover, [np.round(corners).astype(np.int32)], 1)
    size = 2 * _COVER_PIXELS + 1
    return np.asarray(cv2.dilate(cover, np.ones((size, size), np.uint8)) > 0)


def _rules(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the straight edges: rules, frames, the borders of filled areas."""
    ink = edges.astype(np.uint8)
    across = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, _RULE_PIXELS), np.uint8))
    down = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((_RULE_PIXELS, 1), np.uint8))
    return np.asarray(cv2.dilate(cv2.bitwise_or(across, down), np.ones((3, 3), np.uint8)) > 0)


def _clusters(edges: NDArray[np.bool_]) -> list[Area]:
    """Return the bounds of ink that is close together and may be text."""
    if not edges.any():
        return []
    # On most pages a few specks are left; only their part of the page is looked at.
    x, y, wide, high = cv2.boundingRect(edges.view(np.uint8))
    edges = edges[y : y + high, x : x + wide]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(edges.astype(np.uint8), connectivity=8)
    heights = stats[:, cv2.CC_STAT_HEIGHT]
    kept = (heights >= _LEAST_PIXELS) & (heights <= _MOST_PIXELS)
    kept[0] = False
    ink = kept[labels]
    reach = _JOIN_PIXELS // 2
    # The margin keeps the ink away from the border, where it could not grow by as much.
    grown = cv2.dilate(np.pad(ink.astype(np.uint8), reach), np.ones((_JOIN_PIXELS, _JOIN_PIXELS), np.uint8))
    count, groups, stats, _ = cv2.connectedComponentsWithStats(grown, connectivity=8)
    inked = np.bincount(groups[reach:-reach, reach:-reach][ink], minlength=count)
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    width, height = stats[:, cv2.CC_STAT_WIDTH] - 2 * reach, stats[:, cv2.CC_STAT_HEIGHT] - 2 * reach
    large = np.maximum(width, height) >= _LEAST_AREA[0]
    large &= np.minimum(width, height) >= _LEAST_AREA[1]
    large &= inked >= _LEAST_SHARE * width * height
    large[0] = False
    found = np.stack([left, top, left + width, top + height], axis=1)[large].tolist()
    areas = [(int(a) + x, int(b) + y, int(c) + x, int(d) + y) for a, b, c, d in found]
    return _without_overlap(areas) if len(areas) <= _MOST_CLUSTERS else areas


def _without_overlap(found: list[Area]) -> list[Area]:
    """Merge areas whose bounds overlap, until none do."""
    merged: list[Area] = []
    for area in sorted(found, key=lambda each: each[1]):
        grown = True
        while grown:
            grown = False
            for other in merged:
                if area[0] < other[2] and other[0] < area[2] and area[1] < other[3] and other[1] < area[3]:
                    merged.remove(other)
                    area = (
                        min(area[0], other[0]),
                        min(area[1], other[1]),
                        max(area[2], other[2]),
                        max(area[3], other[3]),
                    )
                    grown = True
                    break
        merged.append(area)
    return merged


def _on_page(area: Area, page: Pixels, scale: float) -> Area:
    left, top, right, bottom = area
    height, width = page.shape[:2]
    return (
        max(0, int((left - _MARGIN_PIXELS) / scale)),
        max(0, int((top - _MARGIN_PIXELS) / scale)),
        min(width, int((right + _MARGIN_PIXELS) / scale) + 1),
        min(height, int((bottom + _MARGIN_PIXELS) / scale) + 1),
    )
