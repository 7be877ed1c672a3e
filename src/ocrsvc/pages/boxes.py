"""Turns the network's output into boxes of text lines: DB post-processing, and merging across tiles.

After "Real-time Scene Text Detection with Differentiable Binarization" (arXiv:1911.08947): pixels above a threshold
are grouped, each group becomes its smallest rectangle, and the rectangle grows by its area over its perimeter,
because the network is trained to mark shrunken text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]  # [N,4,2]: four corners each, clockwise from the top left

_MIN_SIDE_PIXELS = 3  # least side of a group's rectangle, in pixels of the network's input
_TINY_AREA = 150  # largest area of a tiny group such as a dash, in pixels of the network's input
_TINY_PEAK = 0.8  # least maximum probability of a tiny group
# Widely spaced letters: least maximum probability, and how much their pixels must exceed the box threshold.
_BRIDGED_PEAK, _BRIDGED_MORE = 0.9, 0.1
_COLUMN_ASPECT = 1.5  # least height over width of a column
_MAX_CANDIDATES = 2000  # most groups per tile


@dataclass(frozen=True, slots=True)
class PostProcess:
    """Parameters of the post-processing; the defaults are RapidOCR's, and a manifest may have others.

    ``pixel_threshold``: least probability of a pixel; ``box_threshold``: least mean probability of a box;
    ``unclip_ratio``: growth of a box, in multiples of its area over its perimeter.
    """

    pixel_threshold: float = 0.3
    box_threshold: float = 0.5
    unclip_ratio: float = 1.6

    def __post_init__(self) -> None:
        if not (0 < self.pixel_threshold < 1 and 0 < self.box_threshold < 1 and self.unclip_ratio > 0):
            raise ValueError("thresholds lie between 0 and 1, the unclip ratio above 0")


def boxes_of(probability: NDArray[np.float32], rule: PostProcess) -> NDArray[np.float32]:
    """Return the rectangles ``float32 [N,4,2]`` around text in the network's output ``float32 [H,W]``.

    Corners are clockwise from the top left. Polygon clipping, as in DB, is not needed: a rectangle offset by d is the
    rectangle with d more on each side.
    """
    mask = (probability > rule.pixel_threshold).astype(np.uint8)
    mask = np.asarray(cv2.dilate(mask, np.ones((2, 2), np.uint8)), dtype=np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found: list[NDArray[np.float32]] = []
    for contour in contours[:_MAX_CANDIDATES]:
        center, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < _MIN_SIDE_PIXELS:
            continue
        box = np.asarray(cv2.boxPoints((center, (width, height), angle)), np.float32)
        if not _is_text(probability, contour, box, rule):
            continue
        # Twice the distance: the perimeter is 2 (w + h).
        grow = width * height * rule.unclip_ratio / (width + height)
        found.append(np.asarray(cv2.boxPoints((center, (width + grow, height + grow), angle)), np.float32))
    if not found:
        return np.empty((0, 4, 2), np.float32)
    return clockwise(np.asarray(found, dtype=np.float32))


def _is_text(
    probability: NDArray[np.float32], contour: cv2.typing.MatLike, box: NDArray[np.float32], rule: PostProcess
) -> bool:
    """Return whether a group is text: by its box's mean probability, with exceptions for tiny and spaced groups."""
    score, peak = _inside(probability, box.astype(np.int32))
    if score >= rule.box_threshold:
        return True
    if cv2.contourArea(box) <= _TINY_AREA:  # the box of a lone dash is mostly edge
        return score >= rule.pixel_threshold and peak >= _TINY_PEAK
    # Widely spaced letters are joined by faint bridges, and the box is empty around the bridges.
    return peak >= _BRIDGED_PEAK and _inside(probability, contour)[0] >= rule.box_threshold + _BRIDGED_MORE


def _inside(probability: NDArray[np.float32], corners: cv2.typing.MatLike) -> tuple[float, float]:
    """Return the mean probability inside a polygon and the maximum in its bounds."""
    left, top, width, height = cv2.boundingRect(corners)
    part = probability[max(0, top) : top + height, max(0, left) : left + width]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [np.asarray(corners) - (max(0, left), max(0, top))], 1)
    return float(cv2.mean(part, mask)[0]), float(part.max(initial=0))


