"""From a decoded picture to the line images that the recogniser reads, and whether it is one line from the start."""

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

# A line is at most this high, or twice as high if it is also this many times as wide: what cropping tools and
# detectors give out. Of 8 sources of real line crops 95 to 100 % are within.
_LINE_HEIGHT, _WIDE_LINE_HEIGHT, _WIDE_ASPECT = 64, 96, 4
_MULTIPLE_SHARE = 0.1  # of a line's stretches that may look like two rows: 二 over 二 does
_LEAST_INK_SHARE = 0.4  # of a line's height that its ink takes; smaller text is left to the detector
_SPECKS = 0.004  # of the width: rows with fewer edges hold specks, no text
_OUTLIERS = 0.001  # share of the pixels that may be darker or lighter than ink and ground
_EDGE_SHARE = 0.2  # of the contrast that makes a step from pixel to pixel an edge
_RULE_SHARE = 0.85  # of a column's height above which its edges are a ruled line, not ink
# A rule alone: length over the height of the picture, thickness in parts of it, how much of its length is ink at least.
_RULE_ASPECT, _RULE_THICKNESS, _RULE_UNBROKEN = 3.0, 0.15, 0.97


@dataclass(frozen=True, slots=True)
class LineImage:
    """One line at the model's height: the ``pixels`` uint8 [height,w,3] of each of its ``parts``, read one by one."""

    polygon: Polygon
    parts: tuple[segments.Segment, ...]
    pixels: tuple[Pixels, ...]


def prepare(
    picture: Pixels, found: Sequence[Polygon] | None, spec: Manifest, steps: Sequence[str] = ()
) -> list[LineImage]:
    """The lines of a picture uint8 [H,W,3] in reading order; without boxes (None) the picture is the line.

    What holds only a ruled line is none: it would be read as 一. ``steps`` are those of enhance.py, done to each line
    before it is scaled.
    """
    if found is None:
        height, width = picture.shape[:2]
        corners = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
        crops: Iterable[Crop | None] = [Crop(picture, corners)]
    else:
        # One after the other: all lines of a scan together are as large as the scan.
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
    """Whether a picture uint8 [H,W,3] is the crop of one line: by its shape and by how many rows its ink makes.

    In doubt it is a page, which costs a detection but loses nothing.
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
    """Where strokes begin and end in a picture uint8 [H,W,3]: bool [H,w]; None where there is nothing to see.

    Steps along x only: strokes make them, the horizontal rules of a table do not.
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
    """The share of the picture's stretches, each twice as long as high, whose ink stands in two rows or more."""
    stretches = np.array_split(edges, max(1, round(edges.shape[1] / (2 * edges.shape[0]))), axis=1)
    counted = [_has_two_rows(each) for each in stretches if each.any()]
    return sum(counted) / max(1, len(counted))


def _has_two_rows(edges: NDArray[np.bool_]) -> bool:
    """Whether edges ``[H,W]`` form two bands of about one height with an empty gap between them."""
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
    """Whether all that a picture uint8 [H,W,3] shows is one ruled line; 一 and — are shorter."""
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
