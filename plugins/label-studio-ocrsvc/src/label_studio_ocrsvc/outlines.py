"""Outlines of lines: corners in pixels here, percent of the picture's sides in Label Studio."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ocrsvc.results import Polygon

_STRAIGHT_DEGREES = 0.5  # a line that is turned by less is a plain rectangle, which is easier to correct


def as_value(polygon: Polygon, width: int, height: int, *, rectangle: bool) -> dict[str, Any]:
    """Return the outline in a picture of that size as the ``value`` of a rectangle or of a polygon.

    A rectangle is turned around its top left corner, clockwise, by ``rotation`` degrees.
    Nothing is outside the picture, which Label Studio refuses.
    """
    corners = [(min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in polygon]
    if not rectangle:
        return {"points": [[100 * x / width, 100 * y / height] for x, y in corners], "closed": True}
    (x, y), (right, right_y) = corners[0], corners[1]
    rotation = math.degrees(math.atan2(right_y - y, right - x))
    across, down = math.dist(corners[0], corners[1]), math.dist(corners[0], corners[3])
    if abs(rotation) < _STRAIGHT_DEGREES:
        columns, rows = zip(*corners, strict=True)
        x, y, rotation = min(columns), min(rows), 0.0
        across, down = max(columns) - x, max(rows) - y
    return {
        "x": 100 * x / width,
        "y": 100 * y / height,
        "width": min(100.0, 100 * across / width),
        "height": min(100.0, 100 * down / height),
        "rotation": rotation % 360,
    }


def of_value(value: Mapping[str, Any], width: int, height: int) -> Polygon | None:
    """Return the corners, clockwise from the top left of the text, of a value of Label Studio.

    None for anything but a rectangle or a polygon of four corners.
    """
    if (points := value.get("points")) is not None:
        if len(points) != 4:
            return None
        first, second, third, fourth = ((float(x) * width / 100, float(y) * height / 100) for x, y in points)
        return first, second, third, fourth
    if not {"x", "y", "width", "height"} <= value.keys():
        return None
    x, y = float(value["x"]) * width / 100, float(value["y"]) * height / 100
    across, down = float(value["width"]) * width / 100, float(value["height"]) * height / 100
    turned = math.radians(float(value.get("rotation", 0)))
    along = (across * math.cos(turned), across * math.sin(turned))
    below = (-down * math.sin(turned), down * math.cos(turned))
    return (
        (x, y),
        (x + along[0], y + along[1]),
        (x + along[0] + below[0], y + along[1] + below[1]),
        (x + below[0], y + below[1]),
    )
