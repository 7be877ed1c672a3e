"""Cross-layer equalisation (Nagel et al. 2019): scale channels to a common range without changing the net's output.

INT8 has one scale for all channels of an activation. After depthwise convolutions some channels have ten times the
range of others, which are then rounded to a few steps. A depthwise convolution treats every channel alone, so its
output can be scaled by channel and its readers by the inverse; the residual path passes the scale on.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ocrsvc.training.nets.net import AttentionNeck, Block, Crnn

FLOOR = 0.02  # least range of a channel, as a share of the widest; limits the scale of nearly unused ones


class _Extent:
    """Largest magnitude of every channel of a module's output [N,C,H,W]; a forward hook."""

    def __init__(self) -> None:
        self.peak: Tensor | None = None

    def __call__(self, _: nn.Module, __: tuple[Tensor], output: Tensor) -> None:
        peak = output.detach().abs().amax((0, 2, 3))
        self.peak = peak if self.peak is None else torch.maximum(self.peak, peak)


def _scale(extent: _Extent, strength: float) -> Tensor:
    """Return factors of channels that bring their ranges close to the widest."""
    if extent.peak is None:
        raise ValueError("no image was shown to the net")
    widest = extent.peak.max()
    return (widest / extent.peak.clamp(min=float(widest) * FLOOR)) ** strength


@torch.no_grad()
def equalise(net: Crnn, batches: Iterable[Tensor], strength: float = 1.0) -> None:
    """Equalise the weights in place, by the ranges on images float32 [N,3,48,W]; the net's output stays the same.

    The net's neck must be an ``AttentionNeck`` or a ``ConvolutionNeck``; ``strength`` is 0 (none) to 1 (full).
    """
    blocks = [block for block in net.backbone.modules() if isinstance(block, Block)]
    extents = [(_Extent(), _Extent()) for _ in blocks]
    hooks = [
        part.register_forward_hook(extent)
        for block, pair in zip(blocks, extents, strict=True)
        for part, extent in zip((block.depthwise, block.project), pair, strict=True)
    ]
    for images in batches:
        net.backbone(images)
    for hook in hooks:
        hook.remove()
    incoming = torch.ones(blocks[0].depthwise.in_channels)
    for block, (inner, outer) in zip(blocks, extents, strict=True):
        scale = _scale(inner, strength)
        _outputs(block.depthwise, scale)
        _inputs(block.depthwise, incoming)
        _inputs(block.expand, scale)
        if block.gate is not None:
            _inputs(block.gate.squeeze, scale)
        incoming = scale if block.residual else _scale(outer, strength)
        _outputs(block.project, incoming)
    neck = net.neck
    for reader in (neck.skip, neck.reduce) if isinstance(neck, AttentionNeck) else (neck.mix,):
        _inputs(reader, incoming)


def _outputs(layer: nn.Module, scale: Tensor) -> None:
    layer.get_parameter("weight").mul_(scale.reshape(-1, *[1] * (layer.get_parameter("weight").ndim - 1)))
    layer.get_parameter("bias").mul_(scale)


def _inputs(layer: nn.Module, scale: Tensor) -> None:
    """Divide the weights of a layer by the ``scale`` of its input channels."""
    weight = layer.get_parameter("weight")
    if getattr(layer, "groups", 1) > 1:  # depthwise: output channel c reads input channel c
        weight.div_(scale.reshape(-1, *[1] * (weight.ndim - 1)))
    else:
        weight.div_(scale.reshape(1, -1, *[1] * (weight.ndim - 2)))
