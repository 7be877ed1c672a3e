"""The text layer of a PDF page: lines of text with their place on the drawn page, as decoder processes send them.

The service does not trust what a decoder process sends, because a crafted PDF may have taken it over: ``decode`` checks
every number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, cast

from ocrsvc.errors import UndecodableImage
from ocrsvc.results import Polygon

# Use of text layers: `auto` checks a page's layer and reads what it does not say; `always` takes every layer;
# `never` reads all pages as pictures.
PdfText = Literal["auto", "never", "always"]
Area = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the page

MOST_CHARACTERS = 100_000  # of one page; newspapers have 20 000. A page with more is read as a picture
MOST_LINES = 10_000  # of one page, likewise
MOST_BYTES = 4 << 20  # of an encoded layer; 100 000 characters take about 2 MB
MOST_AREAS = 32  # of one page
_SPAN_STEPS = 10_000  # a character's position is sent as a whole number of this fraction of its line


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of a text layer.

    ``polygon``: corners on the page in pixels, from the top left of the text. ``spans``: start and end of each
    character of ``text``, as fractions of the line's length. ``font``: identifies the font of most of the characters
    within the document; empty if the line needs no comparison with the picture.
    """

    text: str
    polygon: Polygon
    spans: tuple[tuple[float, float], ...]
    font: str = ""


@dataclass(frozen=True, slots=True)
class TextLayer:
    """Lines of one page in no particular order, and the ``areas`` that must be read: they have ink but no line."""

    lines: tuple[TextLine, ...]
    areas: tuple[Area, ...] = ()


def encode(layer: TextLayer) -> bytes:
    """Return a layer as bytes for another process; none if there would be more than ``MOST_BYTES``."""
    lines = [
        [
            line.text,
            [round(value, 2) for point in line.polygon for value in point],
            [round(value * _SPAN_STEPS) for span in line.spans for value in span],
            line.font,
        ]
        for line in layer.lines
    ]
    data = json.dumps({"lines": lines, "areas": layer.areas}, separators=(",", ":")).encode()
    return data if len(data) <= MOST_BYTES else b""


def decode(data: bytes, width: int, height: int) -> TextLayer:
    """Return the layer of a page of this size in pixels; UndecodableImage if it is not one that ``encode`` writes."""
    try:
        if len(data) > MOST_BYTES:
            raise ValueError(f"{len(data)} bytes")
        message = json.loads(data)
        lines = tuple(_line(each, width, height) for each in message["lines"])
        areas = tuple(_area(each, width, height) for each in message["areas"])
        if (
            len(areas) > MOST_AREAS
            or len(lines) > MOST_LINES
            or sum(len(line.text) for line in lines) > MOST_CHARACTERS
        ):
            raise ValueError("too much text")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UndecodableImage("The decoder crashed.") from error
    return TextLayer(lines, areas)


def _line(values: Any, width: int, height: int) -> TextLine:
    text, corners, steps, font = values
    if not isinstance(text, str) or not text or not isinstance(font, str):
        raise TypeError("a text layer of other values")
    numbers = [float(value) for value in corners]
    most = max(width, height)
    if len(numbers) != 8 or not all(isfinite(value) and 0 <= value <= most for value in numbers):
        raise ValueError("corners outside the page")
    positions = [int(step) / _SPAN_STEPS for step in steps]
    if len(positions) != 2 * len(text) or not all(0 <= each <= 1 for each in positions):
        raise ValueError("characters outside their line")
    text.encode()  # UnicodeEncodeError, a ValueError, for surrogates, which no answer could hold
    polygon = cast(Polygon, tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    return TextLine(text, polygon, tuple(zip(positions[::2], positions[1::2], strict=True)), font)


def _area(values: Any, width: int, height: int) -> Area:
    left, top, right, bottom = (int(value) for value in values)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError("an area outside the page")
    return left, top, right, bottom
