"""Cuts lines out of a page, flat and horizontal."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.formats.words import part
from ocrsvc.pages.ink import inked, runs
from ocrsvc.results import Polygon

TURN_FROM_ASPECT = (
    1.5  # height over width above which a crop holds a line that runs downwards (PaddleOCR's value)
)
# A crop may hold one upright sign if width / height and height / width are below these values.
_ONE_SIGN_WIDTH, _ONE_SIGN_ASPECT = 1.6, 2.6
_DASH_ASPECT = 2.0  # width over height from which ink is a dash
_ONE_RUN = 0.66  # least share of the ink's height in one run of rows: true of 1 and i, not of two characters
_RULE_SHARE = 0.95  # share of ink in a row or column from which it is the border of a cell
_OUTER = 0.25  # of the text's height: where borders of cells lie in a crop
_ACROSS_SHARE = 0.97  # of ink in a row or column of a border across the text
_BORDER_SHARE = 0.9  # of ink in a row or column of a border, which may end within the crop
_BORDER_THICKNESS, _BORDER_PIXELS = 0.1, 3  # of the text's height; at least so many pixels
_MOST_INK = 0.5  # share of ink in a crop above which it has no ground of one brightness
_LEAST_PIXELS = 8  # of a crop in which borders are looked for
_STRAIGHT_PIXELS = 0.75  # a box whose corners are this close to its bounds is cut without resampling


@dataclass(frozen=True, slots=True)
class Crop:
    """``pixels`` uint8 [h,w,3] of one line, and its ``polygon`` on the page, starting at the text's top left."""

    pixels: NDArray[np.uint8]
    polygon: Polygon


def cut(image: NDArray[np.uint8], polygon: Polygon) -> Crop | None:
    """Cut the line in ``polygon`` (corners clockwise from the top left) out of ``image`` uint8 [H,W,3].

    Its perspective is rectified, borders of table cells along its edges are cut off, and a tall crop is turned by 90
    degrees counter-clockwise, as in PaddleOCR's get_rotate_crop_image. None for a polygon without area or outside the
    picture.
    """
    corners = np.asarray(polygon, dtype=np.float32)
    top, right, bottom, left = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = int(max(top, bottom)), int(max(left, right))
    if width < 1 or height < 1:
        return None
    straight = _straight(image, corners)
    if straight is not None:
        pixels = straight
    else:
        target = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32)
        matrix = cv2.getPerspectiveTransform(corners, target)
        warped = cv2.warpPerspective(
            image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        pixels = np.asarray(warped, dtype=np.uint8)
    if not pixels.size:
        return None
    pixels, polygon = _within_borders(pixels, polygon)
    if pixels.shape[1] < _ONE_SIGN_WIDTH * pixels.shape[0] and (sign := _one_sign(pixels)) is not None:
        return Crop(sign, polygon)
    if pixels.shape[0] / pixels.shape[1] >= TURN_FROM_ASPECT:
        turned = np.asarray(cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8)
        return Crop(turned, (polygon[1], polygon[2], polygon[3], polygon[0]))
    return Crop(pixels, polygon)


def _within_borders(pixels: NDArray[np.uint8], polygon: Polygon) -> tuple[NDArray[np.uint8], Polygon]:
    """Return a crop uint8 [h,w,3] and its polygon without the borders of a cell along its edges.

    Recognisers misread characters beside such a border. Crops that may hold a single sign stay: the strokes of 口
    look like borders. For the same reason one across the text must fill the crop.
    """
    height, width = pixels.shape[:2]
    size = min(height, width)
    if size < _LEAST_PIXELS or max(height, width) < _ONE_SIGN_WIDTH * size:
        return pixels, polygon
    gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    ground = np.full_like(gray, int(np.median(gray[::2, ::2])))
    ink = inked(np.asarray(cv2.absdiff(gray, ground), dtype=np.uint8))
    if ink.mean() > _MOST_INK:
        return pixels, polygon
    lying = ink if width > height else ink.T
    above, below = _between_borders(lying.mean(axis=1), size, _BORDER_SHARE)
    before, behind = _between_borders(lying[above:below].mean(axis=0), size, _ACROSS_SHARE)
    top, bottom, left, right = (
        (above, below, before, behind) if width > height else (before, behind, above, below)
    )
    if (top, bottom, left, right) == (0, height, 0, width):
        return pixels, polygon
    first, second, third, fourth = part(polygon, left / width, right / width)
    second, third, fourth, first = part((second, third, fourth, first), top / height, bottom / height)
    return np.ascontiguousarray(pixels[top:bottom, left:right]), (first, second, third, fourth)


def _between_borders(ink: NDArray[np.float64], height: int, least: float) -> tuple[int, int]:
    """Return the first and one past the last row or column between borders, by the share of ``ink`` in each.

    ``least`` is that of a border, and ``height`` is that of the text. What is thicker than a border, or lies further
    inside, is another ground. The soft edge beside a border goes with it.
    """
    reach = round(_OUTER * height)
    starts, ends = runs(np.asarray(ink >= least))
    thin = ends - starts <= max(_BORDER_PIXELS, _BORDER_THICKNESS * height)
    before, behind = ends[thin & (ends <= reach)], starts[thin & (starts >= ink.size - reach)]
    return (int(before[-1]) + 1 if before.size else 0), (int(behind[0]) - 1 if behind.size else ink.size)


def _one_sign(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return a crop uint8 [h,w,3] of a single narrow sign (1 / I -) with normal margins; None if it holds more.

    Boxes of single signs have wide and uneven margins: a dash at the top is read as a raised one, a small 1 as I. In a
    tall crop, two characters one below the other are recognised by the gap between them.
    """
    if pixels.shape[0] >= _ONE_SIGN_ASPECT * pixels.shape[1]:
        return None
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(border, axis=0).astype(np.int16)
    contrast = np.abs(pixels - ground).max(axis=2)
    ink = inked(contrast)
    ink &= ink.mean(axis=0) < _RULE_SHARE
    ink &= (ink.mean(axis=1) < _RULE_SHARE)[:, np.newaxis]
    across = np.flatnonzero(ink.any(axis=0))
    if not across.size:
        return None
    starts, ends = runs(np.asarray(ink.any(axis=1)))
    left, right, top, bottom = int(across[0]), int(across[-1]) + 1, int(starts[0]), int(ends[-1])
    width, height = right - left, bottom - top
    if width > _DASH_ASPECT * height:
        beside, above = (pixels.shape[1] - width) // 2, (pixels.shape[0] - height) // 2
    elif height >= TURN_FROM_ASPECT * width and (ends - starts).max() > _ONE_RUN * height:
        beside, above = round(0.15 * height), round(0.1 * height)
    else:
        return pixels if height < TURN_FROM_ASPECT * width else None
    sign = pixels[top:bottom, left:right]
    margins = (max(1, above), max(1, above), max(2, beside), max(2, beside))
    return np.asarray(
        cv2.copyMakeBorder(sign, *margins, cv2.BORDER_CONSTANT, value=ground.tolist()), dtype=np.uint8
    )


def _straight(image: NDArray[np.uint8], corners: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Return the pixels of an upright box without resampling; None if it is not upright."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    ideal = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float32)
    if np.abs(corners - ideal).max() > _STRAIGHT_PIXELS:
        return None
    rows = slice(max(0, round(float(top))), round(float(bottom)))
    columns = slice(max(0, round(float(left))), round(float(right)))
    return np.ascontiguousarray(image[rows, columns])
