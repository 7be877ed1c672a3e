"""Draws small text of screens as a screenshot has it: 9 to 14 pixels, hinted, grey or subpixel anti-aliasing.

FreeType hints the grey glyphs. Subpixel glyphs are drawn three times as large and averaged over thirds of a pixel,
with FreeType's default filter against colour fringes.
"""

from __future__ import annotations

import random

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ocrsvc.training.drawing.bitmaps import Bitmaps
from ocrsvc.training.drawing.camera import Bgr, Picture
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Glyphs, Gray, underlined, wide

_FILTER = np.array([[8, 77, 86, 77, 8]], np.float32) / 256  # FreeType's FT_LCD_FILTER_DEFAULT
_THEMES = (  # text and ground, BGR
    ((33, 33, 33), (255, 255, 255)),
    ((0, 0, 0), (255, 255, 255)),
    ((51, 51, 51), (245, 245, 245)),
    ((102, 102, 102), (255, 255, 255)),
    ((153, 153, 153), (255, 255, 255)),
    ((200, 90, 20), (255, 255, 255)),
    ((40, 40, 220), (255, 255, 255)),
    ((60, 60, 60), (240, 236, 230)),
    ((255, 255, 255), (215, 120, 0)),
    ((255, 255, 255), (80, 175, 76)),
    ((255, 255, 255), (60, 60, 230)),
    ((230, 230, 230), (30, 30, 30)),
    ((204, 204, 204), (30, 30, 30)),
    ((212, 212, 212), (45, 40, 38)),
    ((255, 255, 255), (0, 0, 0)),
    ((120, 220, 120), (20, 20, 20)),
    ((150, 150, 150), (40, 40, 40)),
    ((246, 193, 112), (54, 44, 40)),
)  # fmt: skip
_CONSOLE = tuple(
    (tuple(text), (0, 0, 0)) for text in ((192, 192, 192), (255, 255, 255), (0, 255, 0), (0, 255, 255))
)
_BITMAP_SHARE = 0.22  # of the lines in faces without anti-aliasing
_SIZES = (9, 10, 11, 12, 12, 13, 14, 14)


