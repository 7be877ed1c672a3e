"""Draws printed lines: ink on paper, with the margins of a detector, clutter, seals, shadows and highlighters."""

from __future__ import annotations

import random

import numpy as np

from ocrsvc.training.drawing.camera import Picture
from ocrsvc.training.drawing.glyphs import Glyphs, Gray
from ocrsvc.training.drawing.paper import Colour, Paper


class Printed:
    """Generator of printed lines; ``glyphs`` draws the ink, ``paper`` what surrounds it."""

    def __init__(self, rng: random.Random, glyphs: Glyphs, paper: Paper) -> None:
        self.rng = rng
        self.glyphs = glyphs
        self.paper = paper

    def draw(self, text: str) -> Picture | None:
        """Return the line; None if no face has its characters."""
        ink = self.glyphs.ink(text)
        return None if ink is None else self.laid(ink, *self.paper.colours())

    def laid(self, ink: Gray, dark: Colour, paper: Colour) -> Picture:
        """Return ink on paper, at times marked, faint, with a drop shadow, translucent ink, a seal or a shadow."""
        rng = self.rng
        alpha, box = self.placed(ink)
        height, width = alpha.shape
        picture = self.paper.ground(height, width, paper, dark)
        lighter = float(paper.mean()) - float(dark.mean())
        if rng.random() < 0.03 and lighter > 90:
            picture = self.paper.marked(picture, *box)
        if rng.random() < 0.04:
            shift = rng.randint(1, 3), rng.randint(1, 3)
            shade = np.roll(alpha, shift, (0, 1))[..., None] * np.float32(0.6)
            picture = picture * (1 - shade) + shade * np.float32(rng.uniform(0, 255))
        strength = rng.choice((1, 1, 1, rng.uniform(0.55, 1)))
        if rng.random() < 0.025 and abs(lighter) > 120:  # a cartridge that is nearly empty
            strength = rng.uniform(0.2, 0.5)
        opacity = alpha[..., None] * np.float32(strength)
        picture = picture * (1 - opacity) + dark * opacity
        if rng.random() < 0.04 and lighter > 60:
            picture = self.paper.stamp(picture)
        if rng.random() < 0.06:
            picture = self.paper.shadow(picture)
        return np.asarray(picture, np.float32)

    def placed(self, ink: Gray, *, bare: bool = False) -> tuple[Gray, tuple[int, int, int, int]]:
        """Return the ink with a margin as uneven as a detector's, and the text's box in it: x, y, width, height.

        Unless ``bare``, there is clutter around it, and the margin may be too wide, or cut a little off the ink.
        """
        rng = self.rng
        if not bare and rng.random() < 0.06:
            ink = self._cut(ink)
        height, width = ink.shape
        most = 0.7 if not bare and rng.random() < 0.06 else 0.28
        above, below = (max(0, round(height * rng.uniform(-0.02, most))) for _ in range(2))
        reach = (0.25, 0.25, 0.3 if bare else 1.2, *(() if bare else (rng.uniform(0.3, 3),)))
        left, right = (max(0, round(height * rng.uniform(0, rng.choice(reach)))) for _ in range(2))
        alpha = np.pad(ink, ((above, below), (left, right)))
        if not bare:
            self.paper.clutter(alpha, left, above, height, width)
        return alpha, (left, above, width, height)

    def _cut(self, ink: Gray) -> Gray:
        """Return the ink without up to a tenth of its height at the top or at the bottom, and a little at the sides."""
        rng, (height, width) = self.rng, ink.shape
        if height < 24:
            return ink
        top, bottom = (round(height * max(0.0, rng.uniform(-0.08, 0.1))) for _ in range(2))
        side = min(width // 12, round(height * max(0.0, rng.uniform(-0.06, 0.06))))
        return np.ascontiguousarray(ink[top : height - bottom, side : width - side])
