"""Crops of whole pictures for training a detector, each with what another detector says about it.

A crop is varied first and shown to the teacher then, so that its map is right for the crop, whatever was done to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, log
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from ocrsvc.machine.cpu import inspect
from ocrsvc.models.manifest import Manifest
from ocrsvc.pages.detector import Detector
from ocrsvc.pages.tiles import tiles
from ocrsvc.training.data.photos import below

Pixels = NDArray[np.uint8]

SIDE_PIXELS = 960  # of the service's detector: crops have its resolution, times a stretch
_STRETCHES = (0.6, 1.5)  # least and most; their logarithms are equally likely
_TURNED, _TILTED, _BLURRED, _PACKED, _INVERTED, _LIT = 0.2, 0.3, 0.2, 0.3, 0.08, 0.6  # shares of crops
_MOST_TILT = 6.0  # degrees
_SKIPS = 0.5  # scale below which bilinear shrinking would skip pixels


def pictures(folders: Sequence[Path]) -> list[Path]:
    """Return the pictures in these folders; FileNotFoundError without any."""
    found = sorted(file for folder in folders for file in below(folder))
    if not found:
        raise FileNotFoundError(f"there are no pictures in {', '.join(map(str, folders)) or 'no folder'}")
    return found


class PageCrops(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless crops ``uint8 [side,side,3]`` with the teacher's probabilities ``float32 [side,side]``."""

    def __init__(self, files: Sequence[Path], teacher: Manifest, *, side: int, seed: int) -> None:
        super().__init__()
        self._files = list(files)
        self._teacher = teacher
        self._side = side
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield crops; each worker has its own."""
        worker = get_worker_info()
        rng = np.random.default_rng([self._seed, worker.id if worker else 0])
        cv2.setNumThreads(1)
        teacher = opened(self._teacher)
        while True:
            image = cv2.imread(str(self._files[rng.integers(len(self._files))]))
            if image is None:
                continue
            crop = varied(np.asarray(image, np.uint8), self._side, rng)
            yield torch.from_numpy(crop), torch.from_numpy(teacher.probability(crop).copy())


def opened(detector: Manifest) -> Detector:
    """Return a detector that runs on one thread, with the memory of its runs given back."""
    return Detector(detector, cpu=inspect(), side_pixels=SIDE_PIXELS, precision="fp32", arena=False)


def varied(image: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    """Return a crop ``uint8 [side,side,3]`` of a picture, at a random place, size, turn, light and quality."""
    first = tiles(image.shape[1], image.shape[0], SIDE_PIXELS)[0]
    scale = first.input_width / first.width * exp(rng.uniform(log(_STRETCHES[0]), log(_STRETCHES[1])))
    if rng.random() < _TURNED:
        image = np.ascontiguousarray(np.rot90(image, int(rng.integers(1, 4))))
    if scale < _SKIPS:
        size = [max(1, round(length * scale)) for length in image.shape[1::-1]]
        image, scale = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), 1.0
    angle = rng.uniform(-_MOST_TILT, _MOST_TILT) if rng.random() < _TILTED else 0.0
    height, width = image.shape[:2]
    middle = (_middle(width, side / scale, rng), _middle(height, side / scale, rng))
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, angle, scale), np.float64)
    matrix[:, 2] += side / 2 - np.array(middle)
    crop = cv2.warpAffine(
        image,
        matrix,
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return _lit(np.asarray(crop, np.uint8), rng)


def _middle(size: int, shown: float, rng: np.random.Generator) -> float:
    """Return a middle for a crop of this length at which no more than necessary of it is outside of the picture."""
    if size <= shown:
        return size / 2
    return float(rng.uniform(shown / 2, size - shown / 2))


def _lit(crop: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a crop in another light, blurred, packed as JPEG, or as its negative; most in few of these ways."""
    if rng.random() < _LIT:
        contrast, light = rng.uniform(0.6, 1.3), rng.uniform(-40, 40)
        tint = rng.uniform(0.9, 1.1, 3)
        crop = np.clip((crop.astype(np.float32) - 127.5) * contrast * tint + 127.5 + light, 0, 255).astype(
            np.uint8
        )
    if rng.random() < _BLURRED:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 1.3))), np.uint8)
    if rng.random() < _PACKED:
        _, packed = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
        crop = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return 255 - crop if rng.random() < _INVERTED else crop
