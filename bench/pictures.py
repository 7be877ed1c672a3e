"""What the benches send: one-line JPEGs of the widths of real lines, and pages made of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from peers.recogniser import Picture

from ocrsvc.diagnosis import evaluation
from ocrsvc.pages import decoding
from ocrsvc.pages.kinds import sniff
from ocrsvc.pages.source import Limits

_QUALITY = 90
_LINE_HEIGHTS = (22, 34)  # pixels, of a line on a page
_LEADING_PIXELS = 12
_MARGIN_PIXELS = 30
_PAPER = 245


def line_files(data: Path, limit: int, seed: int = 0) -> list[bytes]:
    """The lines of a data set as JPEG files, shuffled: ``limit`` of each source, always the same ones. What is no
    JPEG yet becomes one."""
    found = evaluation.samples(data, limit)
    files = [
        content if sniff(content) == "JPEG" else jpeg(_decoded(content))
        for content in (sample.path.read_bytes() for sample in found)
    ]
    random.Random(seed).shuffle(files)
    return files


def decode(files: Sequence[bytes]) -> list[Picture]:
    """Their pixels as the service decodes them."""
    return [_decoded(content) for content in files]


def page(crops: Sequence[Picture], lines: int, rng: random.Random, width: int | None = None) -> Picture:
    """A page in two columns with this many of the crops on it, at heights of printed text."""
    column = (width or 1654) // 2  # A4 at 200 dpi
    rows = -(-lines // 2)
    step = _LINE_HEIGHTS[1] + _LEADING_PIXELS
    canvas = np.full((2 * _MARGIN_PIXELS + rows * step, 2 * column, 3), _PAPER, np.uint8)
    for number in range(lines):
        crop = rng.choice(crops)
        height = rng.randint(*_LINE_HEIGHTS)
        most = column - 2 * _MARGIN_PIXELS
        wide = max(1, min(round(crop.shape[1] * height / crop.shape[0]), most))
        top = _MARGIN_PIXELS + (number // 2) * step
        left = _MARGIN_PIXELS + (number % 2) * column
        canvas[top : top + height, left : left + wide] = cv2.resize(crop, (wide, height))
    return canvas


def jpeg(picture: Picture) -> bytes:
    """The picture as a JPEG file."""
    written, buffer = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert written
    return buffer.tobytes()


def _decoded(content: bytes) -> Picture:
    return next(decoding.decode(content, Limits())).pixels
