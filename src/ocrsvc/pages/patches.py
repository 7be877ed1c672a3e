"""Cuts short patches out of the clearest lines of a page; what they say tells which way up the page is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.pages.crops import TURN_FROM_ASPECT, cut
from ocrsvc.pages.source import Pixels
from ocrsvc.results import Polygon

_MOST_ASPECT = 6.0  # a patch is at most so many times as long as high; 8 to 4 found the same turns
_CLEAR_PIXELS = 32.0  # lines higher than this are not clearer
_PATCHES = 6  # of rows, and as many of tall lines


@dataclass(frozen=True, slots=True)
class Patches:
    """Patches uint8 [h,w,3] of the clearest ``rows`` and of the clearest tall lines, ``columns``.

    Columns are turned by 90 degrees counter-clockwise, as ``crops.cut`` turns them. ``row_share``: share of the rows
    in the length of all lines, measured in line heights, which is about their share of the characters.
    """

    rows: tuple[Pixels, ...]
    columns: tuple[Pixels, ...]
    row_share: float


def patches(image: Pixels, polygons: Sequence[Polygon]) -> Patches:
    """Return the patches of the lines with these polygons on a page uint8 [H,W,3]."""
    corners = np.asarray(polygons, dtype=np.float32).reshape(-1, 4, 2)
    widths = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    heights = np.linalg.norm(corners[:, 3] - corners[:, 0], axis=1)
    tall = heights >= TURN_FROM_ASPECT * widths
    thickness = np.maximum(1, np.minimum(widths, heights))
    aspects = np.maximum(widths, heights) / thickness
    clearness = np.minimum(aspects, _MOST_ASPECT) * np.minimum(thickness, _CLEAR_PIXELS)
    ranked = np.argsort(-clearness, kind="stable")
    rows, columns = (
        tuple(
            crop.pixels
            for i in ranked[tall[ranked] == group][:_PATCHES].tolist()
            if (crop := cut(image, _shortened(corners[i]))) is not None
        )
        for group in (False, True)
    )
    return Patches(rows, columns, float(aspects[~tall].sum() / max(1e-6, aspects.sum())))


def upright_cells(column: Pixels) -> Pixels:
    """Return the characters of a column side by side: upright, if the column is one of upright characters.

    ``column``: a patch uint8 [h,w,3] turned counter-clockwise. It is cut into squares, which is not exact but enough
    to tell upright characters from a line that lies on its side.
    """
    height, width = column.shape[:2]
    ends = np.linspace(0, width, max(1, round(width / height)) + 1).round().astype(int).tolist()
    return np.concatenate(
        [
            cv2.resize(cv2.rotate(column[:, start:end], cv2.ROTATE_90_CLOCKWISE), (height, height))
            for start, end in pairwise(ends)
        ],
        axis=1,
    )


def _shortened(corners: NDArray[np.float32]) -> Polygon:
    """Return the middle of a line with corners ``[4,2]``, not longer than ``_MOST_ASPECT`` times its thickness."""
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    width, height = float(np.linalg.norm(across)), float(np.linalg.norm(down))
    across = across * min(1, _MOST_ASPECT * height / max(width, 1e-6)) / 2
    down = down * min(1, _MOST_ASPECT * width / max(height, 1e-6)) / 2
    middle = corners.mean(axis=0)
    points = (middle - across - down, middle + across - down, middle + across + down, middle - across + down)
    return cast(Polygon, tuple((float(x), float(y)) for x, y in points))
