"""Quantisation-aware training: activations and weights are rounded as in INT8, so that the net adapts to it.

After Jacob et al. 2018: one scale per activation, one scale per channel of a weight, straight-through gradients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ocrsvc.training.nets.int8_range import PERCENTILE
from ocrsvc.training.nets.net import Block, BranchedStem, Crnn, PlainStem

MOMENTUM = 0.1  # share of a new range in the moving average
EVERY = 8  # batches between two updates of a range, which cost more than rounding
LOOKED_AT = 1 << 18  # sampled values of an activation to find its range from


class Rounder:
    """Rounding of a tensor to 256 steps over a moving average of its range; used as a module's hook.

    The range covers ``PERCENTILE`` of the values, as in the INT8 graph. It is not updated without gradients.
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.batches = 0

    def __call__(self, x: Tensor) -> Tensor:
        """Return the rounded tensor."""
        if self.batches == 0 or (torch.is_grad_enabled() and self.batches % EVERY == 0):
            low, high = _range(x.detach())
            share = MOMENTUM if self.batches else 1.0
            self.low += share * (min(low, 0.0) - self.low)
            self.high += share * (max(high, 1e-6) - self.high)
        self.batches += torch.is_grad_enabled()
        scale = (self.high - self.low) / 255
        zero = min(255, max(0, round(-self.low / scale)))
        rounded: Tensor = _Rounded.apply(x, scale, zero)
        return rounded

    def before(self, _: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        """Round a module's input; a forward pre-hook."""
        return (self(inputs[0]),)

    def behind(self, _: nn.Module, __: tuple[Tensor], output: Tensor) -> Tensor:
        """Round a module's output; a forward hook."""
        return self(output)


class _Rounded(torch.autograd.Function):
    """Rounding to 256 multiples of a step, with a straight-through gradient.

    ``torch.fake_quantize_per_tensor_affine`` takes twenty times as long on a CPU, forward and backward, mostly to stop
    the gradients of clipped values; with ``PERCENTILE`` of the values in the range, hardly any are clipped.
    """

    @staticmethod
    def forward(ctx: object, x: Tensor, step: float, zero: int) -> Tensor:
        return x.mul(1 / step).round_().clamp_(-zero, 255 - zero).mul_(step)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient, None, None


def _range(x: Tensor) -> tuple[float, float]:
    """Return the bounds between which ``PERCENTILE`` of an activation lies, estimated from a sample."""
    values = (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).reshape(-1)  # channels last, as in memory
    step = max(1, values.numel() // LOOKED_AT)
    # A step that shares a factor with the number of channels would skip some channels.
    while math.gcd(step, 30) > 1:
        step += 1
    values = values[::step]
    outside = max(1, round(values.numel() * (1 - PERCENTILE / 100) / 2))
    high, low = values.topk(outside).values[-1], values.topk(outside, largest=False).values[-1]
    return float(low), float(high)


def attach(net: Crnn, rounders: Iterator[Rounder] | None = None) -> list[Rounder]:
    """Round the tensors that INT8 rounds: outputs of the plain stem and the blocks, inputs of them and of the head.

    Gates, neck and branched stem compute in float, as in serving. ``rounders``: the rounders of an equal net, to share
    its ranges. Return the rounders, in the order of the net.
    """
    made: list[Rounder] = []

    def one() -> Rounder:
        made.append(Rounder() if rounders is None else next(rounders))
        return made[-1]

    for module in net.backbone.modules():
        if isinstance(module, PlainStem):
            module.first.register_forward_hook(one().behind)
            module.second.register_forward_pre_hook(one().before)
            module.second.register_forward_hook(one().behind)
        elif isinstance(module, BranchedStem):
            module.register_forward_hook(one().behind)
        elif isinstance(module, Block):
            for part in (module.depthwise, module.expand, module.activation, module.project):
                part.register_forward_hook(one().behind)
            if module.gate is not None:
                module.expand.register_forward_pre_hook(one().before)
            if module.residual:
                module.register_forward_hook(one().behind)
    net.neck.register_forward_hook(one().behind)
    return made


@contextmanager
def weights(net: Crnn) -> Iterator[None]:
    """Round the weights that INT8 rounds, to 255 steps a channel, within a ``with`` block; then restore them.

    A forward and its backward pass belong into one block: the gradient at the rounded weights is applied to the float
    ones.
    """
    kept = [(layer.weight, layer.weight.detach().clone()) for layer in _layers(net)]
    for parameter, weight in kept:
        step = weight.flatten(1).abs().amax(1).clamp(min=1e-12).reshape(-1, *[1] * (weight.ndim - 1)) / 127
        parameter.data.copy_((weight / step).round_().mul_(step))
    try:
        yield
    finally:
        for parameter, weight in kept:
            parameter.data.copy_(weight)


def _layers(net: Crnn) -> Iterator[nn.Conv2d | nn.Linear]:
    for module in net.backbone.modules():
        if isinstance(module, PlainStem):
            yield from (module.first, module.second)
        elif isinstance(module, Block):
            yield from (module.depthwise, module.expand, module.project)
    yield net.head
