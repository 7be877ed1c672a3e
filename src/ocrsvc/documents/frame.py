"""The straight frame of a page: upright and without skew, so that rows are level and the edges of columns plumb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ocrsvc.documents.rules import Rule
from ocrsvc.pages.layout import Box, straightened
from ocrsvc.pages.turns import Turn, returned
from ocrsvc.results import Line, Page, Polygon


@dataclass(frozen=True, slots=True)
class Straight:
    """A ruled line in the straight frame: ``at`` is its y if it is horizontal, else its x."""

    at: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Frame:
    """The lines and rules of a page in its straight frame.

    ``boxes``: bounds of each line, by its index; ``height``: of most text, in pixels; ``across`` and ``down``: rules.
    """

    page: Page
    boxes: tuple[Box, ...]
    height: float
    across: tuple[Straight, ...]
    down: tuple[Straight, ...]
    matrix: NDArray[np.float64]

    def polygon(self, left: float, top: float, right: float, bottom: float) -> Polygon:
        """Return a rectangle of the straight frame in pixels of the page as given."""
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) @ self.matrix.T
        upright = cast(Polygon, tuple((float(x), float(y)) for x, y in corners))
        return returned(upright, cast(Turn, self.page.orientation), self.page.width, self.page.height)


def frame_of(page: Page, lines: Sequence[Line], rules: Sequence[Rule]) -> Frame:
    """Return the straight frame of a page with at least one line; ``rules`` are in pixels of the upright page."""
    back = cast(Turn, (360 - page.orientation) % 360)
    width, height_of_page = page.width, page.height
    if back in (90, 270):
        width, height_of_page = height_of_page, width
    upright = [returned(line.polygon, back, width, height_of_page) for line in lines]
    points, matrix = straightened(np.asarray(upright, dtype=np.float64))
    lows, highs = points.min(axis=1), points.max(axis=1)
    boxes = tuple(
        Box(i, *low, *high) for i, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True))
    )
    # Long lines count more: a page of small print with a few short labels is a page of small print.
    heights = highs[:, 1] - lows[:, 1]
    rank = np.argsort(heights)
    weights = np.cumsum(np.sqrt(np.maximum(1, highs[:, 0] - lows[:, 0]))[rank])
    height = max(1.0, float(heights[rank][np.searchsorted(weights, weights[-1] / 2)]))
    across, down = [], []
    for rule in rules:
        (x0, y0), (x1, y1) = (np.array([rule.start, rule.end]) @ matrix).tolist()
        if abs(x1 - x0) >= abs(y1 - y0):
            across.append(Straight((y0 + y1) / 2, min(x0, x1), max(x0, x1)))
        else:
            down.append(Straight((x0 + x1) / 2, min(y0, y1), max(y0, y1)))
    return Frame(page, boxes, height, tuple(across), tuple(down), matrix)
