"""A widened net computes what the narrow one does, and its copies learn to differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
from available import need_training

need_training()

import torch
from torch import Tensor

from ocrsvc.training.nets.net import SHAPES, Crnn
from ocrsvc.training.nets.widen import Copies, widen

CLASSES = 30


@pytest.fixture(scope="module")
def narrow() -> Crnn:
    torch.manual_seed(1)
    net = Crnn(SHAPES["tiny"], CLASSES)
    torch.nn.init.normal_(net.neck.recurrent.project.weight, std=0.1)  # else the BiLSTM adds nothing
    return net.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 48, 96, generator=torch.Generator().manual_seed(2))


def test_the_wider_net_computes_the_same(narrow: Crnn, images: Tensor) -> None:
    wide = widen(narrow, SHAPES["medium"])
    assert wide.shape == SHAPES["medium"]
    assert sum(p.numel() for p in wide.parameters()) > 1.5 * sum(p.numel() for p in narrow.parameters())
    with torch.no_grad():
        torch.testing.assert_close(wide(images), narrow(images), rtol=1e-4, atol=1e-4)


def test_copies_of_a_channel_get_different_gradients(narrow: Crnn, images: Tensor) -> None:
    wide = widen(narrow, SHAPES["medium"])
    wide(images).square().mean().backward()  # type: ignore[no-untyped-call]
    gradient = dict(wide.named_parameters())["backbone.low.0.expand.weight"].grad
    assert gradient is not None
    source = Copies.draw(96, 128, torch.Generator().manual_seed(1)).source
    assert len(torch.unique(gradient, dim=0)) == len(gradient) == len(source)


def test_copies_share_what_is_read() -> None:
    copies = Copies.draw(5, 13, torch.Generator().manual_seed(3))
    assert copies.source[:5].tolist() == [0, 1, 2, 3, 4]
    assert torch.bincount(copies.source).min() >= 2
    total = torch.zeros(5).index_add_(0, copies.source, copies.share)
    torch.testing.assert_close(total, torch.ones(5))
    both = copies.twice()
    assert both.source[13:].tolist() == [5 + i for i in copies.source.tolist()]


def test_what_cannot_be_widened_is_refused(narrow: Crnn) -> None:
    with pytest.raises(ValueError, match="wider, not narrower"):
        widen(narrow, replace(SHAPES["medium"], stages=(32, 128, 208)))
    with pytest.raises(ValueError, match="other blocks"):
        widen(narrow, replace(SHAPES["medium"], blocks=(2, 2, 2)))
    with pytest.raises(ValueError, match="stem that cannot be widened"):
        widen(Crnn(SHAPES["small"], CLASSES), SHAPES["small"])
