"""Splits a picture into the inputs of the detector's network, and converts boxes back to the picture."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

# Sides of the input are multiples of the first number up to the second: of 32 because the network halves five times,
# coarser for larger ones to have few shapes. The aspect changes by 10 % at most.
_STEPS = ((32, 320.0), (64, 1024.0), (128, 2048.0), (256, inf))
MIN_INPUT_PIXELS = 64  # shorter sides are padded, because text at the border of a tiny input is missed

LARGEST = (960, 704)
_TILE_AREA = LARGEST[0] * LARGEST[1]  # largest area of an input; a run of this size takes about 100 MB
_OVERLAP_PIXELS = 128  # of neighbouring tiles, in pixels of the input; higher than nearly all lines
# A long strip, such as a scrolling screenshot, is shrunk only as far as its shorter side requires.
_STRIP_BELOW_SCALE = 0.6
_STRIP_ASPECT = 3.0


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture (left, top, width, height in the picture's pixels) and the size of the network's input."""

    left: int
    top: int
    width: int
    height: int
    input_width: int
    input_height: int

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Return the pixels to add above, below, left and right if the part is too small."""
        across = max(0, MIN_INPUT_PIXELS - self.width)
        down = max(0, MIN_INPUT_PIXELS - self.height)
        return down // 2, down - down // 2, across // 2, across - across // 2

    def pixels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the network's input ``uint8 [input_height,input_width,3]`` for this part of the picture."""
        part = image[self.top : self.top + self.height, self.left : self.left + self.width]
        if any(self.padding):
            part = np.asarray(cv2.copyMakeBorder(part, *self.padding, cv2.BORDER_REPLICATE), dtype=np.uint8)
        size = (self.input_width, self.input_height)
        if size == part.shape[1::-1]:
            return np.ascontiguousarray(part)
        # Bilinear shrinking by more than 2 would skip pixels, and thin strokes with them.
        shrinks = part.shape[1] > 2 * self.input_width or part.shape[0] > 2 * self.input_height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(part, size, interpolation=method), dtype=np.uint8)

    def on_picture(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert corners ``float32 [N,4,2]`` from pixels of the input to pixels of the picture."""
        above, below, before, after = self.padding
        scale = (
            (self.width + before + after) / self.input_width,
            (self.height + above + below) / self.input_height,
        )
        offset = (self.left - before, self.top - above)
        return boxes * np.array(scale, np.float32) + np.array(offset, np.float32)


def tiles(width: int, height: int, side_pixels: int) -> list[Tile]:
    """Split a picture for the network: one part, or overlapping parts if the input would be large.

    Parts keep the memory of a run small and let several workers share a page. Pages are cut into horizontal bands,
    so that lines stay whole; wide strips are cut at columns.
    """
    wide, high = max(width, MIN_INPUT_PIXELS), max(height, MIN_INPUT_PIXELS)
    scale = min(1.0, sqrt(0.75 * side_pixels * side_pixels / (wide * high)))
    if scale < _STRIP_BELOW_SCALE and max(wide, high) >= _STRIP_ASPECT * min(wide, high):
        scale = min(1.0, 0.75 * side_pixels / min(wide, high))
    along_x = wide >= _STRIP_ASPECT * high
    across, along = (high, wide) if along_x else (wide, high)
    overlap = _OVERLAP_PIXELS / scale
    # Larger tiles are needed only if side_pixels is far above its default and the page very wide.
    area = max(_TILE_AREA, round(across * scale * 3 * _OVERLAP_PIXELS))
    longest = area / (across * scale) / scale
    count = 1 if along <= longest else ceil((along - overlap) / (longest - overlap))
    length = ceil((along + (count - 1) * overlap) / count)
    size = _input_size(across * scale, length * scale, area)
    starts = [round(i * (along - length) / max(1, count - 1)) for i in range(count)]
    length = min(length, width if along_x else height)
    if along_x:
        return [Tile(start, 0, length, height, *size[::-1]) for start in starts]
    return [Tile(0, start, width, length, *size) for start in starts]


def _input_size(width: float, height: float, area: int) -> tuple[int, int]:
    """Return the sides rounded to the steps within this area; the side that rounding enlarged most is cut first."""
    size = [_rounded(width), _rounded(height)]
    while size[0] * size[1] > area:
        grown = 0 if size[0] / width >= size[1] / height else 1
        size[grown] -= _step(size[grown])
    return size[0], size[1]


def _rounded(length: float) -> int:
    step = _step(length)
    return max(MIN_INPUT_PIXELS, round(length / step) * step)


def _step(length: float) -> int:
    return next(step for step, limit in _STEPS if length <= limit)
