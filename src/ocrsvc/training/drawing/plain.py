"""Draws short random strings on plain paper, clean to moderately degraded, in a millisecond each.

For small recognisers of digits; the whole data engine (``corpus``, ``synth``) would be too slow and too hard for
them. Deterministic for a seed.
"""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ocrsvc.training.drawing.camera import Bgr
from ocrsvc.training.drawing.fonts import Face, Library


class Plain:
    """Generator of random strings of ``characters``; ValueError if no face of the library has all of them."""

    def __init__(self, library: Library, characters: str, seed: int) -> None:
        self.characters = characters
        self.rng = random.Random(seed)
        self.noise = np.random.default_rng(seed)
        self.faces: list[Face] = [
            face for face in (*library.latin, *library.cjk) if face.covers(self.characters)
        ]
        if not self.faces:
            raise ValueError(f"no typeface has all of {characters!r}: shorten the recipe's charset")
        self.weights = [face.weight for face in self.faces]

    def line(self, shortest: int, longest: int) -> str:
        """Draw a string of ``shortest`` to ``longest`` characters; lengths and characters are uniform."""
        return "".join(self.rng.choices(self.characters, k=self.rng.randint(shortest, longest)))

    def draw(self, text: str) -> Bgr | None:
        """Return the text as uint8 BGR [H,W,3], 18 to 60 pixels high; None if the face draws nothing."""
        ink = self._ink(text)
        return None if ink is None else self._shoot(self._print(ink))

    def _ink(self, text: str) -> NDArray[np.float32] | None:
        rng = self.rng
        size = rng.choice((28, 44))  # few sizes, so that the cache of opened faces hits
        font = rng.choices(self.faces, self.weights)[0].at(size)
        spacing = size * rng.choice((0, 0, 0, rng.uniform(0, 0.25)))
        width = round(sum(font.getlength(c) for c in text) + spacing * len(text)) + 2 * size
        canvas = Image.new("L", (width, 3 * size), 0)
        pen, x = ImageDraw.Draw(canvas), float(size)
        for character in text:
            pen.text((x, 2 * size), character, 255, font=font, anchor="ls")
            x += font.getlength(character) + spacing
        if rng.random() < 0.3:
            canvas = canvas.rotate(rng.uniform(-2, 2), Image.Resampling.BILINEAR)
        box = canvas.getbbox()
        if box is None:
            return None
        above, below, left, right = (round(size * rng.uniform(0, reach)) for reach in (0.25, 0.25, 0.5, 0.5))
        frame = (box[0] - left, box[1] - above, box[2] + right, box[3] + below)
        return np.asarray(canvas.crop(frame), np.float32) / np.float32(255)

    def _print(self, ink: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ink on paper, their colours about 100 of 255 or more apart, at times in uneven light."""
        rng, noise = self.rng, self.noise
        dark = rng.uniform(0, 130)
        pair = [dark, rng.uniform(dark + 100, 255)]
        if rng.random() < 0.25:
            pair.reverse()
        colour, paper = (np.float32(level) + noise.normal(0, 10, 3).astype(np.float32) for level in pair)
        picture = paper + ink[..., None] * (colour - paper)
        if rng.random() < 0.3:
            light = np.linspace(rng.uniform(0.8, 1), rng.uniform(0.8, 1), ink.shape[1], dtype=np.float32)
            picture *= light[None, :, None]
        return np.asarray(picture, np.float32)

    def _shoot(self, picture: NDArray[np.float32]) -> Bgr:
        rng = self.rng
        target = rng.randint(18, 48)
        if target < picture.shape[0]:
            size = max(4, round(picture.shape[1] * target / picture.shape[0])), target
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
        if rng.random() < 0.25:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.8)), np.float32)
        if rng.random() < 0.4:
            grain = self.noise.standard_normal(picture.shape, np.float32)
            picture = picture + grain * np.float32(rng.uniform(1, 9))
        image = np.clip(picture, 0, 255).astype(np.uint8)
        if rng.random() < 0.4:
            packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(45, 95)])[1]
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        return image
