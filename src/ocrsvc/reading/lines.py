"""Prepares the line images that the recogniser reads, and decides whether a picture is a single line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.models.buckets import fit
from ocrsvc.models.manifest import Manifest
from ocrsvc.pages import enhance, layout
from ocrsvc.pages.crops import Crop, cut
from ocrsvc.pages.ink import LEAST_CONTRAST, inked, runs
from ocrsvc.pages.source import Pixels
from ocrsvc.recognition import segments
from ocrsvc.results import Polygon

# Largest height in pixels of a line, and of one that is also this many times as wide as high. 95 to 100 % of the real
# line crops from 8 sources are within these limits.
_LINE_HEIGHT, _WIDE_LINE_HEIGHT, _WIDE_ASPECT = 64, 96, 4
_MULTIPLE_SHARE = 0.1  # largest share of a line's stretches that may look like two rows, as 二 does
_LEAST_INK_SHARE = 0.4  # least share of a line's height with ink; smaller text is left to the detector
_SPECKS = 0.004  # rows with fewer edges than this share of the width hold specks, not text
_OUTLIERS = 0.001  # share of the pixels that may be darker than the ink or lighter than the ground
_EDGE_SHARE = 0.2  # least step between neighbouring pixels at an edge, as a share of the contrast
_RULE_SHARE = 0.85  # a column with edges in more than this share of its height is a ruled line, not ink
# A ruled line: least length and most thickness, both relative to the picture's height, and least share with ink.
_RULE_ASPECT, _RULE_THICKNESS, _RULE_UNBROKEN = 3.0, 0.15, 0.97


@dataclass(frozen=True, slots=True)
class LineImage:
    """One line at the model's height: ``pixels`` uint8 [height,w,3] of each of its ``parts``, read separately."""

    polygon: Polygon
    parts: tuple[segments.Segment, ...]
    pixels: tuple[Pixels, ...]


def prepare(
    picture: Pixels, found: Sequence[Polygon] | None, spec: Manifest, steps: Sequence[str] = ()
) -> list[LineImage]:
    """Return the lines of a picture uint8 [H,W,3] in reading order; if ``found`` is None, the picture is the line.

    A crop that shows only a ruled line is skipped, because it would be read as 一. ``steps`` are the enhancements
    (enhance.py) that are applied to each line before it is scaled.
    """
    if found is None:
        height, width = picture.shape[:2]
        corners = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
        crops: Iterable[Crop | None] = [Crop(picture, corners)]
    else:
        # Cut one at a time, because all lines of a scan together are as large as the scan.
        crops = (cut(picture, found[i]) for i in layout.order(found))
    lines = []
    for crop in crops:
        if crop is None or _is_rule(crop.pixels):
            continue
        widest = spec.buckets.widest
        image = fit(enhance.apply(crop.pixels, steps), spec.input.height)
        parts = tuple(segments.cut(image, widest))
        lines.append(LineImage(crop.polygon, parts, tuple(image[:, p.start : p.end] for p in parts)))
    return lines


def looks_like_line(pixels: Pixels) -> bool:
    """Return whether a picture uint8 [H,W,3] is the crop of one line, by its shape and the rows that its ink forms.

    In doubt return False: the detector then runs, which takes time but loses no text.
    """
    height, width = pixels.shape[:2]
    if height > _WIDE_LINE_HEIGHT or (height > _LINE_HEIGHT and width < _WIDE_ASPECT * height):
        return False
    edges = _edges(pixels)
    if edges is None:
        return True
    rows = np.flatnonzero(edges.sum(axis=1) >= max(1, _SPECKS * width))
    if rows.size and rows[-1] - rows[0] + 1 < _LEAST_INK_SHARE * height:
        return False
    return _share_of_rows(edges) <= _MULTIPLE_SHARE


def _edges(pixels: Pixels) -> NDArray[np.bool_] | None:
    """Return the edges of strokes in a picture uint8 [H,W,3] as bool [H,w]; None if it is tiny or lacks contrast.

    Only steps along x count, because strokes cause them and the horizontal rules of a table do not.
    """
    if min(pixels.shape[:2]) < 3:
        return None
    gray = np.asarray(cv2.medianBlur(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), 3), dtype=np.uint8)
    darker = np.cumsum(np.bincount(gray.ravel(), minlength=256))
    low, high = np.searchsorted(darker, (_OUTLIERS * gray.size, (1 - _OUTLIERS) * gray.size)).tolist()
    if high - low < LEAST_CONTRAST:
        return None
    edges = cv2.absdiff(gray[:, 1:], gray[:, :-1]) > _EDGE_SHARE * (high - low)
    return np.asarray(edges[:, edges.mean(axis=0) < _RULE_SHARE])


def _share_of_rows(edges: NDArray[np.bool_]) -> float:
    """Return the share of stretches (each about twice as wide as high) whose ink forms two rows or more."""
    stretches = np.array_split(edges, max(1, round(edges.shape[1] / (2 * edges.shape[0]))), axis=1)
    counted = [_has_two_rows(each) for each in stretches if each.any()]
    return sum(counted) / max(1, len(counted))


def _has_two_rows(edges: NDArray[np.bool_]) -> bool:
    """Return whether edges ``[H,W]`` form two bands of similar height with an empty gap between them."""
    height, width = edges.shape
    with_ink = edges.sum(axis=1) >= max(1, 0.01 * width)
    starts, ends = runs(with_ink)
    if starts.size < 2:
        return False
    apart = starts[1:] - ends[:-1] >= max(2, 0.03 * height)
    bands = ends[np.append(apart, True)] - starts[np.append(True, apart)]
    if bands.size < 2:
        return False
    second, tallest = np.sort(bands)[-2:].tolist()
    return bool(second >= max(5, 0.07 * height, 0.5 * tallest))


def _is_rule(pixels: Pixels) -> bool:
    """Return whether a picture uint8 [H,W,3] shows nothing but one ruled line; 一 and — are shorter."""
    height, width = pixels.shape[:2]
    if width < _RULE_ASPECT * height:
        return False
    gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    contrast = cv2.absdiff(gray, np.full_like(gray, int(np.median(gray))))
    ink = inked(np.asarray(contrast, dtype=np.uint8))
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        return False
    thickness, length = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    thin = thickness <= max(3, _RULE_THICKNESS * height) and length >= _RULE_ASPECT * height
    return thin and columns.size >= _RULE_UNBROKEN * length
