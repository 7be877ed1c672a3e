"""Finds the ruled lines of a page, which separate the cells of tables.

A rule is a thin dark stripe, longer than characters are high. Small gaps are closed first, so that dotted rules count.
Coloured rules count by their darkest channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.pages.layout import straightened
from ocrsvc.pages.source import Pixels
from ocrsvc.results import Point, Polygon

_TEXT_HEIGHT = 24.0  # pixels; a page with larger text is looked at at a smaller size
_LEAST_CONTRAST = 14  # grey levels of a rule against the paper, once the page is at that size
_NOISE_FACTOR = 4.0  # the same, in means of what noise and paper give
_THICKNESS = 0.4  # most thickness of a rule, in text heights: a dark bar behind text is none
_GAP = 0.4  # widest gap that is closed at once, in text heights
_LEAST_LENGTHS = (2.0, 1.6)  # of horizontal and vertical rules, in text heights
_JOINED_GAP = 0.6  # widest gap between two parts of one rule, in text heights
_TEXT_SHARE = (
    0.5  # a vertical rule that lies in text boxes by more may be the strokes of text below each other,
)
_INK_SHARE = 0.92  # unless so much of it is ink
_INSET = 0.16  # part of the height of a text box, at its edges, in which there may be a rule
_MOST_RULES = 2000  # of each direction; a page with more is a pattern, not tables

Segments = NDArray[np.float64]  # [N,4]: x and y of both ends, the lower coordinate first


@dataclass(frozen=True, slots=True)
class Rule:
    """One ruled line; its ends are in pixels of the upright page."""

    start: Point
    end: Point


def find(pixels: Pixels, polygons: Sequence[Polygon], page_scale: float = 1.0) -> tuple[Rule, ...]:
    """Return the ruled lines of an upright page uint8 [H,W,3]; ``polygons`` are the lines of text on it.

    The lines tell by which angle the page is skewed and how large its text is; without any there is no answer.
    The coordinates of rules are multiplied by ``page_scale``, for pages that are decoded at a smaller size.
    """
    if not polygons:
        return ()
    points = np.asarray(polygons, dtype=np.float64)
    sides = np.linalg.norm(points[:, [1, 3]] - points[:, [0]], axis=2)
    text_height = max(4.0, float(np.median(sides.min(axis=1))))
    scale = min(1.0, _TEXT_HEIGHT / text_height)
    height = text_height * scale
    matrix = _to_straight(points, pixels.shape[:2], scale)
    small = _warped(pixels, matrix, scale)
    ink = _ink(small, height)
    straight = np.asarray(cv2.transform(points, matrix), dtype=np.float64)
    text = _text_mask(ink.shape, straight)
    across = _segments(ink, height, vertical=False, text=text)
    down = _segments(ink, height, vertical=True, text=text)
    back = cv2.invertAffineTransform(matrix)
    ends = np.concatenate([across, down]).reshape(-1, 2, 2)
    if not len(ends):
        return ()
    return tuple(
        Rule((a[0], a[1]), (b[0], b[1])) for a, b in (cv2.transform(ends, back) * page_scale).tolist()
    )


def _to_straight(points: NDArray[np.float64], shape: tuple[int, ...], scale: float) -> NDArray[np.float64]:
    """Return the affine map [2,3] from the page to the picture that is searched: scaled, turned around the middle."""
    _, turn = straightened(points)
    angle = math.degrees(math.atan2(turn[0, 1], turn[0, 0]))
    angle = (angle + 45) % 90 - 45  # vertical text asks for a quarter turn, which rules do not need
    height, width = shape
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), -angle, scale), dtype=np.float64)
    matrix[:, 2] += np.array([width, height]) * (scale - 1) / 2
    return matrix


def _warped(pixels: Pixels, matrix: NDArray[np.float64], scale: float) -> NDArray[np.uint8]:
    """Return the darkest channel of the page uint8 [h,w], mapped by ``matrix``."""
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    blue, green, red = cv2.split(small)
    dark = cv2.min(cv2.min(blue, green), red)
    if abs(matrix[0, 1]) < 1e-4:
        return np.asarray(dark)
    turn = matrix.copy()
    turn[:, :2] /= scale
    return np.asarray(cv2.warpAffine(dark, turn, size, borderMode=cv2.BORDER_REPLICATE))


def _ink(gray: NDArray[np.uint8], height: float) -> NDArray[np.uint8]:
    """Return what is thin and dark as 255, uint8 [h,w]."""
    side = 2 * max(1, round(_THICKNESS * height / 2)) + 1
    thin = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_RECT, (side, side)))
    least = max(_LEAST_CONTRAST, _NOISE_FACTOR * float(np.median(thin)))
    return np.asarray(cv2.threshold(thin, least, 255, cv2.THRESH_BINARY)[1], dtype=np.uint8)


def _text_mask(shape: tuple[int, ...], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return uint8 [h,w] that is 255 in the middle of each line of text, where no horizontal rule is."""
    mask = np.zeros(shape, np.uint8)
    lows, highs = points.min(axis=1), points.max(axis=1)
    inset = _INSET * (highs - lows).min(axis=1)[:, None]
    for (left, top), (right, bottom) in zip(
        np.maximum(0, lows + inset).astype(int).tolist(), (highs - inset).astype(int).tolist(), strict=True
    ):
        mask[top : bottom + 1, left : right + 1] = 255
    return mask


