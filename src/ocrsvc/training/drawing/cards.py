"""Draws embossed numbers of bank cards: raised digits, shading, foil on their tops, a printed background.

The relief is a blurred mask of the glyphs. Light from one direction falls on its gradient, so that one slope is
bright and the other dark, on any background colour. Digits in the single-stroke face of embossing machines
(ISO/IEC 7811-1, Farrington 7B) are drawn here, because no free typeface has them.
"""

from __future__ import annotations

import math
import random
import re

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ocrsvc.training.drawing.camera import Picture
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Gray

CARD = re.compile(r"^\d{3,19}( \d{3,13})*$")

# Strokes in a box 4 wide and 6 high, y downwards; the stroke width rounds the corners.
_STROKES: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "0": (((1, 0), (3, 0), (4, 1), (4, 5), (3, 6), (1, 6), (0, 5), (0, 1), (1, 0)),),
    "1": (((0.7, 0.6), (1.9, 0), (1.9, 6)), ((0.4, 6), (3.4, 6))),
    "2": (((0, 0.7), (0.8, 0), (3.3, 0), (4, 0.7), (4, 2.3), (3.3, 3), (0.7, 3), (0, 3.7), (0, 6), (4, 6)),),
    "3": (((0, 0), (3.3, 0), (4, 0.8), (4, 2.2), (3.2, 3), (1, 3)),
          ((3.2, 3), (4, 3.8), (4, 5.2), (3.3, 6), (0, 6))),
    "4": (((0.5, 0), (0, 3.9), (4, 3.9)), ((3, 2), (3, 6))),
    "5": (((3.8, 0), (0.2, 0), (0.2, 2.6), (3.2, 2.6), (4, 3.4), (4, 5.2), (3.2, 6), (0, 6)),),
    "6": (((1.2, 0), (0, 2.6), (0, 5.2), (0.8, 6), (3.2, 6), (4, 5.2), (4, 3.6), (3.2, 2.8), (0, 2.8)),),
    "7": (((0, 1), (0, 0), (4, 0), (4, 1.6), (2.2, 3.4), (2.2, 6)),),
    "8": (((1, 0), (3, 0), (3.6, 0.6), (3.6, 2.2), (2.9, 2.8), (1.1, 2.8), (0.4, 2.2), (0.4, 0.6), (1, 0)),
          ((1.1, 2.8), (2.9, 2.8), (4, 3.6), (4, 5.3), (3.2, 6), (0.8, 6), (0, 5.3), (0, 3.6), (1.1, 2.8))),
    "9": (((4, 3.2), (0.8, 3.2), (0, 2.4), (0, 0.8), (0.8, 0), (3.2, 0), (4, 0.8), (4, 3.4), (2.8, 6)),),
}  # fmt: skip


