"""Detects the lines of text on a picture with PP-OCR's segmentation network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ocrsvc.errors import CorruptModel, reason
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.providers import CPU
from ocrsvc.models.run_watch import RunWatch
from ocrsvc.models.runtime import open_session
from ocrsvc.pages.boxes import PostProcess, boxes_of, merge
from ocrsvc.pages.tiles import MIN_INPUT_PIXELS, Tile, tiles
from ocrsvc.results import ModelId, Polygon
from ocrsvc.settings import Precision


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
        watch: RunWatch | None = None,
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
        self._session = open_session(
            self.file, arena=arena, threads=threads, providers=providers, watch=watch
        )

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
        blank = np.zeros((1, MIN_INPUT_PIXELS, MIN_INPUT_PIXELS, 3), dtype=np.uint8)
        self._session.run(["probability"], {"pixels": blank}, options)


def polygons(
    image: NDArray[np.uint8], parts: Sequence[Tile], boxes: Sequence[NDArray[np.float32]]
) -> list[Polygon]:
    """Return the lines of the whole picture from the boxes on its parts; corners are within the picture."""
    found = [tile.on_picture(each) for tile, each in zip(parts, boxes, strict=True)]
    merged = merge(found) if len(found) > 1 else found[0]
    limits = np.array((image.shape[1], image.shape[0]), np.float32)
    return [_polygon(corners) for corners in np.clip(merged, 0, limits).tolist()]


def _polygon(corners: list[list[float]]) -> Polygon:
    a, b, c, d = ((x, y) for x, y in corners)
    return (a, b, c, d)
