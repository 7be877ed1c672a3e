"""Rounds activations as INT8 will, while training goes on, so that the net learns to live with it.

Quantisation-aware training after Jacob et al. 2018, of activations alone: weights are rounded per channel, which
costs little, whereas one scale has to do for a whole activation. Gradients pass straight through.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrsvc.training.net import Backbone, Block

MOMENTUM = 0.02  # of the ranges, which follow the minima and maxima of the batches


class Rounder:
    """Rounds a tensor to 256 steps between the extremes that it has seen of late; used as a module's hook."""

    def __init__(self) -> None:
        self.low: Tensor | None = None
        self.high: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """The tensor, rounded; in its own shape."""
        with torch.no_grad():
            low, high = x.amin().clamp(max=0), x.amax().clamp(min=1e-6)
            if self.low is None or self.high is None:
                self.low, self.high = low, high
            self.low = self.low.lerp(low, MOMENTUM)
            self.high = self.high.lerp(high, MOMENTUM)
            scale = float(self.high - self.low) / 255
            zero = min(255, max(0, round(-float(self.low) / scale)))
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)

    def before(self, _: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        """As a forward pre-hook."""
        return (self(inputs[0]),)

    def behind(self, _: nn.Module, __: tuple[Tensor], output: Tensor) -> Tensor:
        """As a forward hook."""
        return self(output)


def attach(backbone: Backbone) -> None:
    """Rounds what goes in and out of every block's convolutions; stem and gates stay in float, as in serving."""
    for block in backbone.modules():
        if isinstance(block, Block):
            block.depthwise.register_forward_pre_hook(Rounder().before)
            block.depthwise.register_forward_hook(Rounder().behind)
            block.expand.register_forward_pre_hook(Rounder().before)
            block.expand.register_forward_hook(Rounder().behind)
            block.activation.register_forward_hook(Rounder().behind)
            block.project.register_forward_hook(Rounder().behind)
