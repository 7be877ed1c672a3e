"""Widens a net without changing what it computes (Net2Net, Chen et al. 2016), to train it on with more capacity.

Every channel of the wider net is a copy of one of the narrow net. Whatever reads several copies of a channel splits
its weight among them unevenly: the sum stays the same, and the copies get different gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ocrsvc.training.nets.net import Block, ConvolutionNeck, Crnn, PlainStem, Recurrent, Shape


@dataclass(frozen=True)
class Copies:
    """``source``: the narrow channel [wide] that each wide one copies; ``share``: its part [wide] of what is read."""

    source: Tensor
    share: Tensor

    @classmethod
    def draw(cls, narrow: int, wide: int, random: torch.Generator) -> Copies:
        """Return each narrow channel, then copies of random ones, none of them copied twice before all are once."""
        if wide < narrow:
            raise ValueError(f"a net can be made wider, not narrower: {narrow} to {wide} channels")
        rounds = -(-wide // narrow)
        order = [
            torch.arange(narrow),
            *(torch.randperm(narrow, generator=random) for _ in range(rounds - 1)),
        ]
        source = torch.cat(order)[:wide]
        part = torch.rand(wide, generator=random) + 0.5
        return cls(source, part / torch.zeros(narrow).index_add_(0, source, part)[source])

    def twice(self) -> Copies:
        """Return the copies of both directions of a BiLSTM, whose outputs lie one behind the other."""
        narrow = int(self.source.max()) + 1
        return Copies(torch.cat((self.source, self.source + narrow)), torch.cat((self.share, self.share)))


@torch.no_grad()
def widen(net: Crnn, shape: Shape, seed: int = 1) -> Crnn:
    """Return a net of the wider ``shape`` in eval mode that computes what ``net`` does, up to rounding.

    ValueError for a shape that is narrower somewhere, has other blocks, or for a net of another kind of stem or neck.
    """
    stem, neck = net.backbone.stem, net.neck
    wide = Crnn(shape, net.head.out_features)
    wide_stem, wide_neck = wide.backbone.stem, wide.neck
    if not (isinstance(stem, PlainStem) and isinstance(wide_stem, PlainStem)):
        raise ValueError(f"{net.shape.name} has a stem that cannot be widened")
    if not (isinstance(neck, ConvolutionNeck) and isinstance(wide_neck, ConvolutionNeck)):
        raise ValueError(f"{net.shape.name} has a neck that cannot be widened")
    if (shape.blocks, shape.gates, shape.neck) != (net.shape.blocks, net.shape.gates, net.shape.neck):
        raise ValueError(f"{shape.name} has other blocks than {net.shape.name}")
    random = torch.Generator().manual_seed(seed)
    first = Copies.draw(stem.first.out_channels, wide_stem.first.out_channels, random)
    stages = [Copies.draw(a, b, random) for a, b in zip(net.shape.stages, shape.stages, strict=True)]
    _fill(wide_stem.first, stem.first, None, first)
    _fill(wide_stem.second, stem.second, first, stages[0])
    for i, name in enumerate(("low", "middle", "high")):
        for new, old in zip(getattr(wide.backbone, name), getattr(net.backbone, name), strict=True):
            _block(new, old, stages[i], stages[i] if old.residual else stages[i + 1], random)
    embedding = Copies.draw(net.shape.embedding, shape.embedding, random)
    _fill(wide_neck.mix, neck.mix, None, stages[2])
    _fill(wide_neck.point, neck.point, stages[2], stages[2])
    _fill(wide_neck.reduce, neck.reduce, stages[2], embedding)
    _recurrent(wide_neck.recurrent, neck.recurrent, embedding, random)
    _fill(wide.head, net.head, embedding, None)
    return wide.eval()


_Layer = nn.Linear | nn.Conv1d | nn.Conv2d


def _fill(to: _Layer, of: _Layer, read: Copies | None, written: Copies | None) -> None:
    """Set the weight and bias of a layer from the narrow one's; ``read`` None: its inputs were not widened."""
    weight = of.weight
    if read is not None:
        weight = weight[:, read.source] * read.share.reshape(1, -1, *[1] * (weight.ndim - 2))
    to.weight.copy_(weight if written is None else weight[written.source])
    if of.bias is not None and to.bias is not None:
        to.bias.copy_(of.bias if written is None else of.bias[written.source])


def _block(to: Block, of: Block, own: Copies, out: Copies, random: torch.Generator) -> None:
    _fill(to.depthwise, of.depthwise, None, own)
    if of.gate is not None and to.gate is not None:
        squeezed = Copies.draw(of.gate.squeeze.out_channels, to.gate.squeeze.out_channels, random)
        _fill(to.gate.squeeze, of.gate.squeeze, own, squeezed)
        _fill(to.gate.excite, of.gate.excite, squeezed, own)
    hidden = Copies.draw(of.expand.out_channels, to.expand.out_channels, random)
    _fill(to.expand, of.expand, own, hidden)
    _fill(to.project, of.project, hidden, out)


def _recurrent(to: Recurrent, of: Recurrent, embedding: Copies, random: torch.Generator) -> None:
    hidden = Copies.draw(of.lstm.hidden_size, to.lstm.hidden_size, random)
    rows = torch.cat([hidden.source + gate * of.lstm.hidden_size for gate in range(4)])
    for direction in ("", "_reverse"):
        for name, read in (("weight_ih_l0", embedding), ("weight_hh_l0", hidden)):
            weight = getattr(of.lstm, name + direction)
            getattr(to.lstm, name + direction).copy_(weight[rows][:, read.source] * read.share)
        for name in ("bias_ih_l0", "bias_hh_l0"):
            getattr(to.lstm, name + direction).copy_(getattr(of.lstm, name + direction)[rows])
    _fill(to.project, of.project, hidden.twice(), embedding)
