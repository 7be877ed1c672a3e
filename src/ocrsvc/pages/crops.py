"""Cuts lines out of a page, flat and horizontal."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

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
_STRAIGHT_PIXELS = 0.75  # a box whose corners are this close to its bounds is cut without resampling


@dataclass(frozen=True, slots=True)
class Crop:
    """``pixels`` uint8 [h,w,3] of one line, and its ``polygon`` on the page, starting at the text's top left."""

    pixels: NDArray[np.uint8]
    polygon: Polygon


def cut(image: NDArray[np.uint8], polygon: Polygon) -> Crop | None:
    """Cut the line in ``polygon`` (corners clockwise from the top left) out of ``image`` uint8 [H,W,3].

    Its perspective is rectified, and a tall crop is turned by 90 degrees counter-clockwise, as in PaddleOCR's
    get_rotate_crop_image. None for a polygon without area or outside the picture.
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
    if pixels.shape[1] < _ONE_SIGN_WIDTH * pixels.shape[0] and (sign := _one_sign(pixels)) is not None:
        return Crop(sign, polygon)
    if pixels.shape[0] / pixels.shape[1] >= TURN_FROM_ASPECT:
        turned = np.asarray(cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8)
        return Crop(turned, (polygon[1], polygon[2], polygon[3], polygon[0]))
    return Crop(pixels, polygon)


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
