"""Cross-layer equalisation (Nagel et al. 2019): the channels of an activation get one range, the net stays the same.

INT8 has one scale for all channels of an activation, and after depthwise convolutions some channels reach ten times
as far as others, which are then rounded to a few steps. A depthwise convolution treats every channel alone, so its
output can be scaled by channel, and all that reads it by the inverse; the residual path carries the scale on.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ocrsvc.training.nets.net import AttentionNeck, Block, Crnn

FLOOR = 0.02  # of the widest channel; a channel that is almost silent is not blown up beyond that


class _Extent:
    """The largest magnitude of every channel of a module's output [N,C,H,W]; a forward hook."""

    def __init__(self) -> None:
        self.peak: Tensor | None = None

    def __call__(self, _: nn.Module, __: tuple[Tensor], output: Tensor) -> None:
        peak = output.detach().abs().amax((0, 2, 3))
        self.peak = peak if self.peak is None else torch.maximum(self.peak, peak)


def _scale(extent: _Extent, strength: float) -> Tensor:
    """What to multiply channels with, so that their ranges come close to the widest one's."""
    if extent.peak is None:
        raise ValueError("no image was shown to the net")
    widest = extent.peak.max()
    return (widest / extent.peak.clamp(min=float(widest) * FLOOR)) ** strength


@torch.no_grad()
def equalise(net: Crnn, batches: Iterable[Tensor], strength: float = 1.0) -> None:
    """Changes the weights in place, by what images float32 [N,3,48,W] show; the net's answers stay what they were.

    Only of a net whose features are read by an ``AttentionNeck`` or a ``ConvolutionNeck``; ``strength`` 0 to 1.
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
    """Divides by ``scale`` what a layer makes of its inputs' channels."""
    weight = layer.get_parameter("weight")
    if getattr(layer, "groups", 1) > 1:  # depthwise: output channel c reads input channel c
        weight.div_(scale.reshape(-1, *[1] * (weight.ndim - 1)))
    else:
        weight.div_(scale.reshape(1, -1, *[1] * (weight.ndim - 2)))
