"""Generates lines for measurements without data, with realistic widths, in OpenCV's built-in font."""

from __future__ import annotations

import random
import string

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.models.manifest import InputSpec

# Deciles of the widths of 5 775 real lines (receipts, catalogues, documents, signs, screenshots) at a height of 48
# pixels, with ends at 2.5 and 97.5 %. Wider lines are split into segments up to the widest bucket before reading.
_DECILES = (36, 57, 76, 96, 122, 145, 174, 255, 410, 727, 1280)
_HEIGHT = 48
_SEED = 20_261_121


def lines(count: int, shape: InputSpec) -> list[NDArray[np.uint8]]:
    """Return ``count`` line images ``uint8 [height,w,3]`` for a model of this shape, always the same ones.

    Their widths are evenly spaced quantiles of real widths, in random order.
    """
    scale = shape.height / _HEIGHT
    at = (np.arange(count) + 0.5) / count
    widths = np.interp(at, np.linspace(0, 1, len(_DECILES)), _DECILES) * scale
    widest = shape.buckets[-1]
    strip = _strip(shape, widest)
    rng = random.Random(_SEED)  # noqa: S311 - nothing secret
    found = []
    for width in rng.sample([min(widest, max(1, round(w))) for w in widths.tolist()], count):
        start = rng.randrange(strip.shape[1] - width)
        found.append(np.ascontiguousarray(strip[:, start : start + width]))
    return found


def _strip(shape: InputSpec, widest: int) -> NDArray[np.uint8]:
    """Draw a line of letters and digits, ``uint8 [height, at least 3 x widest, 3]``, with camera noise."""
    rng = random.Random(_SEED)  # noqa: S311
    size = shape.height / 40  # OpenCV's letters are about 22 pixels high, 30 with descenders
    piece = "".join(rng.choices(string.ascii_letters + string.digits + " .:-", k=50))
    length = cv2.getTextSize(piece, cv2.FONT_HERSHEY_SIMPLEX, size, 2)[0][0]
    canvas = np.full((shape.height, length, 3), 235, dtype=np.uint8)
    origin = (0, round(shape.height * 0.72))
    cv2.putText(canvas, piece, origin, cv2.FONT_HERSHEY_SIMPLEX, size, (30, 30, 40), 2, cv2.LINE_AA)
    grain = np.random.default_rng(_SEED).normal(0, 6, canvas.shape)
    grainy = np.clip(canvas + grain, 0, 255).astype(np.uint8)
    return np.tile(grainy, (1, 3 * widest // length + 1, 1))