def _segments(ink: NDArray[np.uint8], height: float, *, vertical: bool, text: NDArray[np.uint8]) -> Segments:
    """Return the rules of one direction; those of the other are found on the transposed picture."""
    if vertical:
        found = _along(ink.T.copy(), height, _LEAST_LENGTHS[1], text.T.copy(), through_text=True)
        return found[:, [1, 0, 3, 2]]
    outside = np.asarray(cv2.bitwise_and(ink, cv2.bitwise_not(text)), dtype=np.uint8)
    return _along(outside, height, _LEAST_LENGTHS[0], text)


def _along(
    ink: NDArray[np.uint8],
    height: float,
    least_length: float,
    text: NDArray[np.uint8],
    *,
    through_text: bool = False,
) -> Segments:
    gap, length = max(3, round(_GAP * height)), max(5, round(least_length * height))
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    # Rules may be bent or still lean a little, so each pixel counts for its neighbours above and below as well.
    thick = cv2.dilate(closed, np.ones((3, 1), np.uint8))
    long = cv2.bitwise_and(cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)), thick)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(long, connectivity=8)
    found = []
    for left, top, width, tall, area in boxes[1:].tolist():
        thickness = area / width - 2
        if thickness > _THICKNESS * height or tall > 3 + _THICKNESS * height + 0.02 * width:
            continue
        if through_text and _is_strokes(ink, text, left, top, width, tall):
            continue
        middle = top + tall / 2
        found.append((float(left), middle, float(left + width), middle))
    if not found or count > _MOST_RULES:
        return np.empty((0, 4))
    return np.asarray(_joined(found, height), dtype=np.float64)


def _is_strokes(
    ink: NDArray[np.uint8], text: NDArray[np.uint8], left: int, top: int, width: int, tall: int
) -> bool:
    """Return whether these pixels are strokes of characters in neighbouring lines, with gaps between the lines."""
    place = slice(top, top + tall), slice(left, left + width)
    if float(text[place].max(axis=0).mean()) <= _TEXT_SHARE * 255:
        return False
    return float(ink[place].max(axis=0).mean()) < _INK_SHARE * 255


def _joined(found: list[tuple[float, float, float, float]], height: float) -> list[list[float]]:
    """Return segments (left, y, right, y) with the parts of one rule joined."""
    joined: list[list[float]] = []
    for left, y, right, _ in sorted(found):
        for each in reversed(joined[-60:]):
            if abs(each[3] - y) <= 0.25 * height and left - each[2] <= _JOINED_GAP * height:
                each[2], each[3] = max(each[2], right), y
                break
        else:
            joined.append([left, y, right, y])
    return joined
