"""Varies a batch of lines as cameras, printers, scanners and detectors do, on the device that trains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ocrsvc.training.augmentation import canvas, light
from ocrsvc.training.augmentation.draws import Draws
from ocrsvc.training.augmentation.geometry import bent
from ocrsvc.training.augmentation.optics import Optics

_BENT = 0.5  # share of the lines whose geometry changes
_RESOLUTIONS = 5  # most resolutions in one batch


@dataclass(frozen=True)
class Varied:
    """One batch, float32 in -1 to 1: ``spoilt`` [N,3,48,W], and ``clean`` [M,3,48,W], the first M lines in the same
    geometry without faults of the camera."""

    spoilt: Tensor
    clean: Tensor


class Augment:
    """Variation of one batch or several; a seed fixes it on a CPU."""

    def __init__(self, device: torch.device, seed: int, pad_value: int) -> None:
        self.pad_value = pad_value
        self.draws = Draws(device, seed)
        self.optics = Optics(self.draws)

    def __call__(
        self,
        pictures: Tensor,
        width: NDArray[np.int64],
        poor: NDArray[np.bool_],
        clean: int,
        strength: float = 1.0,
    ) -> Varied:
        """Vary pictures [N,3,48,W] of lines of ``width`` pixels, in place; also return the first ``clean`` unspoilt.

        ``poor`` lines have faults of a camera already and get fewer new ones.
        """
        within = canvas.inside(self.draws.integers(width), pictures.shape[3])
        pictures = bent(pictures, width, self.draws, _BENT * strength)
        kept = canvas.finished(pictures[:clean], within[:clean], self.pad_value)
        spoilt = self.spoil(pictures, poor, strength)
        return Varied(canvas.finished(spoilt, within, self.pad_value), kept)

    def spoil(self, pictures: Tensor, poor: NDArray[np.bool_], strength: float) -> Tensor:
        """Change stroke, colour, light, resolution, blur, noise and compression, in place."""
        draws, lines = self.draws, len(poor)
        pictures = light.stroke(pictures, draws.some(lines, 0.1 * strength), draws)
        pictures = light.colour(pictures, strength, draws)
        pictures = light.shade(pictures, draws.some(lines, 0.2 * strength), draws)
        pictures = light.rule(pictures, draws.some(lines, 0.04 * strength), draws)
        low = draws.some(lines, np.where(poor, 0.15, 0.6) * strength)
        for part in np.array_split(draws.rng.permutation(low), min(_RESOLUTIONS, max(1, len(low)))):
            pictures = self.optics.low(pictures, part)
        rest = np.setdiff1d(np.arange(lines), low)
        pictures = self.optics.spoil(pictures, draws.some(rest, np.where(poor[rest], 0.3, 0.8) * strength))
        pictures = light.office(pictures, draws.some(np.flatnonzero(~poor), 0.05 * strength), draws)
        return light.invert(pictures, draws.some(lines, 0.06 * strength), draws)
