"""Draws the ink of a text: choice of faces, spacing of words and letters, leaders, raised digits.

A visible gap must match a space of the label, and the reverse. So letter spacing stays well below the word gap,
spaces of monospaced faces fill a cell, and full-width punctuation is followed by a wider gap. Only purely Chinese
texts without spaces may be spaced out: their labels have no spaces between characters.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocrsvc.recognition.charsets import named
from ocrsvc.training.drawing.fonts import Face, Library
from ocrsvc.training.drawing.wear import Gray, Wear

__all__ = ["Glyphs", "Gray", "Style", "keys", "underlined", "wide"]

_WIDE = 0x2E80  # first code point of full-width characters; signs below it occur in both scripts
_SEGMENT = re.compile(r"[\d.:-]+")
_HALF_EMPTY = frozenset("，。、；：！？）》】")  # full-width signs whose ink is on the left
_KANA = re.compile(r"[\u3041-\u30ff]")
_HAS_WIDE = re.compile(r"[\u2e80-\uffff]")
# A leader between a name and a page or a sum; any number of dots or dashes is labelled so.
_LEADER = re.compile(r"(?<=\S)( ?)(……|——)(?= ?[\w(￥$]+$)")
_KEY = re.compile(r"[\u2e80-\uffff] ?\(([A-Z0-9])\)")
_UNDERLINED_SHARE = 0.75  # of the texts with the letters of keys
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


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


def keys(text: str) -> list[int]:
    """Return the places of the letters that menus underline, because they are the keys of an entry: 檔案(F)."""
    return [match.start(1) for match in _KEY.finditer(text)]


def underlined(text: str, rng: random.Random) -> list[int]:
    """Draw which of these letters are underlined: all of a text, or none."""
    return keys(text) if rng.random() < _UNDERLINED_SHARE else []


class Glyphs:
    """Generator of the ink of texts in the faces of ``library``; without ``worn``, print has no defects."""

    def __init__(
        self, library: Library, rng: random.Random, noise: np.random.Generator, *, worn: bool = True
    ) -> None:
        self.library = library
        self.rng = rng
        self.noise = noise
        self.worn = worn
        self.wear = Wear(rng, noise)
        self.traditional = frozenset(named()["hant"]) - frozenset(named()["hans"])

    def chinese(self, text: str) -> Sequence[Face]:
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

    def faces(self, text: str, chinese: list[bool]) -> tuple[Face, Face] | None:
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
        faces = self.chinese(text)
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
        stretch = rng.choice((1, 1, rng.uniform(0.75, 1.3)))
        if not han and (draw := rng.random()) < 0.12:  # condensed and expanded letters
            stretch = rng.uniform(0.5, 0.8) if draw < 0.08 else rng.uniform(1.3, 1.7)
        return Style(
            size_pixels=rng.randint(26, 58),
            spacing=spacing,
            gap=max(gap, 2 * spacing + 0.2) if spacing > 0 else gap,
            jitter=rng.choice((0, 0, 0.15)),
            stretch=stretch,
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
        rng = self.rng
        shown, level = text, [0] * len(text)
        if (small := text.translate(_RAISED).translate(_LOWERED)) != text and rng.random() < 0.5:
            level = [(c.translate(_RAISED) != c) - (c.translate(_LOWERED) != c) for c in text]
            shown = small
        chinese = wide(shown)
        faces = self.faces(shown, chinese)
        if faces is None:
            return None
        style = self._style(any(chinese))
        if (
            len(text) > 1 and all(chinese) and " " not in text and rng.random() < 0.06
        ):  # spaced out, as headings are
            style = replace(style, spacing=rng.uniform(0.3, 1.5), squeezed=False)
        ink = self._set(shown, chinese, level, faces, style)
        if ink is None:
            return None
        if style.stretch != 1:
            stretched = max(2, round(ink.shape[1] * style.stretch)), ink.shape[0]
            ink = np.asarray(cv2.resize(ink, stretched), np.float32)
        return self.wear.worn(ink, han=bool(_HAS_WIDE.search(text))) if self.worn else ink

    def _set(
        self, text: str, chinese: list[bool], level: list[int], faces: tuple[Face, Face], style: Style
    ) -> Gray | None:
        """Set the text from left to right; ``level``: 1 for raised and -1 for lowered small characters."""
        rng, size = self.rng, style.size_pixels
        fonts = faces[0].at(size), faces[1].at(size)
        leader = match.span(2) if (match := _LEADER.search(text)) and rng.random() < 0.65 else None
        length = size * 1.4 * (len(text) * (1 + max(style.spacing, 0)) + 4) + 3 * size * text.count(" ")
        canvas = Image.new("L", (int(length) + (15 * size if leader else 0), size * 3), 0)
        pen = ImageDraw.Draw(canvas)
        x, i = float(size), 0
        while i < len(text):
            font = fonts[0] if chinese[i] else fonts[1]
            if text[i] == " ":
                x += self._gap(style, fonts[1], text[i - 1] if i else "")
                i += 1
                continue
            if leader and i == leader[0]:
                x = self._lead(pen, x, size, dashes=text[i] == "—")
                i = leader[1]
                continue
            end = i + 1
            apart = style.spacing or (style.squeezed and chinese[i]) or level[i]
            while (
                not apart
                and end < len(text)
                and text[end] != " "
                and chinese[end] == chinese[i]
                and not level[end]
                and not (leader and end == leader[0])
            ):
                end += 1
            run, y = text[i:end], size * 2.0
            if level[i]:
                font = faces[1].at(max(8, round(size * 0.6)))
                y -= size * (0.38 if level[i] > 0 else -0.16)
            pen.text((x, y), run, 255, font=font, anchor="ls")
            x += font.getlength(run) + size * style.spacing
            if style.squeezed and run in _HALF_EMPTY:
                x -= size * 0.35
            i = end
        return _tight(np.asarray(canvas, np.uint8), size)

    def _lead(self, pen: ImageDraw.ImageDraw, x: float, size: int, *, dashes: bool) -> float:
        """Draw a leader of more marks than one counts; return where it ends."""
        rng = self.rng
        x += size * rng.uniform(0, 0.4)
        end = x + size * rng.uniform(2.5, 13)
        if dashes and rng.random() < 0.5:
            y = size * rng.uniform(1.55, 1.75)
            pen.line((x, y, end, y), 255, max(1, size // 18))
        else:
            pitch = size * rng.uniform(0.14, 0.5)
            y = size * (rng.uniform(1.55, 1.75) if dashes or rng.random() < 0.3 else rng.uniform(1.9, 2.0))
            radius, half = size * rng.uniform(0.03, 0.06), pitch * rng.uniform(0.25, 0.4)
            for mark in np.arange(x, end, max(pitch, 3 * radius)):
                box = (
                    (mark, y, mark + half, y)
                    if dashes
                    else (mark - radius, y - radius, mark + radius, y + radius)
                )
                if dashes:
                    pen.line(box, 255, max(1, size // 18))
                else:
                    pen.ellipse(box, 255)
        return end + size * rng.uniform(0.05, 0.4)


def _tight(canvas: NDArray[np.uint8], size: int) -> Gray | None:
    columns, rows = np.flatnonzero(canvas.max(axis=0) > 51), np.flatnonzero(canvas.max(axis=1) > 51)
    if not len(columns) or not len(rows):
        return None
    # The box of a lone dash or full stop is as high as the font's body, as detectors draw it.
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    if bottom - top < size * 0.6:
        top, bottom = min(top, round(size * 1.25)), max(bottom, round(size * 2.02))
    return np.asarray(canvas[top:bottom, columns[0] : columns[-1] + 1], np.float32) / np.float32(255)
