"""Rounds activations and weights as INT8 will, while training goes on, so that the net learns to live with it.

Quantisation-aware training after Jacob et al. 2018: activations to one scale each, weights to one a channel. Gradients
pass straight through.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ocrsvc.training.nets.int8_range import PERCENTILE
from ocrsvc.training.nets.net import Block, BranchedStem, Crnn, PlainStem

MOMENTUM = 0.1  # of the ranges, which follow those of the batches
EVERY = 8  # batches between two looks at the range, which costs more than rounding
LOOKED_AT = 1 << 18  # values of an activation, from everywhere in it


class Rounder:
    """Rounds a tensor to 256 steps over the range that it has had of late; used as a module's hook.

    The range holds ``PERCENTILE`` of the values, as that of the INT8 graph will; it stands still where no gradient is
    wanted.
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.batches = 0

    def __call__(self, x: Tensor) -> Tensor:
        """The tensor, rounded; in its own shape."""
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
        """As a hook before a module: what it is given."""
        return (self(inputs[0]),)

    def behind(self, _: nn.Module, __: tuple[Tensor], output: Tensor) -> Tensor:
        """As a hook behind a module: what it gives."""
        return self(output)


class _Rounded(torch.autograd.Function):
    """The nearest of 256 multiples of a step, its gradient passed straight through.

    ``torch.fake_quantize_per_tensor_affine`` takes twenty times as long on a CPU, forth and back, most of it to tell
    whose gradient ends because it was clipped: with ``PERCENTILE`` of the values in the range that is hardly any.
    """

    @staticmethod
    def forward(ctx: object, x: Tensor, step: float, zero: int) -> Tensor:
        return x.mul(1 / step).round_().clamp_(-zero, 255 - zero).mul_(step)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient, None, None


def _range(x: Tensor) -> tuple[float, float]:
    """The values between which ``PERCENTILE`` of an activation lie, by a part of it."""
    values = (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).reshape(-1)  # channels last, as they are in memory
    step = max(1, values.numel() // LOOKED_AT)
    while (
        math.gcd(step, 30) > 1
    ):  # or only every other channel would be seen: their number is 2, 3, 5 times another
        step += 1
    values = values[::step]
    outside = max(1, round(values.numel() * (1 - PERCENTILE / 100) / 2))
    high, low = values.topk(outside).values[-1], values.topk(outside, largest=False).values[-1]
    return float(low), float(high)


def attach(net: Crnn, rounders: Iterator[Rounder] | None = None) -> list[Rounder]:
    """Rounds what INT8 will round: what stem (the plain one) and blocks compute, what they and the head are given.

    Gates, neck and branched stem compute in float, as in serving. ``rounders``: those of a net like this one, whose
    ranges it takes over. Returns the rounders, in the order of the net.
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
    """Within, the weights that INT8 will round are rounded to 255 steps a channel; behind it they are what they were.

    A forward and its backward belong into one such block: the gradient is that of the rounded weights and goes to the
    float ones.
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
