"""Finds the anchors of a template in the lines of a page, and the map from the template's page to this one."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrsvc.fields.region import centre
from ocrsvc.fields.template import Anchor, Template
from ocrsvc.results import Line, Point, Polygon
from ocrsvc.text import fold

_LEAST_SCALE, _MOST_SCALE = 0.6, 1.6  # of a page, compared with the template stretched to its size
_FLAT = (
    0.15  # least extent of the anchors across their longest direction, as a share of it, for an affine map
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Affine map float64 [2,3] from the template, stretched to a page, to where it really is on that page."""

    matrix: NDArray[np.float64]

    def placed(self, polygon: Polygon) -> Polygon:
        """Return where a polygon of the stretched template is."""
        points = np.array([(*corner, 1.0) for corner in polygon]) @ self.matrix.T
        a, b, c, d = ((float(x), float(y)) for x, y in points)
        return a, b, c, d


def place(template: Template, lines: Sequence[Line], width: float, height: float) -> Placement | str:
    """Return where a template is on an upright page of this size; if it is not there, why.

    ``lines`` have their polygons on the upright page, and an anchor within a line is where its characters are. One
    anchor shifts the template; two also turn and scale it; three that are not in one row give an affine map.
    """
    expected: list[Point] = []
    found: list[Point] = []
    missing = []
    for anchor in template.anchors:
        goal = centre(template.stretched(anchor, width, height))
        spot = _found(anchor, lines, goal, anchor.tolerance * max(width, height))
        if spot is None:
            missing.append(anchor.text)
        else:
            expected.append(goal)
            found.append(spot)
    if len(found) < template.needed_anchors:
        return (
            f"{len(found)} of {len(template.anchors)} anchors were found, {template.needed_anchors} are needed; "
            f"not found: {', '.join(missing)}."
        )
    matrix = _fitted(np.array(expected), np.array(found))
    scales = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if not (scales[-1] >= _LEAST_SCALE and scales[0] <= _MOST_SCALE):
        return f"The anchors were found, but would scale the template by {scales[-1]:.2f} to {scales[0]:.2f}."
    return Placement(matrix)


def _found(anchor: Anchor, lines: Sequence[Line], goal: Point, most_pixels: float) -> Point | None:
    """Return the centre of the best text like the anchor's within the tolerance; among equals, of the nearest."""
    wanted = fold(anchor.text)
    best: tuple[float, float] = (0.0, 0.0)
    spot = None
    for line in lines:
        for alike, start, end in _places(wanted, line, anchor.similarity):
            point = _along(line.polygon, (start + end) / 2)
            away = math.dist(point, goal)
            if away <= most_pixels and (spot is None or (alike, -away) > best):
                best, spot = (alike, -away), point
    return spot


def _places(wanted: str, line: Line, least: float) -> list[tuple[float, float, float]]:
    """Return how alike the best part of a line is to the wanted text, with its start and end as shares of the line."""
    folded, sources = [], []
    for index, character in enumerate(line.text):
        for form in fold(character):
            folded.append(form)
            sources.append(index)
    found: tuple[float, float, float] | None = None
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    for start in range(max(1, len(folded) - len(wanted) + 1)):
        part = folded[start : start + len(wanted)]
        matcher.set_seq1("".join(part))
        if not part or matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
            continue
        alike = matcher.ratio()
        if alike >= least and (found is None or alike > found[0]):
            found = alike, *_extent(line, sources[start], sources[start + len(part) - 1])
    return [] if found is None else [found]


def _extent(line: Line, first: int, last: int) -> tuple[float, float]:
    """Return where a part of a line starts and ends: by its characters, or by their number if their places are unknown.

    Digits are half as wide as Chinese characters, so the number alone would shift an anchor beside a value.
    """
    if line.is_spelt:
        return line.characters[first].start, line.characters[last].end
    return first / len(line.text), (last + 1) / len(line.text)


def _along(polygon: Polygon, share: float) -> Point:
    """Return the point on the middle of a line, at this share of its length."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = polygon
    left, right = ((ax + dx) / 2, (ay + dy) / 2), ((bx + cx) / 2, (by + cy) / 2)
    return left[0] + share * (right[0] - left[0]), left[1] + share * (right[1] - left[1])


def _fitted(expected: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the map float64 [2,3] of least squares: a shift, a similarity or, from three points, an affine map."""
    if len(expected) == 1:
        return np.column_stack([np.eye(2), found[0] - expected[0]])
    spread = np.linalg.svd(expected - expected.mean(axis=0), compute_uv=False)
    if len(expected) >= 3 and spread[1] >= _FLAT * spread[0]:
        points = np.column_stack([expected, np.ones(len(expected))])
        return np.asarray(np.linalg.lstsq(points, found, rcond=None)[0].T, dtype=np.float64)
    x, y = expected.T
    one, none = np.ones(len(x)), np.zeros(len(x))
    # x' = a x - b y + c and y' = b x + a y + d
    rows = np.concatenate([np.column_stack([x, -y, one, none]), np.column_stack([y, x, none, one])])
    a, b, c, d = np.linalg.lstsq(rows, np.concatenate([found[:, 0], found[:, 1]]), rcond=None)[0].tolist()
    return np.array([[a, -b, c], [b, a, d]])
