"""Ink, colour and light of pictures [N,3,H,W], each changed in place for the ``chosen`` rows or a share of all."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ocrsvc.training.augmentation.draws import Draws, Rows

LUMA = (0.114, 0.587, 0.299)  # shares of blue, green and red in brightness (ITU-R BT.601)


def stroke(pictures: Tensor, chosen: Rows, draws: Draws) -> Tensor:
    """Make strokes fatter or thinner by a part of a pixel, whichever of ink and paper is the brighter."""
    if not len(chosen):
        return pictures
    rows = draws.integers(chosen)
    part = pictures[rows]
    brighter = functional.max_pool2d(functional.pad(part, (0, 1, 0, 1), mode="replicate"), 2, 1)
    darker = -functional.max_pool2d(functional.pad(-part, (0, 1, 0, 1), mode="replicate"), 2, 1)
    which = draws.column(draws.rng.random(len(chosen)) < 0.5)
    share = draws.column(draws.rng.uniform(0.2, 0.9, len(chosen)))
    return pictures.index_copy_(0, rows, torch.lerp(part, torch.lerp(darker, brighter, which), share))


def colour(pictures: Tensor, strength: float, draws: Draws) -> Tensor:
    """Change contrast, brightness, tint and gamma; make some grey or faint, swap the channels of others."""
    rng, lines = draws.rng, pictures.shape[0]
    changed = rng.random(lines) < 0.7 * strength
    gain = np.where(changed, rng.uniform(0.55, 1.25, lines), 1)
    offset = np.where(changed, rng.uniform(-35, 35, lines), 0)
    faint = rng.random(lines) < 0.1 * strength
    gain = np.where(faint, rng.uniform(0.22, 0.55, lines), gain)
    offset = np.where(faint, rng.uniform(-50, 50, lines), offset)
    tint = np.where((rng.random(lines) < 0.5 * strength)[:, None], rng.normal(0, 9, (lines, 3)), 0)
    added = draws.floats(offset[:, None] + tint)[..., None, None]
    pictures = pictures.sub_(128).mul_(draws.column(gain)).add_(added + 128)
    curved = draws.some(lines, 0.25 * strength)
    if len(curved):
        rows = draws.integers(curved)
        power = draws.column(np.exp(rng.normal(0, 0.35, len(curved))))
        pictures.index_copy_(0, rows, (pictures[rows].clamp(1, 255) / 255).pow(power) * 255)
    grey = draws.some(lines, 0.12 * strength)
    if len(grey):
        rows = draws.integers(grey)
        pictures.index_copy_(0, rows, brightness(pictures[rows]).expand(-1, 3, -1, -1).contiguous())
    swapped = draws.some(lines, 0.08 * strength)
    if len(swapped):
        rows = draws.integers(swapped)
        pictures.index_copy_(0, rows, pictures[rows][:, rng.permutation(3).tolist()])
    return pictures


def brightness(pictures: Tensor) -> Tensor:
    """Return the brightness [N,1,H,W] of pictures."""
    blue, green, red = LUMA
    return pictures[:, :1] * blue + pictures[:, 1:2] * green + pictures[:, 2:] * red


def shade(pictures: Tensor, chosen: Rows, draws: Draws) -> Tensor:
    """Darken pictures from one side or corner, with or without the edge of a shadow."""
    if not len(chosen):
        return pictures
    rng, lines = draws.rng, len(chosen)
    height, bucket = pictures.shape[2:]
    numbers = np.stack(
        (
            rng.uniform(0.5, 1.1, lines),
            rng.uniform(0.5, 1.1, lines),
            rng.uniform(0.75, 1.05, lines),
            rng.uniform(0.75, 1.05, lines),
            rng.uniform(0, bucket, lines),
            rng.uniform(3, 60, lines),
            np.where(rng.random(lines) < 0.4, rng.uniform(0.45, 0.9, lines), 1),
            rng.uniform(-1, 1, lines),
        )
    )
    left, right, top, bottom, place, blur, dark, slant = draws.floats(numbers)[..., None, None]
    u = torch.linspace(0, 1, bucket, device=pictures.device)[None, None]
    v = torch.linspace(0, 1, height, device=pictures.device)[None, :, None]
    light = torch.lerp(left, right, u) * torch.lerp(top, bottom, v)
    edge = torch.sigmoid((u * bucket + slant * v * height * 2 - place) / blur)
    rows = draws.integers(chosen)
    return pictures.index_copy_(0, rows, pictures[rows] * (light * (dark + (1 - dark) * edge))[:, None])


def rule(pictures: Tensor, chosen: Rows, draws: Draws) -> Tensor:
    """Draw a pen's stroke or a table's rule along the line, mostly near its upper or lower edge."""
    if not len(chosen):
        return pictures
    rng, lines = draws.rng, len(chosen)
    height, bucket = pictures.shape[2:]
    edge = rng.choice((1.0, height - 2.0), lines) + rng.normal(0, 1.5, lines)
    level = np.where(rng.random(lines) < 0.7, edge, rng.uniform(0.2 * height, 0.8 * height, lines))
    numbers = np.stack((level, rng.normal(0, 0.015, lines), rng.uniform(0.4, 1.3, lines)))
    place, slope, thickness = draws.floats(numbers)[..., None, None]
    ink = draws.floats(rng.uniform(0, 255, (lines, 3)))[..., None, None]
    u = torch.arange(bucket, device=pictures.device, dtype=torch.float32)[None, None]
    v = torch.arange(height, device=pictures.device, dtype=torch.float32)[None, :, None]
    cover = (thickness + 0.5 - (v - place - slope * u).abs()).clamp(0, 1)[:, None]
    rows = draws.integers(chosen)
    return pictures.index_copy_(0, rows, torch.lerp(pictures[rows], ink, cover * 0.8))


def office(pictures: Tensor, chosen: Rows, draws: Draws) -> Tensor:
    """Make pictures black and white, as faxes and poor scans are, or of a hard contrast."""
    if not len(chosen):
        return pictures
    rng, lines = draws.rng, len(chosen)
    rows = draws.integers(chosen)
    grey = brightness(pictures[rows])
    low, high = grey.amin((2, 3), keepdim=True), grey.amax((2, 3), keepdim=True)
    level = draws.column(rng.uniform(0.4, 0.6, lines))
    ragged = draws.column(rng.uniform(0, 26, lines))
    hard = draws.column(np.where(rng.random(lines) < 0.5, 40.0, rng.uniform(1.5, 5, lines)))
    noise = functional.avg_pool2d(draws.noise(*grey.shape), 3, 1, 1) * 2
    value = (grey + noise * ragged - torch.lerp(low, high, level)) * hard + 128
    return pictures.index_copy_(0, rows, value.clamp(0, 255).expand(-1, 3, -1, -1).contiguous())


def invert(pictures: Tensor, chosen: Rows, draws: Draws) -> Tensor:
    """Turn dark on bright into bright on dark."""
    if not len(chosen):
        return pictures
    rows = draws.integers(chosen)
    return pictures.index_copy_(0, rows, 255 - pictures[rows].clamp(0, 255))
