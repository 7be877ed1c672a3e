"""Draws a text as a line image, degraded as by cameras, scanners, printers and detectors.

The image resembles a crop of a photo: text on some background, with a margin as uneven as a detector's.
Degradations follow recognition research: the real faults are low resolution, blur, JPEG, uneven light, neighbours
and rules in the crop, slant, and thin or fat strokes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import cv2
import numpy as np

from ocrsvc.training.drawing.camera import Bgr, Camera, Picture
from ocrsvc.training.drawing.cards import CARD, Cards
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Glyphs, Gray
from ocrsvc.training.drawing.paper import Colour, Paper
from ocrsvc.training.drawing.plates import PLATE, Plates


class Synthesiser:
    """Generator of line images; deterministic for a seed."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library = library
        self.rng = random.Random(seed)
        self.noise = np.random.default_rng(seed)
        self.camera = Camera(self.rng, self.noise)
        self.glyphs = Glyphs(library, self.rng, self.noise)
        self.paper = Paper(library, self.rng, self.noise, self.glyphs)
        self.plates = Plates(library, self.rng)
        self.cards = Cards(library, self.rng, self.noise)

    def draw(self, text: str) -> Bgr | None:
        """Return the line as uint8 BGR [H,W,3], or None if no face has all its characters."""
        if CARD.match(text) and self.rng.random() < 0.75:  # not `faint`: embossing has little contrast
            return self.camera.shoot(self.camera.warp(self._card(text)), lowest=18, faint=False)
        picture = self._picture(text)
        return None if picture is None else self.camera.shoot(self.camera.warp(picture))

    def _picture(self, text: str) -> Picture | None:
        """Return the line before the camera's degradations."""
        if PLATE.match(text):
            plate = self.plates.draw(text)
            return None if plate is None else self._print(plate.ink, plate.colour, plate.ground)
        ink = self.glyphs.ink(text)
        return None if ink is None else self._print(ink, *self.paper.colours())

    def _card(self, text: str) -> Picture:
        """Return embossed digits on a card; one card in eight is printed flat, like newer cards."""
        rng = self.rng
        alpha = self._crop(self.cards.ink(text), bare=True)
        ground = self.cards.ground(*alpha.shape)
        if rng.random() < 0.88:
            return self.cards.shade(alpha, ground)
        dark = ground.mean() > 110
        colour = np.float32(rng.uniform(0, 40) if dark else rng.uniform(210, 255))
        return np.asarray(ground * (1 - alpha[..., None]) + colour * alpha[..., None], np.float32)

    def _crop(self, ink: Gray, *, bare: bool = False) -> Gray:
        """Return the ink with a margin as uneven as a detector's and, unless ``bare``, with clutter around it."""
        rng = self.rng
        height, width = ink.shape
        margin = [max(0, round(height * rng.uniform(-0.02, 0.28))) for _ in range(2)]
        reach = (0.25, 0.25, 0.3 if bare else 1.2)
        side = [max(0, round(height * rng.uniform(0, rng.choice(reach)))) for _ in range(2)]
        alpha = np.zeros((height + sum(margin), width + sum(side)), np.float32)
        alpha[margin[0] : margin[0] + height, side[0] : side[0] + width] = ink
        if not bare:
            self.paper.clutter(alpha, side[0], margin[0], height, width)
        return alpha

    def _print(self, ink: Gray, dark: Colour, paper: Colour) -> Picture:
        """Return ink on paper, at times with a drop shadow, translucent ink, a seal or a shadow."""
        rng = self.rng
        alpha = self._crop(ink)
        height, width = alpha.shape
        picture = self.paper.ground(height, width, paper, dark)
        if rng.random() < 0.04:
            shift = rng.randint(1, 3), rng.randint(1, 3)
            shade = np.roll(alpha, shift, (0, 1))[..., None] * np.float32(0.6)
            picture = picture * (1 - shade) + shade * np.float32(rng.uniform(0, 255))
        opacity = alpha[..., None] * np.float32(rng.choice((1, 1, 1, rng.uniform(0.55, 1))))
        picture = picture * (1 - opacity) + dark * opacity
        if rng.random() < 0.04 and float(paper.mean()) > float(dark.mean()) + 60:
            picture = self.paper.stamp(picture)
        if rng.random() < 0.06:
            picture = self.paper.shadow(picture)
        return np.asarray(picture, np.float32)


def sheet(images: Sequence[Bgr], columns: int = 4, cell: tuple[int, int] = (420, 52)) -> Bgr:
    """Return a contact sheet of the images, each fitted into a cell of ``cell`` (width, height) pixels."""
    width, height = cell
    rows = (len(images) + columns - 1) // columns
    page = np.full((rows * height, columns * width, 3), 96, np.uint8)
    for i, image in enumerate(images):
        scale = min((width - 6) / image.shape[1], (height - 4) / image.shape[0])
        small = cv2.resize(image, (max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale))))
        y, x = i // columns * height, i % columns * width
        page[y : y + small.shape[0], x : x + small.shape[1]] = small
    return page
