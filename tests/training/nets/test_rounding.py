"""Activations and weights rounded as INT8 will: few values, and gradients all the same."""

from __future__ import annotations

from copy import deepcopy

import pytest
from available import need_training

need_training()

import torch

from ocrsvc.training.nets.net import SHAPES, Block, Crnn
from ocrsvc.training.nets.rounding import EVERY, Rounder, attach, weights

pytestmark = pytest.mark.timeout(120)


def test_an_activation_has_at_most_256_values_close_to_its_own() -> None:
    x = torch.randn(4, 8, 16, generator=torch.Generator().manual_seed(1)) * 3 - 1
    rounded = Rounder()(x)
    assert len(rounded.unique()) <= 256
    step = float(x.max() - x.min()) / 255
    assert float((rounded - x).abs().max()) <= step * 0.51
    assert float(rounded[x.abs() < step / 2].abs().max()) <= step  # zero stays zero, or next to it


def test_gradients_pass_straight_through() -> None:
    rounder = Rounder()
    rounder(torch.linspace(-1, 1, 100))
    x = torch.tensor([-5.0, -0.5, 0.25, 5.0], requires_grad=True)
    y = rounder(x)
    y.sum().backward()
    assert y.tolist() == pytest.approx([-1, -0.5, 0.25, 1], abs=2 / 255)  # clipped beyond the range
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1, 1, 1]


def test_a_range_leaves_out_what_hardly_ever_happens() -> None:
    """Of every channel, though only a part of a large activation is looked at."""
    x = torch.rand(8, 60, 40, 200)  # four million values in 0..1
    x[0, 0, 0, :20] = 1000.0
    x[:, 1::2] *= -1
    rounder = Rounder()
    rounder(x)
    assert 0.99 < rounder.high < 1.01
    assert -1.01 < rounder.low < -0.99


def test_ranges_follow_what_is_seen_now_and_then() -> None:
    rounder = Rounder()
    rounder(torch.tensor([-1.0, 1.0]))
    for _ in range(EVERY - 1):
        rounder(torch.tensor([-9.0, 9.0]))
    assert rounder.high == 1.0
    rounder(torch.tensor([-9.0, 9.0]))
    assert 1.0 < rounder.high < 9.0


def test_ranges_stand_still_where_nothing_is_learnt() -> None:
    rounder = Rounder()
    rounder(torch.tensor([-1.0, 1.0]))
    with torch.no_grad():
        for _ in range(2 * EVERY):
            rounder(torch.tensor([-9.0, 9.0]))
    assert rounder.high == 1.0


def test_all_but_gates_and_neck_rounds_and_another_net_takes_the_ranges_over() -> None:
    torch.manual_seed(1)
    net = Crnn(SHAPES["tiny"], 40).eval().requires_grad_(False)
    other = deepcopy(net)
    images = torch.rand(1, 3, 48, 64) * 2 - 1
    before = net(images)
    rounders = attach(net)
    after = net(images)
    blocks = [block for block in net.backbone.modules() if isinstance(block, Block)]
    assert all(len(block.expand._forward_hooks) == 1 for block in blocks)
    assert all(rounder.high > 0 for rounder in rounders)
    assert not torch.equal(before, after)
    assert torch.allclose(before, after, atol=0.1 * float(before.abs().max()))
    assert len(net.neck(net.backbone(images)).unique()) <= 256
    assert attach(other, iter(rounders)) == rounders
    with torch.no_grad():
        assert torch.equal(other(images), net(images))


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_have_255_values_a_channel_within_and_are_their_own_again_behind(shape: str) -> None:
    torch.manual_seed(1)
    net = Crnn(SHAPES[shape], 40)
    before = deepcopy(net.state_dict())
    block = next(block for block in net.backbone.modules() if isinstance(block, Block))
    with weights(net):
        for layer in (block.expand, net.head):
            for row in layer.weight.detach().flatten(1):
                steps = row / (row.abs().max() / 127)
                assert torch.allclose(steps, steps.round(), atol=1e-3)
        assert torch.equal(net.neck.reduce.weight, before["neck.reduce.weight"])
        net(torch.rand(1, 3, 48, 64)).sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert block.expand.weight.grad is not None
    assert not torch.equal(block.expand.weight.grad, torch.zeros_like(block.expand.weight))


def test_weights_are_their_own_again_after_an_error() -> None:
    net = Crnn(SHAPES["tiny"], 40)
    before = net.head.weight.detach().clone()
    with pytest.raises(ZeroDivisionError), weights(net):
        raise ZeroDivisionError
    assert torch.equal(net.head.weight, before)
