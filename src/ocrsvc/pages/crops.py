"""Lines cut out of a page, made flat and horizontal."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.pages.ink import inked, runs
from ocrsvc.results import Polygon

_TURN_FROM_ASPECT = (
    1.5  # height over width above which a crop holds a line that runs downwards (PaddleOCR's value)
)
# A crop less wide and less high than these times its other side may hold one sign, which stands upright.
_ONE_SIGN_WIDTH, _ONE_SIGN_ASPECT = 1.6, 2.6
_DASH_ASPECT = 2.0  # width over height of ink that is a dash
_ONE_RUN = 0.66  # of the ink's height, in one run of rows: 1 and i are one sign, two characters are not
_RULE_SHARE = 0.95  # of a column's height above which its ink is the border of a cell
_STRAIGHT_PIXELS = 0.75  # a box whose corners are this close to its bounds is cut out without resampling


@dataclass(frozen=True, slots=True)
class Crop:
    """``pixels`` uint8 [h,w,3] of one line, and its ``polygon`` on the page from the text's own top left on."""

    pixels: NDArray[np.uint8]
    polygon: Polygon


def cut(image: NDArray[np.uint8], polygon: Polygon) -> Crop | None:
    """The line in ``polygon`` (corners clockwise from the top left) of ``image`` uint8 [H,W,3].

    Seen straight from above and, if it is tall, turned by 90 degrees counter-clockwise; None for a polygon
    without area or outside the picture. As PaddleOCR's get_rotate_crop_image.
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
    if pixels.shape[0] / pixels.shape[1] >= _TURN_FROM_ASPECT:
        turned = np.asarray(cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8)
        return Crop(turned, (polygon[1], polygon[2], polygon[3], polygon[0]))
    return Crop(pixels, polygon)


def _one_sign(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The crop uint8 [h,w,3] of a single narrow sign (1 / I -) as a line would show it; None if it holds more.

    Boxes of single signs have wide and uneven margins: a dash at the top is read as a raised one, a small 1 as I. Of
    a crop that is tall, two characters below each other leave a gap between two heights of ink, and are together
    twice as high as wide.
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
    elif height >= _TURN_FROM_ASPECT * width and (ends - starts).max() > _ONE_RUN * height:
        beside, above = round(0.15 * height), round(0.1 * height)
    else:
        return pixels if height < _TURN_FROM_ASPECT * width else None
    sign = pixels[top:bottom, left:right]
    margins = (max(1, above), max(1, above), max(2, beside), max(2, beside))
    return np.asarray(
        cv2.copyMakeBorder(sign, *margins, cv2.BORDER_CONSTANT, value=ground.tolist()), dtype=np.uint8
    )


def _straight(image: NDArray[np.uint8], corners: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """The part of the picture, if the box stands upright: the same pixels without a transform."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    ideal = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float32)
    if np.abs(corners - ideal).max() > _STRAIGHT_PIXELS:
        return None
    rows = slice(max(0, round(float(top))), round(float(bottom)))
    columns = slice(max(0, round(float(left))), round(float(right)))
    return np.ascontiguousarray(image[rows, columns])
