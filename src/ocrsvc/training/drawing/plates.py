"""Draws Chinese number plates: bold glyphs close together, a dot after the second character, official colours.

A whole plate has its rim and bolts, and is seen as cameras beside roads see it: tilted, few pixels high, dim or
bleached.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ocrsvc.training.drawing.camera import Bgr, Picture
from ocrsvc.training.drawing.fonts import Library

PLATE = re.compile(r"^[\u4e00-\u9fff][A-Z][A-Z0-9]{5,6}$")
# Parts of the file names of heavy faces without serifs, as plates have them, and of other heavy ones.
_SANS = ("SansCJK-Bold", "SansCJK-Black", "SansCJK-Medium", "zenhei", "microhei", "cwheib")
_BOLD = ("Bold", "Black", "hei")

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

    def __init__(self, library: Library, rng: random.Random, noise: np.random.Generator) -> None:
        self.library = library
        self.rng = rng
        self.noise = noise

    def draw(self, text: str) -> Plate | None:
        """Draw the plate of a registration number that matches ``PLATE``; None if no face has its characters."""
        rng = self.rng
        shown = f"{text[:2]}·{text[2:]}" if rng.random() < 0.9 else text
        able = [face for face in self.library.cjk if face.covers(text)]
        if not able:
            return None
        wanted = _SANS if rng.random() < 0.85 else _BOLD
        bold = [face for face in able if any(word in face.path.stem for word in wanted)]
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

    def whole(self, text: str) -> Bgr | None:
        """Draw the whole plate as a detector crops it, uint8 BGR, 16 to 48 pixels high; None as for ``draw``."""
        plate = self.draw(text)
        return None if plate is None else self._seen(self._tilted(self._mounted(plate)))

    def _mounted(self, plate: Plate) -> Picture:
        """Return the plate with its margins, rim and bolts."""
        rng, noise = self.rng, self.noise
        height = plate.ink.shape[0]
        up, side = round(height * rng.uniform(0.12, 0.34)), round(height * rng.uniform(0.1, 0.35))
        alpha = cv2.copyMakeBorder(plate.ink, up, up, side, side, cv2.BORDER_CONSTANT, value=(0,))
        rows, columns = alpha.shape
        ground = plate.ground * np.float32(rng.uniform(0.7, 1.2)) + noise.normal(0, 14, 3).astype(np.float32)
        if rng.random() < 0.8:
            inset, thick = max(1, round(rows * rng.uniform(0.01, 0.06))), rng.randint(1, 3)
            rim = np.zeros((rows, columns), np.float32)
            cv2.rectangle(rim, (inset, inset), (columns - 1 - inset, rows - 1 - inset), 1, thick)
            alpha = np.maximum(alpha, rim * np.float32(rng.uniform(0.5, 1)))
        picture = np.ascontiguousarray(ground * (1 - alpha[..., None]) + plate.colour * alpha[..., None])
        for place in (0.28, 0.72):
            if rng.random() < 0.5:
                at = round(columns * place), round(up * rng.uniform(0.3, 0.9))
                cv2.circle(picture, at, max(2, rows // 22), noise.uniform(90, 255, 3).tolist(), -1)
        return np.asarray(picture, np.float32)

    def _tilted(self, picture: Picture) -> Picture:
        """Return the plate in perspective, with a bit of the car around it."""
        rng, noise = self.rng, self.noise
        rows, columns = picture.shape[:2]
        corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
        tilt, shear = rows * rng.uniform(-0.28, 0.28), rows * rng.uniform(-0.25, 0.25)
        inside = rows * rng.uniform(-0.02, 0.08)
        moved = corners.copy()
        moved[:, 1] = inside + (rows - 2 * inside - abs(tilt)) * (corners[:, 1] / rows)
        moved[[0, 3], 1] += max(0.0, tilt)
        moved[[1, 2], 1] += max(0.0, -tilt)
        moved[[0, 1], 0] += shear / 2
        moved[[2, 3], 0] -= shear / 2
        moved += noise.uniform(-0.02, 0.02, (4, 2)).astype(np.float32) * rows
        matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
        mask = cv2.warpPerspective(np.ones((rows, columns), np.float32), matrix, (columns, rows))[..., None]
        seen = cv2.warpPerspective(picture, matrix, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen * mask + noise.uniform(0, 160, 3).astype(np.float32) * (1 - mask), np.float32)

    def _seen(self, picture: Picture) -> Bgr:
        """Return the plate as a traffic camera delivers it."""
        rng, noise = self.rng, self.noise
        low = rng.choice((24, 24, 24, rng.randint(16, 48)))
        size = max(20, round(low * rng.uniform(3.2, 4.3))), low
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        draw = rng.random()
        if draw < 0.3:
            small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.3, 1.0))
        elif draw < 0.45:
            kernel = np.full((1, rng.randint(2, 4)), 1, np.float32)
            small = cv2.filter2D(small, -1, kernel / kernel.sum())
        small = (small - 100) * rng.uniform(0.35, 1.2) + rng.uniform(40, 150)
        if rng.random() < 0.5:
            small = small + noise.normal(0, rng.uniform(1, 9), small.shape)
        image = np.clip(small, 0, 255).astype(np.uint8)
        if rng.random() < 0.5:
            packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(30, 95)])[1]
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        return image
