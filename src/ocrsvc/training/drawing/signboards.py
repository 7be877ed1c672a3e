"""Draws words in streets: display letters on walls, boards and goods, bent, seen from the side, in any light."""

from __future__ import annotations

import random

import cv2
import numpy as np

from ocrsvc.training.drawing.camera import Picture
from ocrsvc.training.drawing.glyphs import Glyphs, Gray
from ocrsvc.training.drawing.screen import luma
from ocrsvc.training.drawing.textures import Textures

_LEAST_CONTRAST = 55.0
_LONGEST_BENT = 16  # characters


class Signboards:
    """Generator of words in streets; ``glyphs`` should have display faces."""

    def __init__(
        self, rng: random.Random, noise: np.random.Generator, glyphs: Glyphs, textures: Textures
    ) -> None:
        self.rng = rng
        self.noise = noise
        self.glyphs = glyphs
        self.textures = textures

    def draw(self, text: str) -> Picture | None:
        """Return the text on a board, bent or in strong perspective at times; None if no face has its characters."""
        rng = self.rng
        ink = self.glyphs.ink(text)
        if ink is None:
            return None
        height = ink.shape[0]
        above, below, left, right = (
            max(1, round(height * rng.uniform(-0.02, most))) for most in (0.3, 0.3, 0.5, 0.5)
        )
        alpha = np.pad(ink, ((above, below), (left, right)))
        if len(text) <= _LONGEST_BENT and rng.random() < 0.22:
            alpha = self._bent(alpha)
        picture = self._lit(self._painted(alpha))
        return self._seen(picture) if rng.random() < 0.45 else picture

    def _painted(self, alpha: Gray) -> Picture:
        """Return the letters painted, raised or hollow on a board."""
        rng = self.rng
        ground = self.textures.draw(*alpha.shape)
        mean = ground.reshape(-1, 3).mean(axis=0)
        ground = mean + (ground - mean) * np.float32(rng.uniform(0.05, 0.45))
        colour = self._apart(luma(mean))
        solid = alpha[..., None]
        draw = rng.random()
        if draw < 0.25:  # raised letters throw a shadow and show their side
            depth = rng.randint(1, max(2, alpha.shape[0] // 14))
            side = np.zeros_like(alpha)
            sign = rng.choice((-1, 1))
            for step in range(1, depth + 1):
                side = np.maximum(side, np.roll(alpha, (step, sign * step), (0, 1)))
            ground = ground * (1 - side[..., None]) + side[..., None] * colour * np.float32(
                rng.uniform(0.2, 0.6)
            )
        elif draw < 0.33 and alpha.shape[0] > 40:  # only the edge of the letters, as neon tubes
            edge = cv2.dilate(alpha, np.ones((3, 3), np.uint8)) - cv2.erode(alpha, np.ones((3, 3), np.uint8))
            solid = np.clip(edge, 0, 1)[..., None]
        return np.asarray(ground * (1 - solid) + colour * solid, np.float32)

    def _apart(self, other: float) -> np.ndarray:
        for _ in range(20):
            colour = self.noise.uniform(0, 255, 3).astype(np.float32)
            if self.rng.random() < 0.5:
                colour = np.full(3, self.rng.choice((255, 245, 15, 0)), np.float32)
            if abs(luma(colour) - other) >= _LEAST_CONTRAST:
                return colour
        return np.full(3, 0 if other > 127 else 255, np.float32)

    def _bent(self, alpha: Gray) -> Gray:
        """Return the line along an arc that rises or sags by up to a third of its height."""
        height, width = alpha.shape
        rise = height * self.rng.uniform(0.1, 0.4) * self.rng.choice((-1, 1))
        room = round(abs(rise)) + 1
        taller = np.pad(alpha, ((room, 0) if rise > 0 else (0, room), (0, 0)))
        x = np.arange(width, dtype=np.float32)
        across = (x / max(1, width - 1) * 2 - 1) ** 2
        y = np.arange(taller.shape[0], dtype=np.float32)[:, None]
        rows = y + np.float32(rise) * (1 - across)[None, :]
        columns = np.broadcast_to(x[None, :], rows.shape)
        return np.asarray(
            cv2.remap(taller, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR),
            np.float32,
        )

    def _lit(self, picture: Picture) -> Picture:
        """Return the board in the light of a street: a gradient, at times a bright reflection, dim or bleached."""
        rng, (height, width) = self.rng, picture.shape[:2]
        light = np.linspace(rng.uniform(0.55, 1.1), rng.uniform(0.55, 1.1), width, dtype=np.float32)
        picture = picture * light[None, :, None]
        if rng.random() < 0.1:
            x = (np.arange(width, dtype=np.float32) - rng.uniform(0, width)) / (
                height * rng.uniform(0.3, 1.5)
            )
            picture = picture + (np.exp(-(x**2)) * np.float32(rng.uniform(20, 90)))[None, :, None]
        draw = rng.random()
        if draw < 0.12:
            picture = picture * np.float32(rng.uniform(0.3, 0.6))
        elif draw < 0.2:
            picture = picture * np.float32(0.5) + np.float32(rng.uniform(90, 130))
        return np.asarray(picture, np.float32)

    def _seen(self, picture: Picture) -> Picture:
        """Return the board seen from the side: one end smaller, and slanted."""
        rng, (height, width) = self.rng, picture.shape[:2]
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        target = source.copy()
        small = rng.uniform(0, 0.22) * height
        corners = (0, 3) if rng.random() < 0.5 else (1, 2)
        target[corners[0], 1] += small * rng.uniform(0.2, 1)
        target[corners[1], 1] -= small * rng.uniform(0.2, 1)
        target[:2, 0] += height * rng.uniform(-0.35, 0.35)
        target[:, 0] *= np.float32(rng.uniform(0.75, 1))
        target -= target.min(axis=0)
        size = np.ceil(target.max(axis=0)).astype(int)
        matrix = cv2.getPerspectiveTransform(source, target.astype(np.float32))
        return np.asarray(
            cv2.warpPerspective(
                picture, matrix, (int(size[0]), int(size[1])), borderMode=cv2.BORDER_REPLICATE
            ),
            np.float32,
        )
