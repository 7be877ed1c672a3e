"""Straight thin stripes of ink in one direction: what ruled lines are made of.

All lengths are in text heights of the straightened page.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

THICKNESS = 0.4  # most thickness of a rule: a dark bar behind text is none
CLOSE_GAP = 0.2  # gaps that dots leave: closed where text is near, because those between characters are wider
_GAP = 0.4  # widest gap that is closed at once, where there is no text
JOINED_GAP = 0.6  # widest gap between two parts of one rule
_SAME_LINE = 0.25  # most distance of two parts of one rule across it
_TEXT_SHARE = 0.5  # a vertical rule that lies in texts by more may be the strokes of text below each other,
_INK_SHARE = 0.92  # unless so much of it is ink
_MOST_RULES = 2000  # of each direction; a page with more is a pattern, not tables

Segments = NDArray[np.float64]  # [N,4]: x and y of both ends, the lower coordinate first
Segment = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Ink:
    """What is thin and dark on a straightened page, uint8 [h,w], 255 for ink.

    ``height``: of its text, in pixels; ``lows`` and ``highs``: upper left and lower right corner of each line of text.
    """

    ink: NDArray[np.uint8]
    height: float
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    def text(self, share: float) -> NDArray[np.uint8]:
        """Return uint8 [h,w] that is 255 in each line of text, but for a share of its height at each edge."""
        mask = np.zeros(self.ink.shape, np.uint8)
        inset = share * (self.highs - self.lows).min(axis=1)[:, None]
        starts = np.maximum(0, self.lows + inset).astype(int).tolist()
        ends = (self.highs - inset).astype(int).tolist()
        for (left, top), (right, bottom) in zip(starts, ends, strict=True):
            mask[top : bottom + 1, left : right + 1] = 255
        return mask


def along(
    ink: NDArray[np.uint8],
    height: float,
    least_length: float,
    *,
    gap: float = _GAP,
    joined_gap: float = JOINED_GAP,
    through: NDArray[np.uint8] | None = None,
) -> Segments:
    """Return the horizontal stripes of ink; ``through``: the texts, if strokes in them may look like rules."""
    length = max(5, round(least_length * height))
    # Rules may be bent or still lean a little, so each pixel counts for its neighbours above and below as well.
    thick = cv2.dilate(closed(ink, height, gap), np.ones((3, 1), np.uint8))
    long = cv2.bitwise_and(cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)), thick)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(long, connectivity=8)
    found: list[Segment] = []
    for left, top, width, tall, area in boxes[1:].tolist():
        thickness = area / width - 2
        if thickness > THICKNESS * height or tall > 3 + THICKNESS * height + 0.02 * width:
            continue
        place = slice(top, top + tall), slice(left, left + width)
        if through is not None and _is_strokes(ink[place], through[place], height):
            continue
        middle = top + tall / 2
        found.append((float(left), middle, float(left + width), middle))
    if not found or count > _MOST_RULES:
        return np.empty((0, 4))
    return joined(found, height, joined_gap)


def closed(ink: NDArray[np.uint8], height: float, gap: float) -> NDArray[np.uint8]:
    """Return ink without horizontal gaps up to this one."""
    kernel = np.ones((1, max(3, round(gap * height))), np.uint8)
    return np.asarray(cv2.morphologyEx(ink, cv2.MORPH_CLOSE, kernel), dtype=np.uint8)


def joined(found: list[Segment], height: float, gap: float = JOINED_GAP) -> Segments:
    """Return horizontal segments with the parts of one rule joined."""
    rules: list[list[float]] = []
    for left, y, right, _ in sorted(found):
        for each in reversed(rules[-60:]):
            if abs(each[3] - y) <= _SAME_LINE * height and left - each[2] <= gap * height:
                each[2], each[3] = max(each[2], right), y
                break
        else:
            rules.append([left, y, right, y])
    return np.asarray(rules, dtype=np.float64).reshape(-1, 4)


def _is_strokes(ink: NDArray[np.uint8], text: NDArray[np.uint8], height: float) -> bool:
    """Return whether these pixels are strokes of characters in neighbouring lines, with gaps between the lines."""
    if float(text.max(axis=0).mean()) <= _TEXT_SHARE * 255:
        return False
    return float(closed(ink.max(axis=0)[None], height, CLOSE_GAP).mean()) < _INK_SHARE * 255
