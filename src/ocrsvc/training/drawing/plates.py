"""Draws Chinese number plates: bold glyphs close together, a dot after the second character, official colours."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ocrsvc.training.drawing.fonts import Library

PLATE = re.compile(r"^[\u4e00-\u9fff][A-Z][A-Z0-9]{5,6}$")
_BOLD = ("Bold", "Black", "hei")  # parts of the file names of heavy faces

_WHITE, _BLACK = (235, 235, 235), (20, 20, 20)
_BLUE, _GREEN, _YELLOW = (150, 60, 10), (150, 200, 120), (30, 180, 230)  # BGR
_COLOURS = (
    *((_WHITE, _BLUE),) * 3,  # glyphs, ground; most cars
    (_BLACK, _GREEN),  # electric
    (_BLACK, _YELLOW),  # lorries
    (_BLACK, _WHITE),
)


@dataclass(frozen=True)
class Plate:
    """One plate: coverage 0..1 of the glyphs (float32 [H,W], cropped to the ink), glyph and background colour (BGR)."""

    ink: NDArray[np.float32]
    colour: NDArray[np.float32]
    ground: NDArray[np.float32]


class Plates:
    """Generator of number plates in the faces of ``library``."""

    def __init__(self, library: Library, rng: random.Random) -> None:
        self.library = library
        self.rng = rng

    def draw(self, text: str) -> Plate | None:
        """Draw the plate of a registration number that matches ``PLATE``; None if no face has its characters."""
        rng = self.rng
        shown = f"{text[:2]}·{text[2:]}" if rng.random() < 0.9 else text
        able = [face for face in self.library.cjk if face.covers(text)]
        if not able:
            return None
        bold = [face for face in able if any(word in face.path.stem for word in _BOLD)]
        font, x = rng.choice(bold or able).at(60), 30.0
        canvas = Image.new("L", (1200, 180), 0)
        pen = ImageDraw.Draw(canvas)
        step = rng.uniform(2, 10)
        for character in shown:
            if character == "·":
                pen.ellipse((x, 82, x + 9, 91), fill=255)
                x += 9 + step
            else:
                pen.text((x, 120), character, 255, font=font, anchor="ls")
                x += font.getlength(character) + step
        ink = np.asarray(canvas, np.float32) / 255
        columns, rows = np.flatnonzero(ink.max(axis=0) > 0.2), np.flatnonzero(ink.max(axis=1) > 0.2)
        ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        # Plate glyphs are condensed: seven or eight on 440 x 140 mm.
        width = round(ink.shape[0] * rng.uniform(3.0, 4.6))
        colour, ground = rng.choice(_COLOURS)
        return Plate(
            np.asarray(cv2.resize(ink, (width, ink.shape[0])), np.float32),
            np.array(colour, np.float32),
            np.array(ground, np.float32),
        )
