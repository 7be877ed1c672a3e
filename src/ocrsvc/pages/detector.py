"""Where the lines of text are: PP-OCR's segmentation network and the DB post-processing behind it.

Follows "Real-time Scene Text Detection with Differentiable Binarization" (arXiv:1911.08947): pixels above a threshold
are grouped, each group becomes its smallest rectangle, and that grows by its area over its perimeter, because the
network is trained to mark shrunken text.
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

_MIN_SIDE_PIXELS = 3  # of a group, in pixels of the network's input; what it grows to is at least 2 more
_TINY_AREA = 150  # of a group as small as a dash, in pixels of the network's input
_TINY_PEAK = 0.8  # of the probabilities in such a group, at least
_BRIDGED_PEAK, _BRIDGED_MORE = (
    0.9,
    0.1,
)  # the same of letters far apart; and by how much surer their own pixels are
_MAX_CANDIDATES = 2000  # of one tile
# Sides of the input are multiples of the first number up to the second: multiples of 32 because the network halves
# five times, coarser for larger ones so that there are few shapes. The aspect changes by 10 % at most.
_STEPS = ((32, 320.0), (64, 1024.0), (128, 2048.0), (256, inf))
_MIN_INPUT_PIXELS = 64  # shorter sides are padded: text at the very border of a tiny input is missed

_LARGEST = (960, 704)
_TILE_AREA = _LARGEST[0] * _LARGEST[1]  # of an input; a run of this size holds about 100 MB
_OVERLAP_PIXELS = 128  # of the input that two neighbouring tiles share: higher than nearly all lines
# A long strip, such as a screenshot that was scrolled, is not shrunk below the scale that its width allows.
_STRIP_BELOW_SCALE = 0.6
_STRIP_ASPECT = 3.0


@dataclass(frozen=True, slots=True)
class PostProcess:
    """From probabilities to boxes: how sure a pixel of text is at least, and a box in the mean of its pixels, and how
    many times its area over its perimeter a box grows. The values are RapidOCR's; a manifest may have others.
    """

    pixel_threshold: float = 0.3
    box_threshold: float = 0.5
    unclip_ratio: float = 1.6

    def __post_init__(self) -> None:
        if not (0 < self.pixel_threshold < 1 and 0 < self.box_threshold < 1 and self.unclip_ratio > 0):
            raise ValueError("thresholds lie between 0 and 1, the unclip ratio above 0")


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture (left, top, width, height in its pixels) and the size at which the network sees it."""

    left: int
    top: int
    width: int
    height: int
    input_width: int
    input_height: int

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Pixels that are added above, below, at the left and at the right because the part is too small."""
        across = max(0, _MIN_INPUT_PIXELS - self.width)
        down = max(0, _MIN_INPUT_PIXELS - self.height)
        return down // 2, down - down // 2, across // 2, across - across // 2

    def pixels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The network's input ``uint8 [input_height,input_width,3]`` for this part of the picture."""
        part = image[self.top : self.top + self.height, self.left : self.left + self.width]
        if any(self.padding):
            part = np.asarray(cv2.copyMakeBorder(part, *self.padding, cv2.BORDER_REPLICATE), dtype=np.uint8)
        size = (self.input_width, self.input_height)
        if size == part.shape[1::-1]:
            return np.ascontiguousarray(part)
        # Shrinking by more than 2 skips pixels unless they are averaged, and thin strokes with them.
        shrinks = part.shape[1] > 2 * self.input_width or part.shape[0] > 2 * self.input_height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(part, size, interpolation=method), dtype=np.uint8)

    def on_picture(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Corners ``float32 [N,4,2]`` in pixels of the input as pixels of the picture."""
        above, below, before, after = self.padding
        scale = (
            (self.width + before + after) / self.input_width,
            (self.height + above + below) / self.input_height,
        )
        offset = (self.left - before, self.top - above)
        return boxes * np.array(scale, np.float32) + np.array(offset, np.float32)


class Detector:
    """A detector ready to run; thread-safe, every method blocks.

    ``side_pixels`` bounds what is seen: a picture of more than ``0.75 * side_pixels**2`` pixels is shrunk to
    that area, smaller ones keep their size.
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
        """The lines on ``image`` uint8 [H,W,3] BGR: four corners each in its pixels, the top left one first.

        Not in reading order (see layout.py). Corners are within the picture.
        """
        parts = self.tiles(image)
        return polygons(image, parts, [self.run(tile.pixels(image)) for tile in parts])

    def tiles(self, image: NDArray[np.uint8]) -> list[Tile]:
        """The parts of a picture that are to be run one by one; most pictures have one."""
        return tiles(image.shape[1], image.shape[0], self.side_pixels)

    def run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The boxes on one input ``uint8 [H,W,3]``, sides multiples of 32: ``float32 [N,4,2]`` in its pixels."""
        return boxes_of(self.probability(pixels), self._rule)

    def probability(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's own answer for one input ``uint8 [H,W,3]``: ``float32 [H,W]``, how sure it is of text."""
        (output,) = self._session.run(["probability"], {"pixels": pixels[np.newaxis]})
        return np.asarray(output[0, 0], dtype=np.float32)

    def give_back(self) -> None:
        """Return to the system what the arena, which all sessions share, holds for runs to come; the next run takes it
        anew, which costs it some milliseconds."""
        options = ort.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        blank = np.zeros((1, _MIN_INPUT_PIXELS, _MIN_INPUT_PIXELS, 3), dtype=np.uint8)
        self._session.run(["probability"], {"pixels": blank}, options)


def polygons(
    image: NDArray[np.uint8], parts: Sequence[Tile], boxes: Sequence[NDArray[np.float32]]
) -> list[Polygon]:
    """The lines of the whole picture from the boxes on each of its parts; corners are within the picture."""
    found = [tile.on_picture(each) for tile, each in zip(parts, boxes, strict=True)]
    merged = merge(found) if len(found) > 1 else found[0]
    limits = np.array((image.shape[1], image.shape[0]), np.float32)
    return [_polygon(corners) for corners in np.clip(merged, 0, limits).tolist()]


def tiles(width: int, height: int, side_pixels: int) -> list[Tile]:
    """How a picture is shown to the network: whole, or in overlapping parts where that is a large input.

    Parts keep the memory of a run small and let several workers share a page. They are cut across the page, so
    that no line of text is cut; wide strips are cut along it.
    """
    wide, high = max(width, _MIN_INPUT_PIXELS), max(height, _MIN_INPUT_PIXELS)
    scale = min(1.0, sqrt(0.75 * side_pixels * side_pixels / (wide * high)))
    if scale < _STRIP_BELOW_SCALE and max(wide, high) >= _STRIP_ASPECT * min(wide, high):
        scale = min(1.0, 0.75 * side_pixels / min(wide, high))
    along_x = wide >= _STRIP_ASPECT * high
    across, along = (high, wide) if along_x else (wide, high)
    overlap = _OVERLAP_PIXELS / scale
    # Only a setting far above the default makes pages so wide that their tiles must be larger.
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
    """The rectangles around text in the network's answer ``float32 [H,W]``: ``float32 [N,4,2]`` in its pixels.

    Corners go clockwise from the top left one. What DB does with polygon clipping is done in closed form: a
    rectangle offset by d is the rectangle with d more on each side.
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
    """Corners ``[N,4,2]`` put as the text has them: top left, top right, bottom right,
    bottom left.

    Of the two leftmost corners the upper one comes first, as PaddleOCR has it; but of a box that stands upright the
    left one of the two topmost: of a column that leans, both leftmost corners may be at one end of it.
    """
    by_x = np.take_along_axis(boxes, np.argsort(boxes[:, :, 0], axis=1, kind="stable")[:, :, None], axis=1)
    left, right = by_x[:, :2], by_x[:, 2:]
    left = np.take_along_axis(left, np.argsort(left[:, :, 1], axis=1, kind="stable")[:, :, None], axis=1)
    right = np.take_along_axis(right, np.argsort(right[:, :, 1], axis=1, kind="stable")[:, :, None], axis=1)
    lying = np.stack([left[:, 0], right[:, 0], right[:, 1], left[:, 1]], axis=1)
    # The same of the page turned by 90 degrees: y for x, and x from the right for y.
    first = np.argsort(boxes[:, :, 1], axis=1, kind="stable")
    by_y = np.take_along_axis(boxes, first[:, :, None], axis=1)
    above, below = by_y[:, :2], by_y[:, 2:]
    above = np.take_along_axis(above, np.argsort(above[:, :, 0], axis=1, kind="stable")[:, :, None], axis=1)
    below = np.take_along_axis(below, np.argsort(below[:, :, 0], axis=1, kind="stable")[:, :, None], axis=1)
    standing = np.stack([above[:, 0], above[:, 1], below[:, 1], below[:, 0]], axis=1)
    return np.where(_stands(lying)[:, None, None], standing, lying)


def _stands(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether the longer side of each box ``[N,4,2]``, its corners in order around, is within 27 degrees of upright."""
    one, other = boxes[:, 1] - boxes[:, 0], boxes[:, 2] - boxes[:, 1]
    longer = np.linalg.norm(one, axis=1) >= np.linalg.norm(other, axis=1)
    side = np.abs(np.where(longer[:, None], one, other))
    return np.asarray(side[:, 1] > 2 * side[:, 0])


def merge(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The boxes ``[N,4,2]`` of overlapping tiles, each line once.

    Of two boxes that share most of the smaller one's area, the larger stays: the other is the same line, cut by
    its tile's edge. Where both are cut, and where two pieces of a row overlap less, one box around both stays.
    """
    kept = parts[0]
    for boxes in parts[1:]:
        if not len(boxes):
            continue
        lows, highs = kept.min(axis=1), kept.max(axis=1)
        fresh: list[NDArray[np.float32]] = []
        kept = kept.copy()
        # Of a strip of hundreds of tiles only the last ones are near.
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
    """A few (width, height) of inputs, the largest first: no other needs more memory than that run leaves."""
    yield _LARGEST
    for width, height in ((5, 2), (1, 1), (2, 3)):
        scale = sqrt(_TILE_AREA / (width * height))
        yield _input_size(width * scale, height * scale, _TILE_AREA)


def _input_size(width: float, height: float, area: int) -> tuple[int, int]:
    """Sides rounded to the steps, within this area: what rounding added most to is cut first."""
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
    """Whether a group is text: by the mean inside its box or, where that says little, by more of what it holds."""
    score, peak = _inside(probability, box.astype(np.int32))
    if score >= rule.box_threshold:
        return True
    if cv2.contourArea(box) <= _TINY_AREA:  # of a lone dash most is edge
        return score >= rule.pixel_threshold and peak >= _TINY_PEAK
    # Letters far apart are joined by faint bridges, beside which the box is empty.
    return peak >= _BRIDGED_PEAK and _inside(probability, contour)[0] >= rule.box_threshold + _BRIDGED_MORE


def _inside(probability: NDArray[np.float32], corners: cv2.typing.MatLike) -> tuple[float, float]:
    """The mean probability inside a polygon, and the highest in its bounds."""
    left, top, width, height = cv2.boundingRect(corners)
    part = probability[max(0, top) : top + height, max(0, left) : left + width]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [np.asarray(corners) - (max(0, left), max(0, top))], 1)
    return float(cv2.mean(part, mask)[0]), float(part.max(initial=0))


def _joined(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """One box for two that show the same line, None if they do not."""
    shared = cv2.intersectConvexConvex(a, b)[0] / max(1e-6, min(cv2.contourArea(a), cv2.contourArea(b)))
    around = np.asarray(cv2.boxPoints(cv2.minAreaRect(np.concatenate([a, b]))), np.float32)
    union = np.asarray(clockwise(around[np.newaxis])[0], np.float32)
    same = np.minimum(a.max(axis=0), b.max(axis=0)) - np.maximum(a.min(axis=0), b.min(axis=0))
    longest = np.maximum(np.ptp(a, axis=0), np.ptp(b, axis=0))
    # A word inside the outline of a drawing is another thing; a line that an edge cut is as long or as high.
    if shared > 0.5 and (same > 0.6 * longest).any():
        larger = a if cv2.contourArea(a) >= cv2.contourArea(b) else b
        return larger if cv2.contourArea(union) < 1.15 * cv2.contourArea(larger) else union
    if 0.1 < shared <= 0.5 and same[1] > 0.6 * longest[1]:
        return union
    return None


def _polygon(corners: list[list[float]]) -> Polygon:
    a, b, c, d = ((x, y) for x, y in corners)
    return (a, b, c, d)
