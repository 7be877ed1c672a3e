"""Buckets: the fixed widths to which line images are padded.

A line is scaled to the model's height and padded to the smallest bucket that holds it. The bucket depends only on
the line, never on the rest of the batch, so the text cannot depend on other lines (PaddleOCR #5603, #6116: padding to
the widest line of the batch changes the text).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# Limits the memory of an image of 1 x 1 000 000 pixels; no real line has a thousand characters.
_WIDEST = 65_536


@dataclass(frozen=True, slots=True)
class Buckets:
    """Ascending widths in pixels at the model's height."""

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.widths or list(self.widths) != sorted(set(self.widths)) or self.widths[0] < 1:
            raise ValueError(f"buckets must be positive and ascending, not {self.widths}")

    @property
    def widest(self) -> int:
        """Return the width in pixels of the widest line that is read in one piece."""
        return self.widths[-1]

    def of(self, width_pixels: int) -> int:
        """Return the bucket of a line of this width; ValueError if it is below 1 or above the widest bucket."""
        if not 1 <= width_pixels <= self.widest:
            raise ValueError(f"a line of {width_pixels} pixels does not fit 1 to {self.widest}")
        return self.widths[bisect_left(self.widths, width_pixels)]


def fitted_width(image_height: int, image_width: int, height: int) -> int:
    """Return the width of an image of this size after scaling to ``height`` pixels, 1 to 65536."""
    return max(1, min(round(image_width * height / image_height), _WIDEST))


def fit(image: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Scale a line image ``uint8 [H,W,3]`` to ``uint8 [height,w,3]``, keeping its aspect.

    ValueError for an image without pixels or of another shape.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"a line must be uint8 [H,W,3] with pixels in it, not {image.dtype} {image.shape}")
    width = fitted_width(image.shape[0], image.shape[1], height)
    if image.shape[:2] == (height, width):
        return image
    # Bilinear also for shrinking, as in training: with area averaging, lines are read slightly worse.
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def stack(
    crops: Sequence[NDArray[np.uint8]], *, height: int, width: int, pad_value: int
) -> NDArray[np.uint8]:
    """Pad crops ``uint8 [height,w,3]`` on the right with ``pad_value`` and stack them, ``uint8 [N,height,width,3]``.

    ValueError for a crop that is wider than ``width`` or of another height.
    """
    batch = np.full((len(crops), height, width, 3), pad_value, dtype=np.uint8)
    for row, crop in zip(batch, crops, strict=True):
        if crop.shape[0] != height or not 1 <= crop.shape[1] <= width:
            raise ValueError(f"a crop of shape {crop.shape} does not fit {height}x{width}")
        row[:, : crop.shape[1]] = crop
    return batch
