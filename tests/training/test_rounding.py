"""Activations rounded as INT8 will: few values, and gradients all the same."""

from __future__ import annotations

import pytest
from available import need_training

need_training()

import torch  # noqa: E402

from ocrsvc.training.net import SHAPES, Backbone, Block  # noqa: E402
from ocrsvc.training.rounding import EVERY, Rounder, attach  # noqa: E402

pytestmark = pytest.mark.timeout(120)


def test_an_activation_has_at_most_256_values_close_to_its_own() -> None:
    x = torch.randn(4, 8, 16, generator=torch.Generator().manual_seed(1)) * 3 - 1
    rounded = Rounder()(x)
    assert len(rounded.unique()) <= 256
    step = float(x.max() - x.min()) / 255
    assert float((rounded - x).abs().max()) <= step * 0.51
    assert float(rounded[x.abs() < step / 2].abs().max()) <= step  # zero stays zero, or next to it


def test_gradients_pass_where_nothing_is_clipped() -> None:
    rounder = Rounder()
    rounder(torch.linspace(-1, 1, 100))
    x = torch.tensor([-5.0, -0.5, 0.25, 5.0], requires_grad=True)
    rounder(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 0]


def test_ranges_follow_what_is_seen_now_and_then() -> None:
    rounder = Rounder()
    rounder(torch.tensor([-1.0, 1.0]))
    for _ in range(EVERY - 1):
        rounder(torch.tensor([-9.0, 9.0]))
    assert rounder.high == 1.0
    rounder(torch.tensor([-9.0, 9.0]))
    assert 1.0 < rounder.high < 9.0


def test_every_block_of_a_backbone_rounds() -> None:
    torch.manual_seed(1)
    backbone = Backbone(SHAPES["tiny"]).eval()
    images = torch.rand(1, 3, 48, 64) * 2 - 1
    with torch.no_grad():
        before = backbone(images)
        attach(backbone)
        after = backbone(images)
    blocks = [block for block in backbone.modules() if isinstance(block, Block)]
    assert all(len(block.expand._forward_hooks) == 1 for block in blocks)
    assert not torch.equal(before, after)
    assert torch.allclose(before, after, atol=0.1 * float(before.abs().max()))
