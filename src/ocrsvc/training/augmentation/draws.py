"""Random choices for a batch of lines, drawn on the host and handed to the device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Rows = NDArray[np.intp]


class Draws:
    """Random numbers for batches on one device; a seed fixes them on a CPU."""

    def __init__(self, device: torch.device, seed: int) -> None:
        self.device = device
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator(device).manual_seed(seed)

    def some(self, rows: int | Rows, share: float | NDArray[np.float64]) -> Rows:
        """Return a random choice of the rows 0 to ``rows``, or among ``rows``; each is chosen with chance ``share``."""
        among = np.arange(rows) if isinstance(rows, int) else rows
        return among[self.rng.random(len(among)) < share]

    def floats(self, values: NDArray[np.generic]) -> Tensor:
        """Return an array as float32 on the device."""
        return self._sent(np.ascontiguousarray(values, np.float32))

    def integers(self, values: NDArray[np.generic]) -> Tensor:
        """Return an array as int64 on the device."""
        return self._sent(np.ascontiguousarray(values, np.int64))

    def column(self, values: NDArray[np.generic]) -> Tensor:
        """Return one number a line as float32 [N,1,1,1] on the device."""
        return self.floats(values)[:, None, None, None]

    def noise(self, *shape: int) -> Tensor:
        """Return normally distributed numbers float32 [shape] on the device."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def _sent(self, values: NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(values)
        if self.device.type == "cuda":  # the copy does not wait for the device
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor
