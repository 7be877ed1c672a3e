"""Draws the ink of a text: choice of faces, spacing of words and letters, print defects.

A visible gap must match a space of the label, and the reverse. So letter spacing stays well below the word gap,
spaces of monospaced faces fill a cell, and full-width punctuation is followed by a wider gap.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocrsvc.recognition.charsets import named
from ocrsvc.training.drawing.fonts import Face, Library

Gray = NDArray[np.float32]  # [H,W], ink coverage 0 to 1

_WIDE = 0x2E80  # first code point of full-width characters; signs below it occur in both scripts
_SEGMENT = re.compile(r"[\d.:-]+")
_HALF_EMPTY = frozenset("，。、；：！？）》】")  # full-width signs whose ink is on the left
_KANA = re.compile(r"[\u3041-\u30ff]")
_HAS_WIDE = re.compile(r"[\u2e80-\uffff]")


@dataclass(frozen=True)
class Style:
    """Typographic choices for one line; ``spacing`` and ``gap`` as fractions of the size."""

    size_pixels: int
    spacing: float
    gap: float
    jitter: float
    stretch: float
    squeezed: bool


def _monospaced(font: ImageFont.FreeTypeFont) -> bool:
    return font.getlength("i") == font.getlength("M")


def wide(text: str) -> list[bool]:
    """Return for each character whether a Chinese face draws it; “ ” — … follow the script of their neighbours."""
    found = [ord(character) >= _WIDE for character in text]
    answer = list(found)
    for i, character in enumerate(text):
        if not character.isascii() and not found[i]:
            before = next((found[j] for j in range(i - 1, -1, -1) if text[j].isalnum() or found[j]), False)
            after = next((found[j] for j in range(i + 1, len(text)) if text[j].isalnum() or found[j]), False)
            answer[i] = before or after
    return answer


class Glyphs:
    """Generator of the ink of texts in the faces of ``library``; without ``worn``, print has no defects."""

    def __init__(
        self, library: Library, rng: random.Random, noise: np.random.Generator, *, worn: bool = True
    ) -> None:
        self.library = library
        self.rng = rng
        self.noise = noise
        self.worn = worn
        self.traditional = frozenset(named()["hant"]) - frozenset(named()["hans"])

    def _chinese(self, text: str) -> Sequence[Face]:
        """Return the faces for the Chinese part of a text, mostly those of its script (Traditional, kana)."""
        library, own = self.library, self.rng.random() < 0.8
        if own and library.kana and _KANA.search(text):
            return library.kana
        if own and library.hant and not self.traditional.isdisjoint(text):
            return library.hant
        return library.cjk

    def face(self, faces: Sequence[Face], text: str) -> Face | None:
        """Draw a face by weight that has every character of ``text``; None if there is none."""
        weights = [face.weight for face in faces]
        for _ in range(12 if faces else 0):
            face = self.rng.choices(faces, weights)[0]
            if face.covers(text):
                return face
        return next((face for face in faces if face.covers(text)), None)

    def _faces(self, text: str, chinese: list[bool]) -> tuple[Face, Face] | None:
        """Draw a face for the Chinese part and one for the rest: the same face or a Latin one. None if there is none.

        Signs that the Chinese face lacks are marked False in ``chinese``.
        """
        rng, library = self.rng, self.library
        if not any(chinese):
            if library.segment and _SEGMENT.fullmatch(text) and len(text) <= 10 and rng.random() < 0.08:
                faces: Sequence[Face] = library.segment
            else:
                faces = library.latin if not text.isascii() or rng.random() < 0.85 else library.cjk
            every = (faces, library.latin, library.cjk, library.signs)
            face = next((found for kind in every if (found := self.face(kind, text))), None)
            return (face, face) if face else None
        faces = self._chinese(text)
        body = "".join(c for c in text if ord(c) >= _WIDE)
        base = self.face(faces, body) or self.face(library.cjk, body)
        if base is None:
            return None
        for i, character in enumerate(text):
            if chinese[i] and not base.covers(character):
                chinese[i] = False
        narrow = "".join(c for c, is_wide in zip(text, chinese, strict=True) if not is_wide).strip()
        # Chinese faces draw ’ full-width, which would look like a space inside it’s.
        if narrow and (not narrow.isascii() or rng.random() < 0.45 or not base.covers(narrow)):
            other = self.face(library.latin, narrow) or self.face(library.signs, narrow)
            if other is not None:
                return base, other
        return (base, base) if base.covers(narrow) else None

    def _style(self, han: bool) -> Style:
        rng = self.rng
        spacing = 0.0
        if rng.random() < 0.18:
            spacing = rng.uniform(-0.03, 0.3 if han else 0.12)
        gap = rng.choice((0.25, rng.uniform(0.22, 0.34), rng.uniform(0.14, 0.9)))
        if han:
            gap = max(gap, 0.28)
        return Style(
            size_pixels=rng.randint(26, 58),
            spacing=spacing,
            gap=max(gap, 2 * spacing + 0.2) if spacing > 0 else gap,
            jitter=rng.choice((0, 0, 0.15)),
            stretch=rng.choice((1, 1, rng.uniform(0.75, 1.3))),
            squeezed=rng.random() < 0.25,
        )

    def _gap(self, style: Style, font: ImageFont.FreeTypeFont, before: str) -> float:
        """Draw the width of a space in pixels, wide enough to be visible after the character ``before``."""
        rng = self.rng
        gap = style.gap * (1 + rng.uniform(-style.jitter, style.jitter)) * style.size_pixels
        if before in _HALF_EMPTY:
            gap = max(gap, 0.5 * style.size_pixels)
        if _monospaced(font):  # a full cell, because narrow letters such as i have as much air within a word
            gap = max(gap, font.getlength(" "))
        if rng.random() < 0.02:  # the next column of a form
            gap += style.size_pixels * rng.uniform(0.5, 2.5)
        return gap

    def ink(self, text: str) -> Gray | None:
        """Return the coverage 0..1 of the drawn text, cropped to its ink; None if no faces have its characters."""
        chinese = wide(text)
        faces = self._faces(text, chinese)
        if faces is None:
            return None
        style = self._style(any(chinese))
        size = style.size_pixels
        fonts = faces[0].at(size), faces[1].at(size)
        length = size * 1.4 * (len(text) * (1 + max(style.spacing, 0)) + 4) + 3 * size * text.count(" ")
        canvas = Image.new("L", (int(length), size * 3), 0)
        pen = ImageDraw.Draw(canvas)
        x, i = float(size), 0
        while i < len(text):
            font = fonts[0] if chinese[i] else fonts[1]
            if text[i] == " ":
                x += self._gap(style, fonts[1], text[i - 1] if i else "")
                i += 1
                continue
            end = i + 1
            apart = style.spacing or (style.squeezed and chinese[i])
            while not apart and end < len(text) and text[end] != " " and chinese[end] == chinese[i]:
                end += 1
            run = text[i:end]
            pen.text((x, size * 2), run, 255, font=font, anchor="ls")
            x += font.getlength(run) + size * style.spacing
            if style.squeezed and run in _HALF_EMPTY:
                x -= size * 0.35
            i = end
        ink = _tight(np.asarray(canvas, np.float32) / np.float32(255), size)
        if ink is None:
            return None
        if style.stretch != 1:
            stretched = max(2, round(ink.shape[1] * style.stretch)), ink.shape[0]
            ink = np.asarray(cv2.resize(ink, stretched), np.float32)
        return self._stroke(ink, han=bool(_HAS_WIDE.search(text))) if self.worn else ink

    def _stroke(self, ink: Gray, *, han: bool) -> Gray:
        """Return the ink thinned, fattened, dotted, coarse, worn or faded; seven of ten lines stay unchanged."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.06:
            return np.asarray(cv2.erode(ink, np.ones((2, 2), np.uint8)), np.float32)
        if draw < 0.15:
            return np.asarray(cv2.dilate(ink, np.ones((2, 2), np.uint8)), np.float32)
        if draw < 0.19:
            return _matrix(ink, rng.randint(24, 30) if han else rng.randint(13, 19), rng.uniform(0.32, 0.62))
        if draw < 0.21:  # a bitmap face: square pixels
            rows = rng.randint(22, 30) if han else rng.randint(13, 18)
            columns = max(2, round(ink.shape[1] * rows / ink.shape[0]))
            coarse = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA)
            square = np.where(coarse > 0.42, np.float32(1), np.float32(0))
            return np.asarray(
                cv2.resize(square, ink.shape[::-1], interpolation=cv2.INTER_NEAREST), np.float32
            )
        if draw < 0.24:  # missing scan lines
            mask = np.ones_like(ink)
            mask[:: rng.randint(3, 6), :] = rng.uniform(0, 0.6)
            return ink * mask
        if draw < 0.27:  # worn print
            spots = cv2.GaussianBlur(self.noise.random(ink.shape, np.float32), (0, 0), 1.5)
            return ink * (spots > np.quantile(spots, rng.uniform(0.05, 0.25)))
        if draw < 0.30:  # thermal paper faded in bands
            bands = self.noise.uniform(rng.uniform(0.35, 0.7), 1, max(3, ink.shape[1] // 40))
            along = cv2.resize(
                bands.astype(np.float32)[None], (ink.shape[1], 1), interpolation=cv2.INTER_CUBIC
            )
            return ink * np.clip(along, 0.3, 1)
        return ink


def _tight(ink: Gray, size: int) -> Gray | None:
    columns = np.flatnonzero(ink.max(axis=0) > 0.2)
    rows = np.flatnonzero(ink.max(axis=1) > 0.2)
    if not len(columns) or not len(rows):
        return None
    # The box of a lone dash or full stop is as high as the font's body, as detectors draw it.
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    if bottom - top < size * 0.6:
        top, bottom = min(top, round(size * 1.25)), max(bottom, round(size * 2.02))
    return np.asarray(ink[top:bottom, columns[0] : columns[-1] + 1], np.float32)


def _matrix(ink: Gray, rows: int, radius: float) -> Gray:
    """Return the ink as dot-matrix print with ``rows`` rows; ``radius`` as a fraction of the dots' distance."""
    columns = max(2, round(ink.shape[1] * rows / ink.shape[0]))
    struck = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA) > 0.4
    cell = max(3, round(ink.shape[0] / rows) + 1)
    middle = (cell - 1) / 2
    y, x = np.mgrid[:cell, :cell]
    dot = np.clip(radius * cell + 0.5 - np.hypot(y - middle, x - middle), 0, 1).astype(np.float32)
    dots = np.kron(struck.astype(np.float32), dot)
    return np.asarray(cv2.resize(dots, ink.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
