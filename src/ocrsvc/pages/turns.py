"""Turns pages by quarter turns, and returns polygons to the page as it was given."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, cast

import numpy as np

from ocrsvc.pages.source import Pixels
from ocrsvc.results import Polygon

Turn = Literal[0, 90, 180, 270]
"""Clockwise angle in degrees by which a page has to be turned to be upright."""
TurnName = Literal["auto", "0", "90", "180", "270"]
"""A turn as a caller writes it; ``auto``: it is to be found."""
_NAMED: Mapping[TurnName, Turn | None] = MappingProxyType(
    {"auto": None, "0": 0, "90": 90, "180": 180, "270": 270}
)


def turn_named(name: TurnName) -> Turn | None:
    """Return the turn of this name; None for ``auto``."""
    return _NAMED[name]


def turned(pixels: Pixels, turn: Turn) -> Pixels:
    """Return a picture uint8 [H,W,3] turned clockwise by ``turn`` degrees; the same array for 0."""
    return pixels if turn == 0 else np.ascontiguousarray(np.rot90(pixels, -turn // 90))


def returned(polygon: Polygon, turn: Turn, width: float, height: float) -> Polygon:
    """Return a polygon on the turned page in pixels of the page as given, which is ``width`` by ``height``.

    The order of the corners stays: the first is the top left of the text, wherever that is on the page as given.
    """
    if turn == 0:
        return polygon
    points = {
        90: lambda x, y: (y, height - x),
        180: lambda x, y: (width - x, height - y),
        270: lambda x, y: (width - y, x),
    }
    return cast(Polygon, tuple(points[turn](x, y) for x, y in polygon))


def advanced(polygon: Polygon, turn: Turn, width: float, height: float) -> Polygon:
    """Return a polygon of the page as given, which is ``width`` by ``height``, in pixels of the turned page."""
    if turn in (90, 270):
        back: Turn = 270 if turn == 90 else 90
        return returned(polygon, back, height, width)
    return returned(polygon, turn, width, height)