class Interface:
    """Generator of small text in the interface faces of ``library``."""

    def __init__(self, library: Library, rng: random.Random, noise: np.random.Generator) -> None:
        self.rng = rng
        self.noise = noise
        faces = library.only(library.interface or library.cjk, library.interface_latin)
        self.glyphs = Glyphs(faces, rng, noise, worn=False)
        self.bitmaps = Bitmaps(rng)

    def draw(self, text: str) -> Bgr | None:
        """Return the line as uint8 BGR [H,W,3], 13 to 40 pixels high; None if no face has its characters."""
        rng = self.rng
        bits = self.bitmaps.coverage(text) if rng.random() < _BITMAP_SHARE else None
        coverage = (
            self._coverage(text, rng.choice(_SIZES))
            if bits is None
            else np.repeat(bits[..., None], 3, axis=2)
        )
        if coverage is None:
            return None
        margin = [rng.randint(0, 4), rng.randint(0, 4), rng.randint(1, 8), rng.randint(1, 8)]
        top, bottom, left, right = margin
        coverage = np.pad(coverage, ((top, bottom), (left, right), (0, 0)))
        themes = _CONSOLE if bits is not None and rng.random() < 0.4 else _THEMES
        text_colour, ground = (np.array(colour, np.float32) for colour in rng.choice(themes))
        if rng.random() < 0.35:  # any other theme
            shift = self.noise.normal(0, 18, 3)
            text_colour, ground = np.clip(text_colour + shift, 0, 255), np.clip(ground - shift, 0, 255)
        picture = np.broadcast_to(ground, coverage.shape).astype(np.float32)
        picture = self._decorated(picture, text_colour, margin)
        picture = picture * (1 - coverage) + text_colour * coverage
        return self._captured(np.asarray(picture, np.float32))

    def _coverage(self, text: str, size: int) -> Picture | None:
        """Return the coverage of each colour channel, float32 [H,W,3], cropped to the ink."""
        rng, chinese = self.rng, wide(text)
        faces = self.glyphs.faces(text, chinese)
        if faces is None:
            return None
        scale = 3 if rng.random() < 0.35 else 1
        fonts = tuple(face.at(size * scale) for face in faces)
        gap, em = fonts[1].getlength(" "), size * scale
        canvas = Image.new("L", (em * (len(text) + 4) + round(gap) * text.count(" ") * 2, 3 * em), 0)
        pen, x, i = ImageDraw.Draw(canvas), float(em), 0
        spacing = rng.choice((0, 0, 0, 1)) * scale
        letters = underlined(text, rng)
        below = 2 * em + scale * rng.choice((1, 1, 2))
        while i < len(text):
            end = i + 1
            while not spacing and end < len(text) and chinese[end] == chinese[i]:
                end += 1
            font, run = fonts[0] if chinese[i] else fonts[1], text[i:end]
            pen.text((round(x), 2 * em), run, 255, font=font, anchor="ls")
            for letter in letters:
                if i <= letter < end:
                    left, right = (round(x + font.getlength(text[i:k])) for k in (letter, letter + 1))
                    pen.rectangle((left, below, right - 1, below + scale - 1), 255)
            x += font.getlength(run) + spacing
            i = end
        drawn = np.asarray(canvas, np.float32) / np.float32(255)
        coverage = self._subpixels(drawn) if scale == 3 else np.repeat(drawn[..., None], 3, axis=2)
        inked = coverage.max(axis=2)
        rows, columns = np.flatnonzero(inked.max(axis=1) > 0.15), np.flatnonzero(inked.max(axis=0) > 0.15)
        if not len(rows):
            return None
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        if bottom - top < size * 0.6:  # a lone dash has the box of a line
            top, bottom = min(top, round(size * 1.2)), max(bottom, round(size * 2.02))
        return coverage[top:bottom, columns[0] : columns[-1] + 1]

    def _subpixels(self, drawn: Gray) -> Picture:
        height, width = drawn.shape[0] // 3, drawn.shape[1] // 3
        rows = cv2.resize(drawn, (drawn.shape[1], height), interpolation=cv2.INTER_AREA)
        thirds = cv2.filter2D(rows, -1, _FILTER)[:, : 3 * width].reshape(height, width, 3)
        return np.asarray(
            thirds if self.rng.random() < 0.2 else thirds[..., ::-1], np.float32
        )  # mostly R G B

    def _decorated(self, picture: Picture, colour: np.ndarray, margin: list[int]) -> Picture:
        """Return the ground with the border of a button, an underline, a caret, or a band of another row."""
        rng, draw = self.rng, self.rng.random()
        height, width = picture.shape[:2]
        if draw < 0.07 and min(margin) >= 2:
            picture[0], picture[-1], picture[:, 0], picture[:, -1] = (picture[0] + colour) / 2, *(colour,) * 3
        elif draw < 0.12 and margin[1] >= 2:
            picture[height - 1] = colour
        elif draw < 0.16 and margin[3] >= 6:
            picture[:, width - 2] = colour
        elif draw < 0.22 and margin[1] >= 2:
            picture[height - 1 :] = picture[0, 0] * np.float32(rng.uniform(0.5, 0.95))
        return picture

    def _captured(self, picture: Picture) -> Bgr:
        """Return the screenshot as it is, scaled a little, or compressed."""
        rng = self.rng
        if rng.random() < 0.35:
            factor = rng.choice((1.25, 1.5, 2.0, rng.uniform(0.8, 2.0)))
            way = rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_NEAREST))
            size = max(4, round(picture.shape[1] * factor)), max(8, round(picture.shape[0] * factor))
            picture = np.asarray(cv2.resize(picture, size, interpolation=way), np.float32)
        image = np.clip(picture, 0, 255).astype(np.uint8)
        if rng.random() < 0.3:
            packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(40, 95)])[1]
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        return image
