"""Resolution, blur and grain of pictures [N,3,H,W], changed in place for the ``chosen`` rows."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ocrsvc.training.augmentation.draws import Draws, Rows
from ocrsvc.training.augmentation.jpeg import Jpeg

_HEIGHTS_PIXELS = (12, 14, 16, 16, 18, 20, 24, 24, 28, 32, 32, 40)  # of lines before they are scaled up
_REACH = 3  # pixels of a blur to either side


class Optics:
    """Faults of lens, sensor and file, in the pixels in which they arise."""

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        self.jpeg = Jpeg(draws)

    def low(self, pictures: Tensor, chosen: Rows) -> Tensor:
        """Scale pictures down to one of ``_HEIGHTS_PIXELS``, spoil most of them, and scale them up as serving does."""
        if not len(chosen):
            return pictures
        rng = self.draws.rng
        height, bucket = pictures.shape[2:]
        low_height = int(rng.choice(_HEIGHTS_PIXELS))
        size = (low_height, max(8, math.ceil(bucket * low_height / height / 8) * 8))
        rows = self.draws.integers(chosen)
        if rng.random() < 0.6:
            small = functional.interpolate(
                pictures[rows], size, mode="bilinear", antialias=True, align_corners=False
            )
        else:
            small = functional.interpolate(pictures[rows], size, mode="area")
        small = self.spoil(small, self.draws.some(len(chosen), 0.7), min(1.0, low_height / 40))
        large = functional.interpolate(
            small.clamp_(0, 255), (height, bucket), mode="bilinear", align_corners=False
        )
        return pictures.index_copy_(0, rows, large)

    def spoil(self, pictures: Tensor, chosen: Rows, reach: float = 1.0) -> Tensor:
        """Blur, sharpen, grain and compress some of the chosen pictures; ``reach`` scales the blur."""
        pictures = self.blur(pictures, self.draws.some(chosen, 0.35), reach)
        pictures = self.sharpen(pictures, self.draws.some(chosen, 0.06))
        pictures = self.grain(pictures, self.draws.some(chosen, 0.45))
        return self.jpeg(pictures, self.draws.some(chosen, 0.45))

    def blur(self, pictures: Tensor, chosen: Rows, reach: float) -> Tensor:
        """Blur with a Gauss curve, of some pictures in one direction only, as by motion."""
        if not len(chosen):
            return pictures
        rng, lines = self.draws.rng, len(chosen)
        base = rng.uniform(0.35, 1.5, lines) * reach
        moving = rng.random(lines) < 0.3
        sigmas = np.stack(
            (np.where(moving, base * rng.uniform(1, 1.8, lines), base), np.where(moving, 0.25, base))
        )
        sigmas = np.where(rng.random(lines) < 0.35, sigmas[::-1], sigmas)  # across the line
        taps = np.arange(-_REACH, _REACH + 1)[None, :, None]
        weights = np.exp(-(taps**2) / (2 * sigmas[:, None] ** 2))
        shares = self.draws.floats(weights / weights.sum(1, keepdims=True))[..., None, None, None]
        rows = self.draws.integers(chosen)
        part = pictures[rows]
        for axis, dimension in enumerate((3, 2)):
            pad = (_REACH, _REACH, 0, 0) if dimension == 3 else (0, 0, _REACH, _REACH)
            wide = functional.pad(part, pad, mode="replicate")
            size = part.shape[dimension]
            part = wide.narrow(dimension, 0, size) * shares[axis, 0]
            for tap in range(1, 2 * _REACH + 1):
                part = part.addcmul_(wide.narrow(dimension, tap, size), shares[axis, tap])
        return pictures.index_copy_(0, rows, part)

    def sharpen(self, pictures: Tensor, chosen: Rows) -> Tensor:
        """Sharpen as cameras do, with bright and dark fringes."""
        if not len(chosen):
            return pictures
        rows = self.draws.integers(chosen)
        part = pictures[rows]
        soft = functional.avg_pool2d(functional.pad(part, (1, 1, 1, 1), mode="replicate"), 3, 1)
        amount = self.draws.column(self.draws.rng.uniform(0.3, 1.2, len(chosen)))
        return pictures.index_copy_(0, rows, part + amount * (part - soft))

    def grain(self, pictures: Tensor, chosen: Rows) -> Tensor:
        """Add noise, in colour or in brightness."""
        if not len(chosen):
            return pictures
        rng, lines = self.draws.rng, len(chosen)
        rows = self.draws.integers(chosen)
        deviation = self.draws.column(np.minimum(rng.exponential(6, lines) + 1.5, 26))
        channels = 3 if rng.random() < 0.5 else 1
        noise = self.draws.noise(lines, channels, *pictures.shape[2:])
        return pictures.index_copy_(0, rows, torch.addcmul(pictures[rows], noise, deviation))
