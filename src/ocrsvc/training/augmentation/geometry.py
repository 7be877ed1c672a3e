"""Where the camera stood and how the paper lay: turn, slant, distance, keystone, bend, wave, uneven pace."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ocrsvc.training.augmentation.draws import Draws

_MOST_RISE_PIXELS = 9.0  # of a turned line, from its middle to its end: more would leave the picture


def bent(pictures: Tensor, width: NDArray[np.int64], draws: Draws, share: float) -> Tensor:
    """Move the pixels of about a ``share`` of the pictures [N,3,H,W], in place; ``width`` is that of their lines."""
    _, _, height, bucket = pictures.shape
    chosen = draws.some(len(width), share)
    if not len(chosen):
        return pictures
    p = draws.floats(_numbers(width[chosen] / 2, draws.rng))[..., None, None]
    half, turn, shear, distance, shift, keystone, bend, wave, period, phase, pace, second_phase = p
    device = pictures.device
    u = torch.arange(bucket, device=device, dtype=torch.float32)[None, None] - half + 0.5
    v = torch.arange(height, device=device, dtype=torch.float32)[None, :, None] - height / 2 + 0.5
    along = u / half
    cycle = u * (2 * math.pi / period)
    y = v * distance * (1 + keystone * along) + shift + turn * u
    y = y + bend * (along * along - 0.33) + wave * torch.sin(cycle + phase)
    x = u + shear * v + pace * period / (2 * math.pi) * torch.sin(cycle + second_phase)
    grid = torch.stack(((x + half) * (2 / bucket) - 1, (y + height / 2) * (2 / height) - 1), -1)
    rows = draws.integers(chosen)
    moved = functional.grid_sample(
        pictures[rows], grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return pictures.index_copy_(0, rows, moved)


def _numbers(half: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the twelve parameters [12,N] of each line; most are zero for most lines."""
    lines = len(half)

    def some(share: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(rng.random(lines) < share, values, 0.0)

    most = _MOST_RISE_PIXELS / half
    return np.stack(
        (
            half,
            np.clip(some(0.6, rng.normal(0, 0.03, lines)), -most, most),
            some(0.45, rng.normal(0, 0.16, lines)),
            1 + some(0.7, rng.uniform(-0.06, 0.26, lines)),
            some(0.7, rng.uniform(-2.2, 2.2, lines)),
            some(0.4, rng.uniform(-0.16, 0.16, lines)),
            some(0.2, rng.uniform(-6, 6, lines)),
            some(0.18, rng.uniform(0.3, 1.6, lines)),
            rng.uniform(50, 260, lines),
            rng.uniform(0, 2 * math.pi, lines),
            some(0.2, rng.uniform(0.02, 0.12, lines)),
            rng.uniform(0, 2 * math.pi, lines),
        )
    )