class Cards:
    """Generator of embossed numbers, in the faces of ``library`` or from strokes."""

    def __init__(self, library: Library, rng: random.Random, noise: np.random.Generator) -> None:
        self.rng = rng
        self.noise = noise
        self.faces = [
            face for kind in (library.card, library.latin) for face in kind if face.covers("0123456789")
        ]
        self.weights = [
            3.0 if face in library.card else 0.3 if "Mono" in face.path.stem else 0.06 for face in self.faces
        ]

    def ink(self, text: str) -> Gray:
        """Return the coverage of the digits, cropped to their ink; a gap between groups is at least 0.6 of a step."""
        rng = self.rng
        if not set(text) <= set("0123456789 ") or (self.faces and rng.random() < 0.4):
            able = [i for i, face in enumerate(self.faces) if face.covers(text)]
            if able:
                return self._faced(text, rng.choices(able, [self.weights[i] for i in able])[0])
        return self._stroked(text)

    def _stroked(self, text: str) -> Gray:
        rng = self.rng
        height = 44
        wide = height * rng.uniform(0.42, 0.62)
        step = wide + height * rng.uniform(0.16, 0.34)
        gap = step * rng.uniform(0.6, 1.1)
        stroke = max(3, round(height * rng.uniform(0.09, 0.15)))
        canvas = np.zeros((height + 20, int(len(text) * max(step, gap)) + 60), np.uint8)
        slant = rng.choice((0, 0, rng.uniform(-0.06, 0.1)))
        round_six = rng.random() < 0.5
        x = 15.0
        for character in text:
            if character == " ":
                x += gap
                continue
            for line in _STROKES[character]:
                if character == "6" and not round_six:  # Farrington's 6 has the straight stem of a b
                    line = ((0, 0), *line[1:])
                points = [
                    (
                        round(16 * (x + px / 4 * wide + (6 - py) * slant * 5)),
                        round(16 * (10 + py / 6 * height)),
                    )
                    for px, py in line
                ]
                path = np.array(points, np.int32)
                cv2.polylines(canvas, [path], False, 255, stroke, cv2.LINE_AA, 4)
            x += step
        return _tight(canvas)

    def _faced(self, text: str, which: int) -> Gray:
        rng, size = self.rng, 56
        font = self.faces[which].at(size)
        step = max(font.getlength(c) for c in set(text)) + size * rng.uniform(0.0, 0.14)
        gap = step * rng.uniform(0.6, 1.1)
        canvas = Image.new("L", (int(len(text) * max(step, gap)) + 2 * size, size * 2), 0)
        pen, x = ImageDraw.Draw(canvas), float(size // 2)
        for character in text:
            if character == " ":
                x += gap
                continue
            pen.text(
                (x + (step - font.getlength(character)) / 2, size * 1.5), character, 255, font, anchor="ls"
            )
            x += step
        ink = _tight(np.asarray(canvas, np.uint8))
        squeeze = rng.uniform(0.75, 1.0)
        return np.asarray(cv2.resize(ink, (max(4, round(ink.shape[1] * squeeze)), ink.shape[0])), np.float32)

    def ground(self, height: int, width: int) -> Picture:
        """Return the background of a card: a gradient of two colours, waves, shapes, other print, at times in grey."""
        rng, noise = self.rng, self.noise
        low = rng.choice((20, 60, 120))
        first, second = noise.uniform(low, low + 110, (2, 3)).astype(np.float32)
        y, x = np.mgrid[:height, :width].astype(np.float32) / np.float32(height)
        angle = rng.uniform(0, 2 * math.pi)
        along = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle))
        part = (along - along.min()) / (float(np.ptp(along)) + 1e-6)
        picture = first + part[..., None] * (second - first)
        if rng.random() < 0.45:
            period, bend = rng.uniform(0.1, 1.2), rng.uniform(0, 0.6)
            wave = np.sin(
                (along + np.float32(bend) * np.sin(x * 2 + y * 3)) * np.float32(2 * math.pi / period)
            )
            picture = picture + wave[..., None] * noise.uniform(0, 28, 3).astype(np.float32)
        if rng.random() < 0.45:  # parts of a picture, and other print
            shapes = np.zeros((height, width), np.uint8)
            for _ in range(rng.randint(1, 4)):
                at = rng.randint(0, width), rng.randint(0, height)
                if rng.random() < 0.6:
                    axes = rng.randint(4, height), rng.randint(4, 2 * height)
                    thick = rng.choice((-1, 1, 2, 4))
                    cv2.ellipse(shapes, at, axes, rng.randint(0, 180), 0, 360, rng.randint(60, 255), thick)
                else:
                    word = "".join(rng.choices("BANKCADUNIOPYVSA", k=rng.randint(2, 6)))
                    scale = rng.uniform(0.3, 1.2)
                    cv2.putText(shapes, word, at, cv2.FONT_HERSHEY_SIMPLEX, scale, rng.randint(60, 255), 1)
            strength = np.float32(rng.uniform(0.15, 0.6) / 255)
            shade = shapes[..., None] * strength
            picture = picture * (1 - shade) + shade * noise.uniform(0, 255, 3).astype(np.float32)
        if rng.random() < 0.4:
            grain = noise.normal(0, rng.uniform(3, 14), (height, width, 1)).astype(np.float32)
            picture = picture + cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.5, 1.2))[..., None] * 2
        if rng.random() < 0.3:
            picture = np.broadcast_to(picture.mean(axis=2, keepdims=True), picture.shape)
        return np.asarray(picture, np.float32)

    def shade(self, mask: Gray, ground: Picture) -> Picture:
        """Return ``ground`` [H,W,3] with ``mask`` embossed on it."""
        rng = self.rng
        relief = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(1.0, 2.4)), np.float32)
        across, down = cv2.Sobel(relief, cv2.CV_32F, 1, 0), cv2.Sobel(relief, cv2.CV_32F, 0, 1)
        angle = rng.choice((rng.uniform(0.15, 0.85) * math.pi, rng.uniform(0, 2 * math.pi)))
        slope = across * np.float32(math.cos(angle)) + down * np.float32(math.sin(angle))
        slope /= np.float32(np.percentile(np.abs(slope), 99.5) + 1e-6)
        picture = ground
        if rng.random() < 0.55:  # foil, worn off in places
            foil = np.array(rng.choice(((205, 205, 205), (110, 190, 225), (235, 235, 230), (40, 40, 40))))
            tips = np.clip((relief - rng.uniform(0.25, 0.6)) * 3, 0, 1)
            if rng.random() < 0.5:
                worn = cv2.resize(
                    self.noise.random((5, max(3, mask.shape[1] // 8)), np.float32), mask.shape[::-1]
                )
                tips = tips * np.clip((worn - rng.uniform(0.1, 0.45)) * 4, 0, 1)
            opacity = (tips * np.float32(rng.uniform(0.25, 0.95)))[..., None]
            picture = picture * (1 - opacity) + foil.astype(np.float32) * opacity
        strength = rng.uniform(70, 150)
        light = np.clip(slope, 0, 1) ** np.float32(rng.uniform(0.8, 2)) * np.float32(
            strength * rng.uniform(0.6, 1.5)
        )
        dark = np.clip(-slope, 0, 1) * np.float32(strength * rng.uniform(0.5, 1.1))
        return np.asarray(picture + (light - dark)[..., None], np.float32)


def _tight(canvas: NDArray[np.uint8]) -> Gray:
    columns, rows = np.flatnonzero(canvas.max(axis=0) > 50), np.flatnonzero(canvas.max(axis=1) > 50)
    ink = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(ink, np.float32) / np.float32(255)
