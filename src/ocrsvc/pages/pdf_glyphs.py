"""The characters of a PDF page as PDFium gives them, with their places in pixels of the drawn page."""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import atan2, cos, degrees, hypot, radians, sin
from secrets import token_hex
from typing import Any

import numpy as np
import pypdfium2.raw as raw
from numpy.typing import NDArray

from ocrsvc.pages.characters import is_invisible, is_meaningless
from ocrsvc.pages.pdf_objects import address

_INVISIBLE = (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP)
_STEP_DEGREES = 0.5  # directions are rounded to this, so that the characters of one line have the same
_ASCENT, _DESCENT = 0.9, 0.22  # of a font, in ems, where slanted boxes do not tell
_FONT_BYTES = 1 << 16  # of a font file, which with its name and length identify the font
_LINE_END_HYPHEN = 2  # what PDFium gives instead of a hyphen at the end of a line
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)  # halves of characters beyond 16 bits

ToPixels = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # from points [N,2] of the page


@dataclass(frozen=True, slots=True, eq=False)
class Style:
    """What the characters of one text object share.

    ``degrees``: direction on the drawn page, clockwise, 0 for ordinary text; ``em_pixels``: font size; ``font``: its
    identity within the document; ``visible``: whether it is drawn at all; ``order``: place in the drawing order.
    """

    degrees: float
    em_pixels: float
    font: str
    visible: bool
    order: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Glyph:
    """One character.

    ``start`` and ``end`` along the direction of its style, ``top`` and ``bottom`` across it, ``base`` its base line:
    pixels in a frame turned by ``style.degrees`` around the page's origin. ``spaced``: white space precedes it;
    ``broken``: PDFium begins a line here. ``sound``: the font maps it to a character that means something.
    """

    text: str
    style: Style
    start: float
    end: float
    top: float
    bottom: float
    base: float
    spaced: bool
    broken: bool
    sound: bool


def read(text_page: Any, to_pixels: ToPixels, order: dict[int, int], *, most: int) -> list[Glyph] | None:
    """Return the characters of a text page (raw FPDF_TEXTPAGE) without white space, in the order of the file.

    ``order``: drawing order of text objects by address. None if there are more than ``most`` characters.
    """
    count = raw.FPDFText_CountChars(text_page)
    if count > most:
        return None
    found = _Found(text_page, to_pixels, order)
    for index in range(count):
        found.add(index)
    return found.glyphs()


