"""What the XML formats share: text as XML, and how the text of a line runs."""

from __future__ import annotations

import re
from math import atan2, degrees
from xml.sax.saxutils import escape

from ocrsvc.formats.words import bounds
from ocrsvc.results import Polygon

# What XML 1.0 has no place for, not even as a reference; text layers of PDFs may hold it.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STEEP_DEGREES = (45.0, 135.0)  # sectors of the reading direction that run down or up the page
_STRAIGHT_PIXELS = 1.0  # corners this close to the bounds need no shape of their own


def text(value: str) -> str:
    """Return a text as the content of an element or of an attribute in double quotes."""
    return escape(plain(value), {'"': "&quot;"})


def plain(value: str) -> str:
    """Return a text with a replacement character for each one that XML has no place for."""
    return _NOT_XML.sub("\ufffd", value)


def angle_degrees(polygon: Polygon) -> float:
    """Return by how much the reading direction is turned counter-clockwise from the horizontal, -180 to 180."""
    (_, _, (right, right_y), (left, left_y)) = polygon
    return degrees(atan2(left_y - right_y, right - left))


def runs_up(polygon: Polygon) -> bool | None:
    """Return whether the text runs up the page (True) or down (False); None if it runs across."""
    angle = angle_degrees(polygon)
    least, most = _STEEP_DEGREES
    return angle > 0 if least < abs(angle) < most else None


def is_straight(polygon: Polygon) -> bool:
    """Return whether the bounding box says all: the text is upright and its corners are those of the box."""
    left, top, right, bottom = bounds(polygon)
    box = ((left, top), (right, top), (right, bottom), (left, bottom))
    return all(
        abs(x - a) <= _STRAIGHT_PIXELS and abs(y - b) <= _STRAIGHT_PIXELS
        for (x, y), (a, b) in zip(polygon, box, strict=True)
    )
