"""Lines cut out of a page, made flat and horizontal."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.results import Polygon

_TURN_FROM_ASPECT = (
    1.5  # height over width above which a crop holds a line that runs downwards (PaddleOCR's value)
)
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
    if pixels.shape[0] / pixels.shape[1] >= _TURN_FROM_ASPECT:
        turned = np.asarray(cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8)
        return Crop(turned, (polygon[1], polygon[2], polygon[3], polygon[0]))
    return Crop(pixels, polygon)


def _straight(image: NDArray[np.uint8], corners: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """The part of the picture, if the box stands upright: the same pixels without a transform."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    ideal = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float32)
    if np.abs(corners - ideal).max() > _STRAIGHT_PIXELS:
        return None
    rows = slice(max(0, round(float(top))), round(float(bottom)))
    columns = slice(max(0, round(float(left))), round(float(right)))
    return np.ascontiguousarray(image[rows, columns])
