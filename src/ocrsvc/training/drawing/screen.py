"""Draws coloured and outlined text on pictures: subtitles, games, posters, thumbnails.

The letters are filled with one colour or a gradient. A rim, a shadow, a glow or a box keeps them readable.
"""

from __future__ import annotations

import random

import cv2
import numpy as np

from ocrsvc.training.drawing.camera import Picture
from ocrsvc.training.drawing.glyphs import Glyphs, Gray
from ocrsvc.training.drawing.textures import Textures

_LUMA = np.array([0.114, 0.587, 0.299], np.float32)  # of BGR
_LEAST_CONTRAST = 70.0  # luma between letters and rim, or letters and background
_VIVID = (
    (255, 255, 255), (255, 255, 255), (255, 255, 255), (0, 255, 255), (0, 220, 255), (0, 165, 255), (60, 60, 255),
    (80, 255, 80), (255, 200, 60), (255, 120, 220), (0, 0, 0), (200, 255, 255),
)  # fmt: skip


def luma(colour: np.ndarray) -> float:
    """Return the brightness 0..255 of a BGR colour, or of the mean of a picture."""
    return float(colour.reshape(-1, 3).mean(axis=0) @ _LUMA)


class Screen:
    """Generator of text on pictures; ``glyphs`` should have display faces and no worn print.

    ``held_out`` draws only what training never draws: tiled backgrounds, and letters with two rims.
    """

    def __init__(
        self, rng: random.Random, noise: np.random.Generator, glyphs: Glyphs, *, held_out: bool = False
    ) -> None:
        self.rng = rng
        self.noise = noise
        self.glyphs = glyphs
        self.textures = Textures(rng, noise, held_out=held_out)
        self.held_out = held_out

    def draw(self, text: str) -> Picture | None:
        """Return the text on a background, with a margin; None if no face has its characters."""
        rng = self.rng
        ink = self.glyphs.ink(text)
        if ink is None:
            return None
        size = min(ink.shape[0], 60)
        reach = max(1, round(size * rng.uniform(0.03, 0.11)))
        alpha = self._placed(ink, reach)
        picture = self.textures.draw(*alpha.shape)
        if rng.random() < 0.06:  # a translucent band behind a subtitle
            share = np.float32(rng.uniform(0.3, 0.8))
            picture = picture * (1 - share) + share * np.float32(rng.choice((0, 0, 255)))
        draw = rng.random()
        if draw < 0.6 or self.held_out:
            return self._outlined(picture, alpha, reach)
        if draw < 0.78:
            return self._glowing(picture, alpha, reach)
        return self._plain(picture, alpha, reach)

    def _placed(self, ink: Gray, reach: int) -> Gray:
        """Return the ink with room for a rim, and a margin of the detector's."""
        rng, height = self.rng, ink.shape[0]
        top, bottom, left, right = (
            reach + max(0, round(height * rng.uniform(-0.04, most))) for most in (0.2, 0.2, 0.35, 0.35)
        )
        return np.pad(ink, ((top, bottom), (left, right)))

    def _colour(self) -> np.ndarray:
        if self.rng.random() < 0.6:
            base = np.array(self.rng.choice(_VIVID), np.float64)
        else:
            base = self.noise.uniform(0, 255, 3)
        return np.clip(base + self.noise.normal(0, 8, 3), 0, 255).astype(np.float32)

    def _apart(self, other: float) -> np.ndarray:
        """Draw a colour whose brightness differs from ``other``."""
        for _ in range(20):
            colour = self._colour()
            if abs(luma(colour) - other) >= _LEAST_CONTRAST:
                return colour
        return np.full(3, 0 if other > 127 else 255, np.float32)

    def _fill(self, alpha: Gray, colour: np.ndarray) -> Picture:
        """Return the colours of the letters: one, or a gradient of two from top to bottom."""
        rng, (height, _) = self.rng, alpha.shape
        if rng.random() < 0.6:
            return colour[None, None, :]
        second = np.clip(colour + self.noise.normal(0, 60, 3), 0, 255)
        if abs(luma(second) - luma(colour)) > 60:  # stays readable against the rim
            second = (colour + second) / 2
        part = np.linspace(-0.3, 1.3, height, dtype=np.float32)
        if rng.random() < 0.25:  # a hard edge in the middle, as chrome has
            part = (part > 0.5).astype(np.float32)
        part = np.clip(part, 0, 1)[:, None, None]
        return np.asarray(colour * (1 - part) + second * part, np.float32)

    def _dilated(self, alpha: Gray, reach: int) -> Gray:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        return np.asarray(cv2.dilate(alpha, kernel), np.float32)

    def _shadow(self, picture: Picture, shape: Gray, reach: int) -> Picture:
        rng = self.rng
        shift = rng.randint(-reach, 2 * reach), rng.randint(0, 2 * reach)
        moved = np.roll(shape, (shift[1], shift[0]), (0, 1))
        if rng.random() < 0.6:
            moved = np.asarray(cv2.GaussianBlur(moved, (0, 0), reach * rng.uniform(0.3, 1)), np.float32)
        opacity = (moved * np.float32(rng.uniform(0.4, 1)))[..., None]
        return np.asarray(picture * (1 - opacity) + opacity * np.float32(rng.choice((0, 0, 30))), np.float32)

    def _outlined(self, picture: Picture, alpha: Gray, reach: int) -> Picture:
        rng = self.rng
        colour = self._colour()
        rim = self._apart(luma(colour))
        fat = self._dilated(alpha, reach)
        if rng.random() < 0.35:
            picture = self._shadow(picture, fat, reach)
        if self.held_out:
            outer = self._dilated(fat, max(1, reach // 2))[..., None]
            picture = picture * (1 - outer) + outer * self._apart(luma(rim))
        fat = fat[..., None]
        picture = picture * (1 - fat) + fat * rim
        solid = alpha[..., None]
        return np.asarray(picture * (1 - solid) + solid * self._fill(alpha, colour), np.float32)

    def _glowing(self, picture: Picture, alpha: Gray, reach: int) -> Picture:
        rng = self.rng
        colour = self._colour()
        if luma(colour) < 110:
            colour = np.full(3, 255, np.float32)
        picture = picture * np.float32(rng.uniform(0.25, 0.7))
        glow = cv2.GaussianBlur(self._dilated(alpha, reach), (0, 0), reach * rng.uniform(0.8, 2.5))
        light = (glow * np.float32(rng.uniform(0.3, 0.8)))[..., None]
        hue = colour * np.float32(rng.uniform(0.3, 0.6)) if rng.random() < 0.6 else self._apart(luma(colour))
        picture = picture * (1 - light) + light * hue
        solid = alpha[..., None]
        return np.asarray(picture * (1 - solid) + solid * self._fill(alpha, colour), np.float32)

    def _plain(self, picture: Picture, alpha: Gray, reach: int) -> Picture:
        """Letters without a rim; the background is calmed until they stand out."""
        mean = picture.reshape(-1, 3).mean(axis=0)
        calm = np.float32(self.rng.uniform(0.2, 0.6))
        picture = mean + (picture - mean) * calm
        colour = self._apart(luma(mean))
        if self.rng.random() < 0.4:
            picture = self._shadow(picture, alpha, reach)
        solid = alpha[..., None]
        return np.asarray(picture * (1 - solid) + solid * self._fill(alpha, colour), np.float32)
