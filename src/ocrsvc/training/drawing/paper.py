"""Draws the surroundings of a line: paper, colours, rules, neighbouring lines, seals, shadows."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ocrsvc.training.drawing.camera import Picture
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Glyphs, Gray

Colour = NDArray[np.float32]  # [3] BGR, 0 to 255


class Paper:
    """Generator of the surroundings of lines; ``glyphs`` draws neighbouring lines."""

    def __init__(
        self, library: Library, rng: random.Random, noise: np.random.Generator, glyphs: Glyphs
    ) -> None:
        self.rng = rng
        self.noise = noise
        self.neighbour: Callable[[str], Gray | None] = glyphs.ink
        self.seal_faces = [face for face in library.cjk if face.covers("财务专用章有限公司合同")]

    def ground(self, height: int, width: int, base: Colour, ink: Colour) -> Picture:
        """Return paper of the colour ``base``: even, unevenly lit, or with a texture weaker than ``ink``."""
        rng = self.rng
        picture = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
        draw = rng.random()
        if draw < 0.48:
            return picture
        if draw < 0.74:  # uneven light
            left, right = rng.uniform(0.7, 1.05), rng.uniform(0.7, 1.05)
            top, bottom = rng.uniform(0.85, 1), rng.uniform(0.85, 1)
            picture *= np.linspace(left, right, width, dtype=np.float32)[None, :, None]
            picture *= np.linspace(top, bottom, height, dtype=np.float32)[:, None, None]
            return picture
        # Texture: smooth noise at some scale, in grey or in colour.
        strength = min(30.0, float(np.abs(base - ink).mean()) * rng.uniform(0.03, 0.2))
        cells = (max(2, height // rng.randint(4, 24)), max(2, width // rng.randint(4, 24)))
        colours = 3 if rng.random() < 0.25 else 1
        texture = cv2.resize(
            self.noise.normal(0, strength, (*cells, colours)).astype(np.float32), (width, height)
        )
        return picture + texture.reshape(height, width, -1)

    def colours(self) -> tuple[Colour, Colour]:
        """Draw colours of ink and paper, with enough contrast to read."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.66:  # dark on light
            pair = np.full(3, rng.uniform(0, 90)), np.full(3, rng.uniform(rng.choice((150, 225)), 255))
        elif draw < 0.77:  # light on dark
            pair = np.full(3, rng.uniform(160, 255)), np.full(3, rng.uniform(0, 100))
        else:
            while True:
                pair = self.noise.uniform(0, 255, 3), self.noise.uniform(0, 255, 3)
                if abs(float(np.dot(pair[0] - pair[1], (0.114, 0.587, 0.299)))) > 45:
                    break
        tint = self.noise.normal(0, 7, 3)
        return (pair[0] + tint).astype(np.float32), (pair[1] - tint).astype(np.float32)

    def clutter(self, alpha: Gray, x: int, y: int, height: int, width: int) -> None:
        """Draw rules, underlines and parts of other lines into ``alpha``, outside the text's box (``x``, ``y`` ...)."""
        rng = self.rng
        rows, columns = alpha.shape
        if rng.random() < 0.09 and rows - y - height > 1:
            at = rng.randint(y + height, rows - 2)
            alpha[at : at + rng.randint(1, 3), :] = rng.uniform(0.5, 1)
        if rng.random() < 0.05 and y > 3:
            alpha[: rng.randint(1, 3), :] = rng.uniform(0.5, 1)
        # Vertical rules of tables keep a distance from the text, so that they do not look like an l or a |.
        away = max(4, round(height * 0.3))
        if rng.random() < 0.05 and x > away + 2:
            at = rng.randint(0, min(x - away - 2, max(1, x // 3)))
            alpha[:, at : at + rng.randint(1, 3)] = rng.uniform(0.5, 1)
        if rng.random() < 0.05 and columns - x - width > away + 3:
            at = rng.randint(max(x + width + away, columns - 8), columns - 2)
            alpha[:, at : at + rng.randint(1, 3)] = rng.uniform(0.5, 1)
        if rng.random() < 0.10:
            self._neighbour(alpha, y, height)
        if rng.random() < 0.02 and min(y, rows - y - height) > 3 and min(x, columns - x - width) > away:
            self._frame(alpha, x, y, width, height)

    def _frame(self, alpha: Gray, x: int, y: int, width: int, height: int) -> None:
        """Draw the border of a cell or of a button around the text's box."""
        rows, columns = alpha.shape
        left, top = self.rng.randint(0, x - max(4, round(height * 0.3))), self.rng.randint(0, y - 3)
        right = self.rng.randint(x + width + max(4, round(height * 0.3)) - 1, columns - 1)
        bottom = self.rng.randint(y + height + 2, rows - 1)
        cv2.rectangle(
            alpha, (left, top), (right, bottom), self.rng.uniform(0.5, 1), self.rng.choice((1, 1, 2))
        )

    def marked(self, picture: Picture, x: int, y: int, width: int, height: int) -> Picture:
        """Return the paper with the stroke of a highlighter over the text's box, before the text is printed on it."""
        rng = self.rng
        rows, columns = picture.shape[:2]
        stroke = np.zeros((rows, columns), np.float32)
        reach = round(height * rng.uniform(-0.1, 0.25))
        start = x + round(width * rng.choice((0, 0, rng.uniform(0, 0.6)))) - rng.randint(0, height // 3)
        end = x + round(width * rng.choice((1, 1, rng.uniform(0.5, 1)))) + rng.randint(0, height // 3)
        slope = round(height * rng.uniform(-0.08, 0.08))
        corners = [
            (start, y - reach),
            (end, y - reach + slope),
            (end, y + height + reach + slope),
            (start, y + height + reach),
        ]
        cv2.fillPoly(stroke, [np.array(corners, np.int32)], 1, cv2.LINE_AA)
        # BGR, share of light that passes: yellow, green, pink, blue, orange
        passes = (
            (0.25, 0.97, 1.0),
            (0.45, 1.0, 0.55),
            (0.85, 0.55, 1.0),
            (1.0, 0.85, 0.5),
            (0.35, 0.75, 1.0),
        )
        film = np.array(rng.choice(passes), np.float32)
        opacity = (stroke * np.float32(rng.uniform(0.4, 1)))[..., None]
        return np.asarray(picture * (1 - opacity * (1 - film)), np.float32)

    def _neighbour(self, alpha: Gray, y: int, height: int) -> None:
        """Draw the bottom of the line above or the top of the line below at the edge of the crop, clear of the text."""
        rng = self.rng
        other = self.neighbour(
            "".join(rng.choices("ABCegopqy国的中一8 ", k=rng.randint(4, 14))).strip() or "A"
        )
        if other is None:
            return
        rows, columns = alpha.shape
        scaled = cv2.resize(other, (min(columns, other.shape[1]), height))
        left = rng.randint(0, columns - scaled.shape[1])
        span = slice(left, left + scaled.shape[1])
        most = max(2, height // 6)
        if rng.random() < 0.5:
            band = min(y - 1, most)
            if band > 0:
                alpha[:band, span] = np.maximum(alpha[:band, span], scaled[-band:])
        else:
            band = min(rows - y - height - 1, most)
            if band > 0:
                alpha[-band:, span] = np.maximum(alpha[-band:, span], scaled[:band])

    def stamp(self, picture: Picture) -> Picture:
        """Return the picture with a translucent seal on it: a ring with characters and at times a star, or a box."""
        rng = self.rng
        height, width = picture.shape[:2]
        side = round(height * rng.uniform(1.6, 4))
        canvas = Image.new("L", (side, side), 0)
        pen = ImageDraw.Draw(canvas)
        thick = max(2, side // 28)
        middle, radius = side / 2, side / 2 - thick
        if rng.random() < 0.75:
            pen.ellipse((thick, thick, side - thick, side - thick), outline=255, width=thick)
            if rng.random() < 0.7:
                star = [
                    (
                        middle + radius * (0.3 if i % 2 == 0 else 0.12) * math.sin(math.pi * i / 5),
                        middle - radius * (0.3 if i % 2 == 0 else 0.12) * math.cos(math.pi * i / 5),
                    )
                    for i in range(10)
                ]
                pen.polygon(star, fill=255)
        else:
            pen.rectangle((thick, thick, side - thick, side - thick), outline=255, width=thick)
        if self.seal_faces:
            size = max(8, side // 7)
            font = rng.choice(self.seal_faces).at(size)
            for character, turn in zip("财务专用章有限公司合同", range(-150, 151, 30), strict=True):
                at = math.radians(turn)
                pen.text(
                    (middle + radius * 0.74 * math.sin(at), middle - radius * 0.74 * math.cos(at)),
                    character,
                    255,
                    font=font,
                    anchor="mm",
                )
        seal = np.asarray(canvas, np.float32) / np.float32(255)
        move = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-30, 30), 1)
        move[:, 2] += (rng.uniform(0, width) - middle, rng.uniform(-0.3, 1.3) * height - middle)
        spread = np.asarray(cv2.warpAffine(seal, move, (width, height)), np.float32)
        worn = cv2.resize(self.noise.random((6, 12), np.float32), (width, height))
        opacity = (spread * (0.45 + 0.55 * worn) * np.float32(rng.uniform(0.4, 0.85)))[..., None]
        red = np.array(
            rng.choice(((0.30, 0.25, 0.85), (0.25, 0.2, 0.8), (0.8, 0.35, 0.3))), np.float32
        )  # BGR, share of light that passes the seal's ink
        return np.asarray(picture * (1 - opacity * (1 - red)), np.float32)

    def shadow(self, picture: Picture) -> Picture:
        """Return the picture with the soft edge of a shadow across it."""
        rng = self.rng
        height, width = picture.shape[:2]
        y, x = np.mgrid[:height, :width].astype(np.float32)
        angle = rng.uniform(0, 2 * math.pi)
        along = (x - rng.uniform(0, width)) * np.float32(math.cos(angle)) + (
            y - rng.uniform(0, height)
        ) * np.float32(math.sin(angle))
        soft = np.float32(height * rng.uniform(0.05, 0.8))
        dark = np.float32(rng.uniform(0.45, 0.85))
        return np.asarray(
            picture * (dark + (1 - dark) / (1 + np.exp(-np.clip(along / soft, -30, 30))))[..., None],
            np.float32,
        )
