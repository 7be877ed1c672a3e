"""Draws vertical text: a column of characters, turned by 90 degrees as the crops of tall boxes are."""

from __future__ import annotations

import random
import re

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ocrsvc.training.drawing.camera import Picture
from ocrsvc.training.drawing.fonts import Face
from ocrsvc.training.drawing.glyphs import Glyphs, Gray
from ocrsvc.training.drawing.paper import Paper
from ocrsvc.training.drawing.textures import Textures

# What a column shows upright. Brackets and dashes would have to be turned, and Latin words lie on their side.
COLUMN = re.compile(r"(?!(?:.?[0-9A-Z]){2})[\u3005\u3007\u3041-\u30fa\u3400-\u9fff0-9A-Z、。·]{2,20}")
_UPPER_RIGHT = "、。"


class Columns:
    """Generator of columns in the faces of ``glyphs``, on paper or on pictures."""

    def __init__(
        self, rng: random.Random, noise: np.random.Generator, glyphs: Glyphs, paper: Paper, textures: Textures
    ) -> None:
        self.rng = rng
        self.noise = noise
        self.glyphs = glyphs
        self.paper = paper
        self.textures = textures

    def draw(self, text: str) -> Picture | None:
        """Return the turned column; None if the text does not match ``COLUMN`` or no face has its characters."""
        rng = self.rng
        face = self.glyphs.face(self.glyphs.chinese(text), text) if COLUMN.fullmatch(text) else None
        if face is None:
            return None
        ink = self._column(text, face)
        dark, light = self.paper.colours()
        if rng.random() < 0.2:
            ground = self.textures.draw(*ink.shape)
            mean = ground.reshape(-1, 3).mean(axis=0)
            ground = mean + (ground - mean) * np.float32(rng.uniform(0.2, 0.7))
            dark = np.full(3, 255 if mean.mean() < 128 else 0, np.float32)
            if rng.random() < 0.5:
                fat = cv2.dilate(ink, np.ones((3, 3), np.uint8))[..., None]
                ground = ground * (1 - fat) + fat * (255 - dark)
        else:
            ground = self.paper.ground(ink.shape[0], ink.shape[1], light, dark)
        picture = ground * (1 - ink[..., None]) + dark * ink[..., None]
        return np.ascontiguousarray(np.rot90(picture)).astype(np.float32)

    def _column(self, text: str, face: Face) -> Gray:
        """Return the coverage of the characters below each other, with margins and at times a rule or a neighbour."""
        rng = self.rng
        size = rng.randint(24, 52)
        font = face.at(size)
        side, end = (round(size * rng.uniform(0.02, most)) for most in (0.3, 0.35))
        step = size * rng.choice((1.0, rng.uniform(0.98, 1.15), rng.uniform(1.0, 1.5)))
        width, height = size + 2 * side, round(step * (len(text) - 1)) + size + 2 * end
        canvas = Image.new("L", (width, height), 0)
        pen = ImageDraw.Draw(canvas)
        for row, character in enumerate(text):
            middle = end + size / 2 + step * row
            shift = size * 0.6 if character in _UPPER_RIGHT else 0
            pen.text((width / 2 + shift, middle - shift), character, 255, font=font, anchor="mm")
        if rng.random() < 0.12:  # the rule beside a column, the frame of a sign
            x = rng.choice((0, width - 1))
            pen.line((x, 0, x, height), rng.randint(130, 255), rng.choice((1, 2)))
        if rng.random() < 0.1:  # the edge of the next column
            beside = rng.choice((-size / 2 + side * 0.3, width + size / 2 - side * 0.3))
            for row in range(len(text)):
                pen.text(
                    (beside, end + size / 2 + step * row),
                    rng.choice("的国人中大"),
                    255,
                    font=font,
                    anchor="mm",
                )
        return np.asarray(canvas, np.float32) / np.float32(255)
