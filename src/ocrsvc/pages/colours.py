"""Converts decoded pictures of every pixel format to upright, opaque ``uint8 [H,W,3]`` BGR."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ocrsvc.pages.source import BYTES_PER_PIXEL, Allocate, Pixels, fresh_bytes

TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
# A picture whose mean alpha is below the first value goes on black if its visible part is lighter than the second.
_SEE_THROUGH, _LIGHT = 0.9, 170
_STRIP_PIXELS = 1_000_000  # converted at a time where the conversion takes many bytes a pixel
# Peak bytes a pixel of Pillow's picture and `to_bgr` together, by Pillow's mode (measured).
_PILLOW_BYTES = {"1": 6, "L": 6, "P": 12, "RGB": 12, "I": 13, "F": 13}
_DEEP_BYTES, _OTHER_BYTES, _TRANSPARENT_BYTES = 9, 15, 17


def pillow_bytes(image: Image.Image) -> int:
    """Return the peak bytes a pixel of decoding this picture with Pillow and ``to_bgr``."""
    if image.has_transparency_data:
        return _TRANSPARENT_BYTES
    return _DEEP_BYTES if image.mode.startswith("I;16") else _PILLOW_BYTES.get(image.mode, _OTHER_BYTES)


def to_bgr(image: Image.Image, allocate: Allocate = fresh_bytes) -> Pixels:
    """Convert any Pillow picture to ``uint8 [H,W,3]`` BGR: alpha composed, deep and float pixels scaled to 8 bits."""
    if image.has_transparency_data:
        return composed(
            np.asarray(cv2.cvtColor(_array(image, "RGBA"), cv2.COLOR_RGBA2BGRA), np.uint8), allocate
        )
    if image.mode.startswith("I;16"):
        return gray_to_bgr((np.asarray(image) >> 8).astype(np.uint8), allocate)
    if image.mode in ("I", "F"):
        return gray_to_bgr(_stretched(np.asarray(image)), allocate)
    if image.mode in ("1", "L"):
        return gray_to_bgr(_array(image, "L"), allocate)
    colour = _array(image, "RGB")
    page = empty(colour.shape[:2], allocate)
    return np.asarray(cv2.cvtColor(colour, cv2.COLOR_RGB2BGR, dst=page), np.uint8)


def empty(size: tuple[int, ...], allocate: Allocate) -> Pixels:
    """Return an uninitialised page uint8 [H,W,3] of this height and width in memory from ``allocate``."""
    height, width = size
    return allocate(height * width * BYTES_PER_PIXEL).reshape(height, width, BYTES_PER_PIXEL)


def gray_to_bgr(gray: NDArray[np.uint8], allocate: Allocate) -> Pixels:
    """Convert a gray picture uint8 [H,W] to three channels."""
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR, dst=empty(gray.shape, allocate)), np.uint8)


def _array(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    # `convert` would copy a picture that already has the mode.
    return np.asarray(image if image.mode == mode else image.convert(mode), dtype=np.uint8)


def composed(bgra: NDArray[np.uint8], allocate: Allocate = fresh_bytes) -> Pixels:
    """Composite a picture on white, as a browser shows it, or on black if its visible part is light.

    White letters on a transparent background, made for a dark page, would be invisible on white.
    """
    color, alpha = bgra[:, :, :3], bgra[:, :, 3]
    page = empty(alpha.shape, allocate)
    if alpha.min(initial=255) == 255:
        return np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2BGR, dst=page), np.uint8)
    seen = cv2.mean(alpha)[0] / 255
    shown = cv2.multiply(cv2.cvtColor(bgra, cv2.COLOR_BGRA2GRAY), alpha, scale=1 / 255)
    light = cv2.mean(shown)[0] > _LIGHT * seen
    ground = np.uint16(0 if light and 0 < seen < _SEE_THROUGH else 255)
    for rows in _strips(*alpha.shape):  # 16-bit arrays of the whole picture would be six times its size
        cover = alpha[rows, :, np.newaxis].astype(np.uint16)
        page[rows] = (color[rows] * cover + ground * (255 - cover) + 127) // 255
    return page


def _strips(height: int, width: int) -> list[slice]:
    """Return the rows of a picture as slices of about ``_STRIP_PIXELS``."""
    rows = max(1, _STRIP_PIXELS // max(1, width))
    return [slice(top, top + rows) for top in range(0, height, rows)]


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo the EXIF orientation (1 to 8; others mean upright)."""
    if orientation in TURNED:
        pixels = np.transpose(pixels, (1, 0, 2))
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _stretched(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale numbers ``[H,W]`` of any range to 0 to 255; NaN counts as 0, infinities as the largest finite numbers."""
    strips = _strips(*values.shape)

    def finite(rows: slice) -> NDArray[np.float64]:
        return np.nan_to_num(values[rows].astype(np.float64))

    low = min(float(finite(rows).min()) for rows in strips)
    high = max(float(finite(rows).max()) for rows in strips)
    gray = np.zeros(values.shape, np.uint8)
    if high > low:
        for rows in strips:
            gray[rows] = (finite(rows) - low) * (255 / (high - low))
    return gray
