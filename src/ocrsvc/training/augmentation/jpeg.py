"""JPEG compression of pictures [N,3,H,W] on the device: its colour space, blocks and rounding, without the file."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ocrsvc.training.augmentation.draws import Draws, Rows
from ocrsvc.training.augmentation.light import LUMA

BLOCK = 8  # pixels
# The tables of the standard (ITU-T T.81, annex K) for quality 50.
_BRIGHTNESS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_COLOUR = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))  # 99 elsewhere


class Jpeg:
    """Compression at a random quality of 15 to 92; pictures whose size is no multiple of 8 stay as they are."""

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        k = torch.arange(BLOCK, dtype=torch.float32)
        cosines = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / (2 * BLOCK)) * 0.5
        cosines[0] *= 1 / math.sqrt(2)
        self.cosines = cosines.to(draws.device)
        colour = torch.full((BLOCK, BLOCK), 99.0)
        colour[:4, :4] = torch.tensor(_COLOUR)
        self.tables = torch.stack((torch.tensor(_BRIGHTNESS).float(), colour, colour)).to(draws.device)
        spectrum = torch.tensor([LUMA, (0.5, -0.331264, -0.168736), (-0.081312, -0.418688, 0.5)])
        self.forward, self.back = spectrum.to(draws.device), torch.linalg.inv(spectrum).to(draws.device)

    def __call__(self, pictures: Tensor, chosen: Rows) -> Tensor:
        """Compress the chosen pictures, in place."""
        height, bucket = pictures.shape[2:]
        if not len(chosen) or height % BLOCK or bucket % BLOCK:
            return pictures
        rng, lines = self.draws.rng, len(chosen)
        rows = self.draws.integers(chosen)
        planes = torch.einsum("ij,njhw->nihw", self.forward, pictures[rows].clamp(0, 255))
        if rng.random() < 0.6:  # colour at half the resolution
            small = functional.avg_pool2d(planes[:, 1:], 2)
            planes[:, 1:] = functional.interpolate(small, scale_factor=2, mode="nearest")
        planes[:, 0] -= 128
        quality = rng.uniform(15, 92, lines)
        scale = np.where(quality < 50, 50 / quality, 2 - quality / 50)
        steps = (self.tables[None] * self.draws.column(scale)).clamp(min=1)[:, :, None, :, None, :]
        blocks = planes.reshape(lines, 3, height // BLOCK, BLOCK, bucket // BLOCK, BLOCK)
        waves = torch.einsum("ai,ncgihj,bj->ncgahb", self.cosines, blocks, self.cosines)
        waves = (waves / steps).round_() * steps
        planes = torch.einsum("ai,ncgahb,bj->ncgihj", self.cosines, waves, self.cosines)
        planes = planes.reshape(lines, 3, height, bucket)
        planes[:, 0] += 128
        return pictures.index_copy_(0, rows, torch.einsum("ij,njhw->nihw", self.back, planes))
