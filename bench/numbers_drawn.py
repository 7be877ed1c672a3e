"""Numbers that are all different and guard themselves, and pictures of them: one line of ten digits.

The last two digits check the other eight, so that a number misread in one place is no other number of the set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Draw = Callable[[str, int], Picture]  # a text and which of some looks

_RANGE = 10**8
_STEP, _START = 61_803_399, 31_415_926  # coprime to the range: no number comes twice
_MODULUS = 97  # the largest prime below 100, as in ISO 7064: finds every wrong digit and all swaps
_SIZES = (22, 28, 34, 40)  # pixels
_MARGINS = (6, 12, 60, 200)  # behind the text: lines of one batch have different widths
_MARGIN = 8


def number(index: int) -> str:
    """Return the number of this index, below 10**8; every index has another."""
    value = (_START + index * _STEP) % _RANGE
    return f"{value:08}{value % _MODULUS:02}"


def guarded(text: str) -> bool:
    """Return whether the text is such a number."""
    return len(text) == 10 and text.isdecimal() and int(text[:8]) % _MODULUS == int(text[8:])


def drawn(text: str, look: int) -> Picture:
    """Return a line of digits, grey on white, in one of 16 sizes and widths."""
    digits = _digits(_SIZES[look % len(_SIZES)])
    line = np.concatenate([digits[int(each)] for each in text], axis=1)
    behind = _MARGINS[look // len(_SIZES) % len(_MARGINS)]
    return cv2.copyMakeBorder(  # type: ignore[return-value]
        line, _MARGIN, _MARGIN, _MARGIN, behind, cv2.BORDER_CONSTANT, value=255
    )


def png(picture: Picture) -> bytes:
    """Return the picture as a PNG file."""
    _, file = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return file.tobytes()


@cache
def _digits(size: int) -> Sequence[Picture]:
    """Return the ten digits in the font that Pillow brings along."""
    font = ImageFont.load_default(size)
    made = []
    for digit in "0123456789":
        canvas = Image.new("L", (round(font.getlength(digit)), size + 4), 255)
        ImageDraw.Draw(canvas).text((0, 0), digit, fill=20, font=font)
        made.append(np.asarray(canvas, dtype=np.uint8))
    return made