def clockwise(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sort corners ``[N,4,2]`` by their place in the text: top left, top right, bottom right, bottom left.

    The first corner is the upper of the two leftmost ones, as in PaddleOCR. For an upright box it is the left of the
    two topmost ones, because both leftmost corners of a leaning column may be at the same end.
    """
    by_x = np.take_along_axis(boxes, np.argsort(boxes[:, :, 0], axis=1, kind="stable")[:, :, None], axis=1)
    left, right = by_x[:, :2], by_x[:, 2:]
    left = np.take_along_axis(left, np.argsort(left[:, :, 1], axis=1, kind="stable")[:, :, None], axis=1)
    right = np.take_along_axis(right, np.argsort(right[:, :, 1], axis=1, kind="stable")[:, :, None], axis=1)
    lying = np.stack([left[:, 0], right[:, 0], right[:, 1], left[:, 1]], axis=1)
    # The same for upright boxes, with x and y exchanged.
    first = np.argsort(boxes[:, :, 1], axis=1, kind="stable")
    by_y = np.take_along_axis(boxes, first[:, :, None], axis=1)
    above, below = by_y[:, :2], by_y[:, 2:]
    above = np.take_along_axis(above, np.argsort(above[:, :, 0], axis=1, kind="stable")[:, :, None], axis=1)
    below = np.take_along_axis(below, np.argsort(below[:, :, 0], axis=1, kind="stable")[:, :, None], axis=1)
    standing = np.stack([above[:, 0], above[:, 1], below[:, 1], below[:, 0]], axis=1)
    return np.where(_stands(lying)[:, None, None], standing, lying)


def _stands(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether the longer side of each box ``[N,4,2]`` (corners in order) is within 27 degrees of vertical."""
    one, other = boxes[:, 1] - boxes[:, 0], boxes[:, 2] - boxes[:, 1]
    longer = np.linalg.norm(one, axis=1) >= np.linalg.norm(other, axis=1)
    side = np.abs(np.where(longer[:, None], one, other))
    return np.asarray(side[:, 1] > 2 * side[:, 0])


def merge(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Merge the boxes ``[N,4,2]`` of overlapping tiles, so that each line occurs once.

    If two boxes share most of the smaller one's area, the larger stays: the other is the same line, cut by its tile's
    edge. If both are cut, or two pieces of a row or column overlap less, they are replaced by one box around both.
    """
    kept = parts[0]
    for boxes in parts[1:]:
        if not len(boxes):
            continue
        lows, highs = kept.min(axis=1), kept.max(axis=1)
        fresh: list[NDArray[np.float32]] = []
        kept = kept.copy()
        # Only near boxes are compared: a strip may have hundreds of tiles.
        low, high = boxes.min(axis=(0, 1)), boxes.max(axis=(0, 1))
        near = np.flatnonzero(np.all((lows < high) & (highs > low), axis=1))
        lows, highs = lows[near], highs[near]
        for box in boxes:
            touching = np.all((lows < box.max(axis=0)) & (highs > box.min(axis=0)), axis=1)
            for i in near[touching]:
                if (joined := _joined(kept[i], box)) is not None:
                    kept[i] = joined
                    break
            else:
                fresh.append(box)
        kept = np.concatenate([kept, np.asarray(fresh, np.float32).reshape(-1, 4, 2)])
    return kept


def _joined(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return one box for two that show the same line; None if they do not."""
    shared = cv2.intersectConvexConvex(a, b)[0] / max(1e-6, min(cv2.contourArea(a), cv2.contourArea(b)))
    if shared <= 0.1:
        return None
    around = np.asarray(cv2.boxPoints(cv2.minAreaRect(np.concatenate([a, b]))), np.float32)
    union = np.asarray(clockwise(around[np.newaxis])[0], np.float32)
    larger = a if cv2.contourArea(a) >= cv2.contourArea(b) else b
    axes = _axes(larger)
    along_a, along_b = a @ axes, b @ axes
    same = np.minimum(along_a.max(axis=0), along_b.max(axis=0)) - np.maximum(
        along_a.min(axis=0), along_b.min(axis=0)
    )
    longest = np.maximum(np.ptp(along_a, axis=0), np.ptp(along_b, axis=0))
    # A line cut by an edge is as long or as thick as its other part; a word inside a drawing's outline is not.
    if shared > 0.5 and (same > 0.6 * longest).any():
        return larger if cv2.contourArea(union) < 1.15 * cv2.contourArea(larger) else union
    if shared <= 0.5 and same[1] > 0.6 * longest[1]:
        return union
    return None


def _axes(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the directions along and across the line in a box, as columns ``[2,2]``."""
    side, down = box[1] - box[0], box[3] - box[0]
    along = down if np.linalg.norm(down) > _COLUMN_ASPECT * np.linalg.norm(side) else side
    x, y = along / max(float(np.linalg.norm(along)), 1e-6)
    return np.array([(x, -y), (y, x)], np.float32)
