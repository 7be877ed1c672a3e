"""Draws the outlines of lines on a page, as pictures for people."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.results import Line

_SURE = (80, 150, 0)  # BGR
_DOUBTFUL = (0, 110, 230)


def outlined(pixels: NDArray[np.uint8], lines: Sequence[Line]) -> NDArray[np.uint8]:
    """Return a copy of a page, uint8 [H,W,3] BGR, with the outline of each line; orange if it needs review."""
    picture = pixels.copy()
    thickness = max(1, round(min(picture.shape[:2]) / 500))
    for line in lines:
        corners = np.array(line.polygon, np.float64).round().astype(np.int32).reshape(-1, 1, 2)
        colour = _DOUBTFUL if line.needs_review else _SURE
        cv2.polylines(picture, [corners], True, colour, thickness, cv2.LINE_AA)
    return picture


def shrunk(pixels: NDArray[np.uint8], side_pixels: int) -> NDArray[np.uint8]:
    """Return a page whose longer side has at most ``side_pixels``; the same array if it has no more."""
    scale = side_pixels / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    smaller = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8)


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return the picture as PNG."""
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())
