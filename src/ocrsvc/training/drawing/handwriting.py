"""Draws handwriting: each character in a size, slant and place of its own, in ink of a pen, on ruled paper.

Characters may touch and overlap a little. A smooth distortion of the whole line makes two drawings of one glyph
differ.
"""

from __future__ import annotations

import math
import random

import cv2
import numpy as np

from ocrsvc.training.drawing.camera import Picture
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Glyphs, Gray, wide
from ocrsvc.training.drawing.paper import Paper

_SIZE = 44  # pixels that glyphs are drawn at
_INKS = (  # BGR: ballpoint blue, black, red, blue-black, green
    ((150, 60, 30), 5),
    ((170, 40, 20), 3),
    ((40, 35, 35), 6),
    ((50, 40, 190), 2),
    ((90, 60, 40), 2),
    ((70, 120, 30), 0.5),
)


class Handwriting:
    """Generator of handwriting in the handwriting faces of ``library``; ``paper`` draws what it stands on."""

    def __init__(
        self, library: Library, rng: random.Random, noise: np.random.Generator, paper: Paper
    ) -> None:
        self.rng = rng
        self.noise = noise
        self.paper = paper
        self.able = bool(library.handwriting)
        faces = library.only(library.handwriting or library.cjk, library.handwriting_latin)
        self.glyphs = Glyphs(faces, rng, noise, worn=False)

    def draw(self, text: str) -> Picture | None:
        """Return handwriting on paper; None if no face has its characters."""
        rng = self.rng
        ink = self._ink(text)
        if ink is None:
            return None
        alpha = self._pen(self._bent(ink))
        height, width = alpha.shape
        draw = rng.random()
        if draw < 0.2:  # chalk on a blackboard, a light marker on a dark ground
            colour = self.noise.uniform(190, 255, 3).astype(np.float32)
            ground = np.array(
                rng.choice(((50, 60, 40), (40, 40, 40), (30, 20, 20), (90, 50, 20))), np.float32
            )
            picture = self.paper.ground(height, width, ground, colour)
        else:
            colours, weights = zip(*_INKS, strict=True)
            colour = np.array(rng.choices(colours, weights)[0], np.float32)
            if draw < 0.4:  # pencil
                colour = np.full(3, rng.uniform(60, 130), np.float32)
            colour = np.clip(colour + self.noise.normal(0, 12, 3), 0, 255).astype(np.float32)
            sheet = np.array(
                rng.choice(((255, 255, 255), (245, 250, 250), (215, 235, 245), (235, 235, 235))), np.float32
            )
            picture = self.paper.ground(height, width, sheet * np.float32(rng.uniform(0.75, 1)), colour)
            picture = self._ruled(picture)
        solid = alpha[..., None]
        return np.asarray(picture * (1 - solid) + colour * solid, np.float32)

    def _ink(self, text: str) -> Gray | None:
        """Return the coverage of the text, character by character (Latin: word by word), with a margin."""
        rng, chinese = self.rng, wide(text)
        faces = self.glyphs.faces(text, chinese)
        if faces is None or not self.able:
            return None
        fonts = tuple(face.at(_SIZE) for face in faces)
        loose = rng.choice((0.0, 0.04, 0.1, -0.05, -0.09, rng.uniform(-0.1, 0.3)))
        jitter, slant = rng.uniform(0.01, 0.09), rng.gauss(0, 0.09)
        drift, level = rng.uniform(0, 0.05), 0.0
        canvas = np.zeros(
            (3 * _SIZE, round(_SIZE * (len(text) * (1.25 + max(0.0, loose)) + 3 + text.count(" ")))),
            np.float32,
        )
        x, i = float(_SIZE), 0
        while i < len(text):
            if text[i] == " ":
                x += _SIZE * (rng.uniform(0.35, 0.7) + max(0.0, loose))
                i += 1
                continue
            end = i + 1
            while not chinese[i] and end < len(text) and text[end] != " " and not chinese[end]:
                end += 1
            run, font = text[i:end], fonts[0] if chinese[i] else fonts[1]
            level = 0.8 * level + rng.gauss(0, drift)
            scale = max(0.6, rng.gauss(1, jitter))
            self._put(canvas, run, font, x, level, scale, slant + rng.gauss(0, jitter))
            x += font.getlength(run) * scale * (1 + (loose if chinese[i] else 0)) + _SIZE * rng.gauss(
                0, jitter / 2
            )
            i = end
        return _with_margin(canvas, rng)

    def _put(
        self, canvas: Gray, run: str, font: object, x: float, level: float, scale: float, slant: float
    ) -> None:
        """Draw a run with its own scale and slant on the canvas; ``level``: above the baseline, in sizes."""
        mask, (left, top) = font.getmask2(run, mode="L", anchor="ls")  # type: ignore[attr-defined]
        width, height = mask.size
        if not width or not height:
            return
        glyph = np.frombuffer(bytes(mask), np.uint8).reshape(height, width).astype(np.float32) / np.float32(
            255
        )
        turn = self.rng.gauss(0, 0.02)
        baseline = 2 * _SIZE - level * _SIZE
        # From the glyph's pixels to the canvas: shear, scale and turn about the start of the baseline.
        a, b = scale, scale * (-slant - turn)
        c, d = scale * turn, scale
        reach = (x + a * left + b * top, baseline + c * left + d * top)
        corners = (
            np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ np.array([[a, c], [b, d]]) + reach
        )
        x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
        x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, canvas.shape[::-1])
        if x1 <= x0 or y1 <= y0:
            return
        move = np.array([[a, b, reach[0] - x0], [c, d, reach[1] - y0]], np.float32)
        drawn = cv2.warpAffine(glyph, move, (int(x1 - x0), int(y1 - y0)))
        place = canvas[y0:y1, x0:x1]
        np.maximum(place, drawn, out=place)

    def _bent(self, ink: Gray) -> Gray:
        """Return the ink distorted by a smooth random field, some pixels at most."""
        rng, (height, width) = self.rng, ink.shape
        strength = rng.choice((0.0, 1.0, 1.6, 2.4))
        if not strength:
            return ink
        cells = 3, max(3, width // 16)
        fields = [
            cv2.resize(
                self.noise.standard_normal(cells, np.float32) * np.float32(strength),
                (width, height),
                interpolation=cv2.INTER_CUBIC,
            )
            for _ in range(2)
        ]
        x = np.arange(width, dtype=np.float32)[None, :] + fields[0]
        y = np.arange(height, dtype=np.float32)[:, None] + fields[1]
        return np.asarray(cv2.remap(ink, x, y, cv2.INTER_LINEAR), np.float32)

    def _pen(self, ink: Gray) -> Gray:
        """Return the ink of a pen: thin or fat, grainy as pencil, dry as a brush, or fading along the line."""
        rng, draw = self.rng, self.rng.random()
        width = rng.random()
        if width < 0.12:
            ink = np.asarray(cv2.erode(ink, np.ones((2, 2), np.uint8)), np.float32) * np.float32(
                0.5
            ) + ink * np.float32(0.5)
        elif width < 0.3:
            ink = np.asarray(cv2.dilate(ink, np.ones((2, 2), np.uint8)), np.float32)
        elif width < 0.38:
            ink = np.asarray(
                cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))), np.float32
            )
        if draw < 0.3:  # grain of paper under a pencil or a dry pen
            grain = cv2.GaussianBlur(self.noise.random(ink.shape, np.float32), (0, 0), rng.uniform(0.6, 1.2))
            grain = (grain - 0.5) * np.float32(rng.uniform(1.5, 4)) + 1
            ink = ink * np.clip(grain, 0.25, 1)
        elif draw < 0.45:  # pressure
            force = self.noise.uniform(0.5, 1.1, max(3, ink.shape[1] // 30)).astype(np.float32)
            along = cv2.resize(force[None], (ink.shape[1], 1), interpolation=cv2.INTER_CUBIC)
            ink = ink * np.clip(along, 0.4, 1)
        return np.asarray(ink * np.float32(rng.uniform(0.7, 1)), np.float32)

    def _ruled(self, picture: Picture) -> Picture:
        """Return the sheet with lines, a grid or boxes, at times."""
        rng, draw = self.rng, self.rng.random()
        if draw > 0.4:
            return picture
        height, width = picture.shape[:2]
        colour = np.array(
            rng.choice(((200, 170, 140), (170, 170, 200), (190, 190, 190), (150, 200, 150), (140, 140, 230))),
            np.float32,
        )
        lines = np.zeros((height, width), np.float32)
        thick = rng.choice((1, 1, 2))
        if draw < 0.24:  # ruled
            step = round(height * rng.uniform(0.75, 1.3))
            for y in range(rng.randint(height // 2, height), -1, -step):
                lines[y : y + thick] = 1
        else:  # squared
            step = max(8, round(height * rng.choice((rng.uniform(0.2, 0.4), rng.uniform(0.8, 1.1)))))
            lines[rng.randrange(step) :: step] = 1
            lines[:, rng.randrange(step) :: step] = 1
        opacity = (lines * np.float32(rng.uniform(0.3, 0.9)))[..., None]
        return np.asarray(picture * (1 - opacity) + colour * opacity, np.float32)


def _with_margin(canvas: Gray, rng: random.Random) -> Gray | None:
    rows, columns = np.flatnonzero(canvas.max(axis=1) > 0.2), np.flatnonzero(canvas.max(axis=0) > 0.2)
    if not len(rows) or not len(columns):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    if bottom - top < _SIZE * 0.6:
        top, bottom = min(top, round(_SIZE * 1.25)), max(bottom, round(_SIZE * 2.02))
    ink = canvas[top:bottom, columns[0] : columns[-1] + 1]
    height = ink.shape[0]
    above, below, left, right = (
        max(1, math.floor(height * rng.uniform(0, most))) for most in (0.22, 0.22, 0.4, 0.4)
    )
    return np.pad(ink, ((above, below), (left, right)))
