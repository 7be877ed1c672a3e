"""Detects the lines of text: PP-OCR's segmentation network, followed by DB post-processing.

After "Real-time Scene Text Detection with Differentiable Binarization" (arXiv:1911.08947): pixels above a threshold
are grouped, each group becomes its smallest rectangle, and the rectangle grows by its area over its perimeter,
because the network is trained to mark shrunken text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf, sqrt

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ocrsvc.errors import CorruptModel, reason
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.providers import CPU
from ocrsvc.models.runtime import open_session
from ocrsvc.results import ModelId, Polygon
from ocrsvc.settings import Precision

_MIN_SIDE_PIXELS = 3  # least side of a group's rectangle, in pixels of the network's input
_TINY_AREA = 150  # largest area of a tiny group such as a dash, in pixels of the network's input
_TINY_PEAK = 0.8  # least maximum probability of a tiny group
# Widely spaced letters: least maximum probability, and how much their pixels must exceed the box threshold.
_BRIDGED_PEAK, _BRIDGED_MORE = 0.9, 0.1
_MAX_CANDIDATES = 2000  # most groups per tile
# Sides of the input are multiples of the first number up to the second: of 32 because the network halves five times,
# coarser for larger ones to have few shapes. The aspect changes by 10 % at most.
_STEPS = ((32, 320.0), (64, 1024.0), (128, 2048.0), (256, inf))
_MIN_INPUT_PIXELS = 64  # shorter sides are padded, because text at the border of a tiny input is missed

_LARGEST = (960, 704)
_TILE_AREA = _LARGEST[0] * _LARGEST[1]  # largest area of an input; a run of this size takes about 100 MB
_OVERLAP_PIXELS = 128  # of neighbouring tiles, in pixels of the input; higher than nearly all lines
# A long strip, such as a scrolling screenshot, is shrunk only as far as its shorter side requires.
_STRIP_BELOW_SCALE = 0.6
_STRIP_ASPECT = 3.0


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


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture (left, top, width, height in the picture's pixels) and the size of the network's input."""

    left: int
    top: int
    width: int
    height: int
    input_width: int
    input_height: int

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Return the pixels to add above, below, left and right if the part is too small."""
        across = max(0, _MIN_INPUT_PIXELS - self.width)
        down = max(0, _MIN_INPUT_PIXELS - self.height)
        return down // 2, down - down // 2, across // 2, across - across // 2

    def pixels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the network's input ``uint8 [input_height,input_width,3]`` for this part of the picture."""
        part = image[self.top : self.top + self.height, self.left : self.left + self.width]
        if any(self.padding):
            part = np.asarray(cv2.copyMakeBorder(part, *self.padding, cv2.BORDER_REPLICATE), dtype=np.uint8)
        size = (self.input_width, self.input_height)
        if size == part.shape[1::-1]:
            return np.ascontiguousarray(part)
        # Bilinear shrinking by more than 2 would skip pixels, and thin strokes with them.
        shrinks = part.shape[1] > 2 * self.input_width or part.shape[0] > 2 * self.input_height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(part, size, interpolation=method), dtype=np.uint8)

    def on_picture(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert corners ``float32 [N,4,2]`` from pixels of the input to pixels of the picture."""
        above, below, before, after = self.padding
        scale = (
            (self.width + before + after) / self.input_width,
            (self.height + above + below) / self.input_height,
        )
        offset = (self.left - before, self.top - above)
        return boxes * np.array(scale, np.float32) + np.array(offset, np.float32)


class Detector:
    """A loaded detector; thread-safe, all methods block.

    ``side_pixels`` limits the resolution: a picture of more than ``0.75 * side_pixels**2`` pixels is shrunk to that
    area, smaller ones keep their size.
    """

    def __init__(
        self,
        spec: Manifest,
        *,
        cpu: Cpu,
        side_pixels: int,
        precision: Precision = "auto",
        arena: bool = True,
        threads: int = 1,
        providers: Sequence[str] = (CPU,),
    ) -> None:
        self.spec = spec
        self.file = spec.weights(precision, cpu)
        self.id = ModelId(spec.name, self.file.digest)
        self.side_pixels = side_pixels
        try:
            self._rule = PostProcess(**spec.postprocess)
        except (TypeError, ValueError) as error:
            raise CorruptModel(
                f"The postprocess of {spec.name!r} is none of a detector: {reason(error)}."
            ) from error
        self._session = open_session(self.file, arena=arena, threads=threads, providers=providers)

    def detect(self, image: NDArray[np.uint8]) -> list[Polygon]:
        """Return the lines on ``image`` uint8 [H,W,3] BGR: four corners each in its pixels, the top left one first.

        The lines are not in reading order (see layout.py). Corners are within the picture.
        """
        parts = self.tiles(image)
        return polygons(image, parts, [self.run(tile.pixels(image)) for tile in parts])

    def tiles(self, image: NDArray[np.uint8]) -> list[Tile]:
        """Return the parts of a picture that need a run each; most pictures have one."""
        return tiles(image.shape[1], image.shape[0], self.side_pixels)

    def run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the boxes ``float32 [N,4,2]`` on one input ``uint8 [H,W,3]``, whose sides are multiples of 32."""
        return boxes_of(self.probability(pixels), self._rule)

    def probability(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of text ``float32 [H,W]`` for each pixel of one input ``uint8 [H,W,3]``."""
        (output,) = self._session.run(["probability"], {"pixels": pixels[np.newaxis]})
        return np.asarray(output[0, 0], dtype=np.float32)

    def give_back(self) -> None:
        """Return unused memory of the arena, which all sessions share, to the system.

        The next run allocates it again, which takes some milliseconds.
        """
        options = ort.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        blank = np.zeros((1, _MIN_INPUT_PIXELS, _MIN_INPUT_PIXELS, 3), dtype=np.uint8)
        self._session.run(["probability"], {"pixels": blank}, options)


def polygons(
    image: NDArray[np.uint8], parts: Sequence[Tile], boxes: Sequence[NDArray[np.float32]]
) -> list[Polygon]:
    """Return the lines of the whole picture from the boxes on its parts; corners are within the picture."""
    found = [tile.on_picture(each) for tile, each in zip(parts, boxes, strict=True)]
    merged = merge(found) if len(found) > 1 else found[0]
    limits = np.array((image.shape[1], image.shape[0]), np.float32)
    return [_polygon(corners) for corners in np.clip(merged, 0, limits).tolist()]


def tiles(width: int, height: int, side_pixels: int) -> list[Tile]:
    """Split a picture for the network: one part, or overlapping parts if the input would be large.

    Parts keep the memory of a run small and let several workers share a page. Pages are cut into horizontal bands,
    so that lines stay whole; wide strips are cut at columns.
    """
    wide, high = max(width, _MIN_INPUT_PIXELS), max(height, _MIN_INPUT_PIXELS)
    scale = min(1.0, sqrt(0.75 * side_pixels * side_pixels / (wide * high)))
    if scale < _STRIP_BELOW_SCALE and max(wide, high) >= _STRIP_ASPECT * min(wide, high):
        scale = min(1.0, 0.75 * side_pixels / min(wide, high))
    along_x = wide >= _STRIP_ASPECT * high
    across, along = (high, wide) if along_x else (wide, high)
    overlap = _OVERLAP_PIXELS / scale
    # Larger tiles are needed only if side_pixels is far above its default and the page very wide.
    area = max(_TILE_AREA, round(across * scale * 3 * _OVERLAP_PIXELS))
    longest = area / (across * scale) / scale
    count = 1 if along <= longest else ceil((along - overlap) / (longest - overlap))
    length = ceil((along + (count - 1) * overlap) / count)
    size = _input_size(across * scale, length * scale, area)
    starts = [round(i * (along - length) / max(1, count - 1)) for i in range(count)]
    length = min(length, width if along_x else height)
    if along_x:
        return [Tile(start, 0, length, height, *size[::-1]) for start in starts]
    return [Tile(0, start, width, length, *size) for start in starts]


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
    edge. If both are cut, or two pieces of a row overlap less, they are replaced by one box around both.
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


def warm_sizes() -> Iterator[tuple[int, int]]:
    """Yield a few sizes (width, height) of inputs for warm-up, the one with the largest memory first."""
    yield _LARGEST
    for width, height in ((5, 2), (1, 1), (2, 3)):
        scale = sqrt(_TILE_AREA / (width * height))
        yield _input_size(width * scale, height * scale, _TILE_AREA)


def _input_size(width: float, height: float, area: int) -> tuple[int, int]:
    """Return the sides rounded to the steps within this area; the side that rounding enlarged most is cut first."""
    size = [_rounded(width), _rounded(height)]
    while size[0] * size[1] > area:
        grown = 0 if size[0] / width >= size[1] / height else 1
        size[grown] -= _step(size[grown])
    return size[0], size[1]


def _rounded(length: float) -> int:
    step = _step(length)
    return max(_MIN_INPUT_PIXELS, round(length / step) * step)


def _step(length: float) -> int:
    return next(step for step, limit in _STEPS if length <= limit)


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


def _joined(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return one box for two that show the same line; None if they do not."""
    shared = cv2.intersectConvexConvex(a, b)[0] / max(1e-6, min(cv2.contourArea(a), cv2.contourArea(b)))
    around = np.asarray(cv2.boxPoints(cv2.minAreaRect(np.concatenate([a, b]))), np.float32)
    union = np.asarray(clockwise(around[np.newaxis])[0], np.float32)
    same = np.minimum(a.max(axis=0), b.max(axis=0)) - np.maximum(a.min(axis=0), b.min(axis=0))
    longest = np.maximum(np.ptp(a, axis=0), np.ptp(b, axis=0))
    # A line cut by an edge is as long or as high as its other part; a word inside a drawing's outline is not.
    if shared > 0.5 and (same > 0.6 * longest).any():
        larger = a if cv2.contourArea(a) >= cv2.contourArea(b) else b
        return larger if cv2.contourArea(union) < 1.15 * cv2.contourArea(larger) else union
    if 0.1 < shared <= 0.5 and same[1] > 0.6 * longest[1]:
        return union
    return None


def _polygon(corners: list[list[float]]) -> Polygon:
    a, b, c, d = ((x, y) for x, y in corners)
    return (a, b, c, d)
