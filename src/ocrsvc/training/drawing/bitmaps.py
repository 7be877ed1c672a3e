"""Bitmap faces of consoles and of screens before anti-aliasing: each pixel of a glyph is ink or ground.

Windows drew Chinese at 9 to 12 points with bitmaps until Vista, and its console still draws Latin so. WenQuanYi's
bitmaps have the Chinese characters, Terminus and the fixed faces of X11 the Latin ones.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocrsvc.training.drawing.glyphs import Gray, underlined

FOLDER = Path(
    "/usr/share/fonts/X11/misc"
)  # of the Debian packages xfonts-wqy, xfonts-terminus and xfonts-base
# File and height in pixels, with its weight. The Chinese ones come first: they have Latin letters, too.
_CHINESE = {
    ("wenquanyi_9pt.pcf", 12): 3.0,
    ("wenquanyi_10pt.pcf", 13): 1.0,
    ("wenquanyi_13px.pcf", 14): 1.0,
    ("wenquanyi_11pt.pcf", 15): 1.0,
    ("wenquanyi_12pt.pcf", 16): 2.0,
}
_LATIN = {
    **{(f"{name}.pcf.gz", int(name.strip("B").split("x")[1])): 1.0 for name in "6x13 7x13 8x13 9x15 10x20".split()},
    **{(f"{name}.pcf.gz", int(name.strip("B").split("x")[1])): 0.5 for name in "7x13B 8x13B 9x15B".split()},
    **{(f"ter-u{size}{weight}_unicode.pcf.gz", size): 0.7 for size in (12, 14, 16, 18, 20) for weight in "nb"},
}  # fmt: skip


@dataclass(frozen=True)
class Bitmap:
    """A bitmap face; it has only one size."""

    font: ImageFont.FreeTypeFont
    has: dict[str, bool] = field(default_factory=dict)

    def covers(self, text: str) -> bool:
        """Return whether there is a glyph for every character."""
        return all(self._covers(character) for character in text)

    def _covers(self, character: str) -> bool:
        if character == " ":
            return True
        if character not in self.has:
            mask = self.font.getmask(character, mode="1")
            self.has[character] = mask.getbbox() is not None and bytes(mask) != self._missing()
        return self.has[character]

    def _missing(self) -> bytes:
        """Return the pixels of what is drawn in the place of a character without a glyph."""
        return bytes(self.font.getmask("\ufffe", mode="1"))


@cache
def opened(path: Path, size: int) -> Bitmap:
    """Return the face in a file; OSError if it has not this size."""
    return Bitmap(ImageFont.truetype(str(path), size))


class Bitmaps:
    """Generator of coverages of texts in the bitmap faces of a folder; without any it draws nothing."""

    def __init__(self, rng: random.Random, folder: Path = FOLDER) -> None:
        self.rng = rng
        self.chinese, self.latin = (
            {
                (folder / name, size): weight
                for (name, size), weight in faces.items()
                if (folder / name).exists()
            }
            for faces in (_CHINESE, _LATIN)
        )

    def coverage(self, text: str) -> Gray | None:
        """Return the ink of a text, 0 or 1 as float32 [H,W], cropped; None if no face that was drawn has it all."""
        faces = self.latin if text.isascii() and self.rng.random() < 0.6 else self.chinese
        if not faces:
            return None
        ((path, size),) = self.rng.choices(list(faces), list(faces.values()))
        face = opened(path, size)
        if not face.covers(text):
            return None
        canvas = Image.new("1", (round(face.font.getlength(text)) + 2 * size, 3 * size), 0)
        pen = ImageDraw.Draw(canvas)
        pen.text((size, size), text, 1, font=face.font)
        below = size + face.font.getmetrics()[0] + 1
        for letter in underlined(text, self.rng):
            left, right = (size + face.font.getlength(text[:k]) for k in (letter, letter + 1))
            pen.line((left, below, right - 2, below), 1)
        ink = np.asarray(canvas, np.float32)
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        if not len(rows):
            return None
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        if bottom - top < size * 0.6:  # a lone dash has the box of a line
            top, bottom = min(top, size), max(bottom, 2 * size)
        return ink[top:bottom, columns[0] : columns[-1] + 1]
