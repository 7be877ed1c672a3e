"""Decides which lines of a PDF page's text layer say what the drawn page shows; what they leave out must be read.

``auto`` does not believe invisible text (the result of another recogniser, of unknown quality), text that nothing is
drawn for or that a picture covers, and text of fonts without a mapping to Unicode. Whether a mapping is right can only
be seen by reading a sample (``ocrsvc.reading.text_check``).
"""

from __future__ import annotations

import ctypes
import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any, cast

import numpy as np
import pypdfium2.raw as raw
from numpy.typing import NDArray

from ocrsvc.pages import pdf_glyphs, uncovered
from ocrsvc.pages.pdf_glyphs import Glyph, ToPixels, corner
from ocrsvc.pages.pdf_objects import PageObjects, Picture
from ocrsvc.pages.source import Pixels
from ocrsvc.pages.text_layer import MOST_CHARACTERS, MOST_LINES, PdfText, TextLayer, TextLine
from ocrsvc.pages.text_lines import GlyphLine, lines_of, polygon_of, text_and_spans
from ocrsvc.results import Polygon

_POINTS_PER_INCH = 72
_FINE = 4096  # PDFium's coordinates on the device are whole numbers: fractions of a pixel
_MOST_UNSOUND = 0.5  # share of the visible characters from which none of the layer is believed
_MOST_PICTURES = 200  # the largest ones, that are compared with the text
_LEAST_PIXELS = 2.0  # least height and length of a line


def layer_of(
    page: Any, pixels: Pixels, objects: PageObjects, text: PdfText, *, scale: float
) -> TextLayer | None:
    """Return what can be taken from the text layer of a loaded page (raw FPDF_PAGE); None if nothing can.

    ``pixels`` uint8 [H,W,3] is the page as it was drawn, at ``scale`` pixels a point.
    """
    if text == "never":
        return None
    to_pixels = transform(page, pixels.shape[1], pixels.shape[0])
    text_page = raw.FPDFText_LoadPage(page)
    if not text_page:
        return None
    try:
        glyphs = pdf_glyphs.read(text_page, to_pixels, objects.order, most=MOST_CHARACTERS)
    finally:
        raw.FPDFText_ClosePage(text_page)
    if not glyphs:
        return None
    if text == "always":
        return _layer(lines_of([glyph for glyph in glyphs if _can_be_sent(glyph)]), pixels)
    seen = _shown(glyphs, objects.pictures, to_pixels)
    sound = sum(glyph.sound for glyph in seen)
    if sound <= (1 - _MOST_UNSOUND) * len(seen):
        return None
    layer = _layer([line for each in lines_of(seen) if (line := _sound(each))], pixels, check=True)
    if layer is None:
        return None
    polygons = [line.polygon for line in layer.lines]
    return replace(layer, areas=uncovered.areas(pixels, polygons, scale * _POINTS_PER_INCH))


def transform(page: Any, width: int, height: int) -> ToPixels:
    """Return the function from points of a page to pixels of its drawing of this size, rotation and crop included."""
    places = []
    for x, y in ((0, 0), (1000, 0), (0, 1000)):
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, width * _FINE, height * _FINE, 0, x, y, across, down)
        places.append((across.value / _FINE, down.value / _FINE))
    origin, right, up = np.array(places, dtype=np.float64)
    matrix = np.stack([right - origin, up - origin]) / 1000

    def to_pixels(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(points @ matrix + origin)

    return to_pixels


def _layer(lines: Sequence[GlyphLine], pixels: Pixels, *, check: bool = False) -> TextLayer | None:
    """Return the lines that are on the page; with ``check``, only those that have ink, and with their fonts."""
    height, width = pixels.shape[:2]
    if len(lines) > MOST_LINES:
        return None
    places = [(line, polygon) for line in lines if (polygon := _within(polygon_of(line), width, height))]
    inked = uncovered.with_ink(pixels, [polygon for _, polygon in places]) if check else [True] * len(places)
    found = []
    for (line, polygon), has_ink in zip(places, inked, strict=True):
        if not has_ink:
            continue
        text, spans = text_and_spans(line)
        font, _ = Counter(glyph.style.font for glyph in line.glyphs).most_common(1)[0]
        found.append(TextLine(text, polygon, spans, font if check else ""))
    return TextLayer(tuple(found)) if found else None


def _sound(line: GlyphLine) -> GlyphLine | None:
    """Return a line without an unsound first character, such as the sign of a list; None if others are unsound."""
    first, *others = line.glyphs
    if not first.sound and others and others[0].spaced:
        line = replace(line, glyphs=tuple(others))
    return line if all(glyph.sound for glyph in line.glyphs) else None


def _can_be_sent(glyph: Glyph) -> bool:
    return glyph.text.isprintable() and not "\ud800" <= glyph.text <= "\udfff"


def _shown(glyphs: Sequence[Glyph], pictures: Sequence[Picture], to_pixels: ToPixels) -> list[Glyph]:
    """Return the characters that are drawn, and over which no picture is drawn later."""
    visible = [glyph for glyph in glyphs if glyph.style.visible]
    if not pictures or not visible:
        return visible
    middles = np.array(
        [
            corner((glyph.start + glyph.end) / 2, (glyph.top + glyph.bottom) / 2, glyph.style.degrees)
            for glyph in visible
        ]
    )
    # Text whose place in the order is unknown counts as drawn last.
    orders = np.array([inf if glyph.style.order is None else glyph.style.order for glyph in visible])
    hidden = np.zeros(len(visible), dtype=bool)
    for picture in heapq.nlargest(_MOST_PICTURES, pictures, key=Picture.area):
        left, bottom, right, top = picture.bounds
        corners = to_pixels(np.array([[left, bottom], [right, top]]))
        low, high = corners.min(axis=0), corners.max(axis=0)
        hidden |= (orders < picture.order) & (middles >= low).all(axis=1) & (middles <= high).all(axis=1)
    return [glyph for glyph, under in zip(visible, hidden.tolist(), strict=True) if not under]


def _within(polygon: Polygon, width: int, height: int) -> Polygon | None:
    """Return the part of a line on a page of this size; None if it is hardly there."""
    corners = np.clip(np.array(polygon), 0, (width, height))
    long, high = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    if min(long, high) < _LEAST_PIXELS:
        return None
    return cast(Polygon, tuple((float(x), float(y)) for x, y in corners))
