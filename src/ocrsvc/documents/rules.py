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

from ocrsvc.documents import hidden_rules
from ocrsvc.documents.rule_segments import THICKNESS, Ink, Segments, along
from ocrsvc.pages.layout import straightened
from ocrsvc.pages.source import Pixels
from ocrsvc.results import Point, Polygon

_TEXT_HEIGHT = 24.0  # pixels; a page with larger text is looked at at a smaller size
_LEAST_CONTRAST = 14  # grey levels of a rule against the paper, once the page is at that size
_NOISE_FACTOR = 4.0  # the same, in means of what noise and paper give
_LEAST_LENGTHS = (2.0, 1.6)  # of horizontal and vertical rules, in text heights
_LEAST_SHORT = 1.0  # of vertical rules from one horizontal rule to the next
_INSET = 0.16  # part of the height of a text box, at its edges, in which there may be a rule
_MOST_CONFIRMED = (
    400  # rules that confirm each other; a page with more has no need, and it would take seconds
)


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
    across, down = _segments(Ink(ink, height, *_bounds(straight)))
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
    side = 2 * max(1, round(THICKNESS * height / 2)) + 1
    thin = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_RECT, (side, side)))
    least = max(_LEAST_CONTRAST, _NOISE_FACTOR * float(np.median(thin)))
    return np.asarray(cv2.threshold(thin, least, 255, cv2.THRESH_BINARY)[1], dtype=np.uint8)


def _bounds(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the upper left and the lower right corner of each line of text."""
    return points.min(axis=1), points.max(axis=1)


def _segments(page: Ink) -> tuple[Segments, Segments]:
    """Return the horizontal and the vertical rules.

    Horizontal ones are looked for outside of text first, because baselines look like them. Those that vertical ones
    confirm follow, and then vertical ones as high as a row of text, which the horizontal ones confirm.
    """
    middle = page.text(_INSET)
    outside = np.where(middle, np.uint8(0), page.ink)
    clear = along(outside, page.height, _LEAST_LENGTHS[0])
    steep = _down(page, middle, _LEAST_LENGTHS[1])
    if not len(steep) or len(clear) + len(steep) > _MOST_CONFIRMED:
        return clear, steep
    steep = hidden_rules.without_strokes(page, steep, clear)
    across = hidden_rules.through_text(page, clear, steep, _LEAST_LENGTHS[0])
    if not len(across):
        return across, steep
    short = hidden_rules.without_strokes(page, _down(page, middle, _LEAST_SHORT), across)
    return across, hidden_rules.with_short(page, steep, short, across)


def _down(page: Ink, middle: NDArray[np.uint8], least_length: float) -> Segments:
    """Return the vertical rules, which are found on the transposed picture; ``middle``: of the lines of text."""
    found = along(page.ink.T.copy(), page.height, least_length, through=middle.T.copy())
    return found[:, [1, 0, 3, 2]]
