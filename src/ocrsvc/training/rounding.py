"""Rounds activations as INT8 will, while training goes on, so that the net learns to live with it.

Quantisation-aware training after Jacob et al. 2018, of activations alone: weights are rounded per channel, which
costs little, whereas one scale has to do for a whole activation. Gradients pass straight through.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrsvc.training.net import Backbone, Block

MOMENTUM = 0.1  # of the ranges, which follow the minima and maxima of the batches
EVERY = 8  # batches between two looks at the extremes, which cost as much as rounding


class Rounder:
    """Rounds a tensor to 256 steps between the extremes that it has seen of late; used as a module's hook."""

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.batches = 0

    def __call__(self, x: Tensor) -> Tensor:
        """The tensor, rounded; in its own shape."""
        if self.batches % EVERY == 0:
            low, high = (float(extreme) for extreme in torch.aminmax(x.detach()))
            share = MOMENTUM if self.batches else 1.0
            self.low += share * (min(low, 0.0) - self.low)
            self.high += share * (max(high, 1e-6) - self.high)
        self.batches += 1
        scale = (self.high - self.low) / 255
        zero = min(255, max(0, round(-self.low / scale)))
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)

    def behind(self, _: nn.Module, __: tuple[Tensor], output: Tensor) -> Tensor:
        """As a forward hook."""
        return self(output)


def attach(backbone: Backbone) -> None:
    """Rounds what every block's convolutions give; stem and gates stay in float, as in serving."""
    for block in backbone.modules():
        if isinstance(block, Block):
            for part in (block.depthwise, block.expand, block.activation, block.project):
                part.register_forward_hook(Rounder().behind)
