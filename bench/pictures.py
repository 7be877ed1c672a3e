"""Pictures that the benches read or send: labelled ones, one-line JPEGs, and pages made of lines."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
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


def load(found: Iterable[evaluation.Sample]) -> list[Picture]:
    """Return the pictures of the samples as the service decodes them."""
    decoding.quieten()
    cv2.setNumThreads(1)
    return decode(sample.path.read_bytes() for sample in found)


def decode(files: Iterable[bytes]) -> list[Picture]:
    """Return the pixels of each file as the service decodes them."""
    return [next(decoding.decode(content, Limits())).pixels for content in files]


def line_files(data: Path, limit: int, seed: int = 0) -> list[bytes]:
    """Return the lines of a data set as shuffled JPEG files: ``limit`` of each source, always the same ones."""
    files = []
    for sample in evaluation.samples(data, limit):
        content = sample.path.read_bytes()
        files.append(content if sniff(content) == "JPEG" else jpeg(decode([content])[0]))
    random.Random(seed).shuffle(files)
    return files


def page(crops: Sequence[Picture], lines: int, rng: random.Random, width: int = 1654) -> Picture:
    """Return a page in two columns with this many of the crops, in heights of printed text.

    The default width is that of A4 at 200 dpi.
    """
    column = width // 2
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
    """Return the picture as a JPEG file."""
    written, buffer = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert written
    return buffer.tobytes()