class _Found:
    """Collects characters one by one and computes their places at once."""

    def __init__(self, text_page: Any, to_pixels: ToPixels, order: dict[int, int]) -> None:
        self._page, self._to_pixels, self._order = text_page, to_pixels, order
        self._styles: dict[int, Style] = {}
        self._fonts: dict[int, str] = {}
        self._own_name = token_hex(4)  # of fonts without a file, which is not known to any other page
        self._characters: list[tuple[str, Style, bool, bool, bool]] = []
        self._places: list[tuple[float, ...]] = []
        self._spaced = self._broken = False
        self._high = 0
        self._box = raw.FS_RECTF()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        origin = to_pixels(np.zeros((1, 2)))
        # Pixels of one point to the right and of one upwards, as plain numbers, which are faster than arrays.
        self._across, self._up = (to_pixels(np.array([[1.0, 0], [0, 1.0]])) - origin).tolist()
        self._colour = [ctypes.c_uint() for _ in range(4)]

    def add(self, index: int) -> None:
        code = raw.FPDFText_GetUnicode(self._page, index)
        if code in _HIGH:
            self._high = code
            return
        if code in _LOW and self._high:
            code = 0x10000 + ((self._high - 0xD800) << 10) + code - 0xDC00
        self._high = 0
        text = chr(code) if code < 0x110000 else "\N{REPLACEMENT CHARACTER}"
        if code == _LINE_END_HYPHEN and raw.FPDFText_IsHyphen(self._page, index) == 1:
            text = "-"
        # PDFium generates no letters and digits. Each call costs half a microsecond a character.
        if text.isspace() or (not text.isalnum() and raw.FPDFText_IsGenerated(self._page, index) == 1):
            if text in "\r\n":
                self._broken = True
            else:
                self._spaced = True
            return
        item = raw.FPDFText_GetTextObject(self._page, index)
        if is_invisible(text) or not item:
            return
        box, page = self._box, self._page
        if not raw.FPDFText_GetLooseCharBox(page, index, ctypes.byref(box)):
            return
        raw.FPDFText_GetCharOrigin(page, index, ctypes.byref(self._x), ctypes.byref(self._y))
        place = address(item)
        style = self._styles.get(place) or self._style(item, place, index)
        sound = not is_meaningless(text) and raw.FPDFText_HasUnicodeMapError(page, index) != 1
        self._characters.append((text, style, self._spaced, self._broken, sound))
        self._places.append((box.left, box.bottom, box.right, box.top, self._x.value, self._y.value))
        self._spaced = self._broken = False

    def glyphs(self) -> list[Glyph]:
        if not self._places:
            return []
        places = np.nan_to_num(np.array(self._places, dtype=np.float64), posinf=0, neginf=0)
        left, bottom, right, top, x, y = places.T
        turns = np.radians([style.degrees for _, style, *_ in self._characters])
        cosine, sine = np.cos(turns), np.sin(turns)
        corners = [(left, bottom), (left, top), (right, bottom), (right, top), (x, y)]
        frames = []
        for points in corners:
            pixels = self._to_pixels(np.stack(points, axis=1))
            along = pixels[:, 0] * cosine + pixels[:, 1] * sine
            across = pixels[:, 1] * cosine - pixels[:, 0] * sine
            frames.append((along, across))
        alongs = np.stack([along for along, _ in frames])
        acrosses = np.stack([across for _, across in frames])
        base = acrosses[4]
        extents = [
            alongs[:4].min(axis=0),
            alongs[:4].max(axis=0),
            acrosses[:4].min(axis=0),
            acrosses[:4].max(axis=0),
        ]
        rows = np.stack([*extents, base, alongs[4]], axis=1).tolist()
        _divide_ligatures(rows)
        found = []
        for index, ((text, style, *marks), row) in enumerate(zip(self._characters, rows, strict=True)):
            start, end, high, low, line, origin = row
            if style.degrees % 90:  # PDFium's boxes have no other directions
                start, end = origin, self._end(index, origin, rows)
                high, low = line - _ASCENT * style.em_pixels, line + _DESCENT * style.em_pixels
            found.append(Glyph(text, style, start, end, high, low, line, *marks))
        return found

    def _end(self, index: int, origin: float, rows: list[list[float]]) -> float:
        """Return where a character of a slanted line ends: where the next one begins, if that is near."""
        text, style, *_ = self._characters[index]
        usual = style.em_pixels * (0.5 if text.isascii() else 1.0)
        if index + 1 < len(rows) and self._characters[index + 1][1] is style:
            following = rows[index + 1][5] - origin
            if 0 < following < 2 * usual:
                return origin + following
        return origin + usual

    def _style(self, item: Any, place: int, index: int) -> Style:
        matrix = raw.FS_MATRIX(1, 0, 0, 1, 0, 0)
        raw.FPDFText_GetMatrix(self._page, index, ctypes.byref(matrix))
        (right_x, right_y), (up_x, up_y) = self._across, self._up
        turn = degrees(atan2(matrix.a * right_y + matrix.b * up_y, matrix.a * right_x + matrix.b * up_x))
        upwards = matrix.c * right_x + matrix.d * up_x, matrix.c * right_y + matrix.d * up_y
        turn = (round(turn / _STEP_DEGREES) * _STEP_DEGREES) % 360
        em = hypot(*upwards) * abs(raw.FPDFText_GetFontSize(self._page, index))
        has_colour = raw.FPDFText_GetFillColor(self._page, index, *self._colour)
        mode = raw.FPDFTextObj_GetTextRenderMode(item)
        transparent = mode == raw.FPDF_TEXTRENDERMODE_FILL and not (has_colour and self._colour[3].value)
        style = Style(
            degrees=turn,
            em_pixels=max(1.0, float(em)),
            font=self._font(raw.FPDFTextObj_GetFont(item)),
            visible=mode not in _INVISIBLE and not transparent,
            order=self._order.get(place),
        )
        self._styles[place] = style
        return style

    def _font(self, font: Any) -> str:
        """Return what identifies a font within the document: a check sum of its name and its file.

        A Type 3 font has no file, and all may have one name, so it is another font on every page: one that is right
        says nothing about the next.
        """
        place = address(font)
        if place not in self._fonts:
            name = ctypes.create_string_buffer(256)
            raw.FPDFFont_GetBaseFontName(font, name, len(name))
            length = ctypes.c_size_t()
            raw.FPDFFont_GetFontData(font, None, 0, ctypes.byref(length))
            content = b""
            if raw.FPDFFont_GetIsEmbedded(font) == 1 and 0 < length.value <= _FONT_BYTES:
                buffer = (ctypes.c_uint8 * length.value)()
                raw.FPDFFont_GetFontData(font, buffer, length.value, ctypes.byref(length))
                content = bytes(buffer)
            sum_ = zlib.crc32(content, zlib.crc32(name.value + length.value.to_bytes(8, "little")))
            self._fonts[place] = f"{sum_:08x}" if length.value else f"{self._own_name}-{len(self._fonts)}"
        return self._fonts[place]


def _divide_ligatures(rows: list[list[float]]) -> None:
    """Give each letter of a ligature its part of the place, which PDFium gives to all of them."""
    first = 0
    for index in range(1, len(rows) + 1):
        if index < len(rows) and rows[index] == rows[first]:
            continue
        if (count := index - first) > 1:
            start, end = rows[first][:2]
            for part in range(count):
                rows[first + part][0] = start + (end - start) * part / count
                rows[first + part][1] = start + (end - start) * (part + 1) / count
        first = index


def corner(along: float, across: float, turn: float) -> tuple[float, float]:
    """Return the page's x and y of a place in a frame turned by ``turn`` degrees."""
    cosine, sine = cos(radians(turn)), sin(radians(turn))
    return along * cosine - across * sine, along * sine + across * cosine
