"""The modules of our CRNNs by themselves: shapes, what sees what, and a residual that begins at nothing."""

from __future__ import annotations

import pytest
from available import need_training

need_training()

import torch

from ocrsvc.training.nets.net import SHAPES, AttentionNeck, ConvolutionNeck, Crnn, Recurrent

NECKS: dict[str, type[AttentionNeck | ConvolutionNeck]] = {"small": AttentionNeck, "tiny": ConvolutionNeck}


def neck_of(name: str, *, trained: bool) -> AttentionNeck | ConvolutionNeck:
    """A neck with random weights; ``trained``: its BiLSTM says something."""
    torch.manual_seed(1)
    neck = NECKS[name](SHAPES[name]).eval()
    if trained:
        torch.nn.init.normal_(neck.recurrent.project.weight, std=0.2)
    return neck


@pytest.mark.parametrize("width", [8, 64, 200])
@pytest.mark.parametrize("name", ["small", "tiny"])
def test_shapes(name: str, width: int) -> None:
    net = Crnn(SHAPES[name], classes=11).eval()
    with torch.no_grad():
        images = torch.zeros(3, 3, 48, width)
        assert net.backbone(images).shape == (3, width // 8, SHAPES[name].features)
        assert net.neck(net.backbone(images)).shape == (3, width // 8, SHAPES[name].embedding)
        assert net(images).shape == (3, width // 8, 11)


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_rows_do_not_mix(name: str) -> None:
    """Neither through squeeze-and-excite nor attention nor the BiLSTM."""
    torch.manual_seed(1)
    net = Crnn(SHAPES[name], classes=11).eval()
    for parameter in net.parameters():  # so that signals do not fade on their way through a fresh net
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)
    images = torch.rand(3, 3, 48, 160) * 2 - 1
    with torch.no_grad():
        together, alone = net(images), net(images[1:2])
        others = net(torch.cat((images[:1] * 0, images[1:2], images[2:] * -1)))
    assert torch.allclose(together[1:2], alone, atol=1e-5)
    assert torch.allclose(together[1:2], others[1:2], atol=1e-5)
    assert not torch.allclose(together[:1], together[1:2], atol=1e-2)  # rows that would differ


@pytest.mark.parametrize("end", [0, -1])
@pytest.mark.parametrize(("name", "trained"), [("small", False), ("small", True), ("tiny", True)])
def test_the_neck_sees_the_whole_line(name: str, trained: bool, end: int) -> None:
    """One end changes what the other says, through attention, the BiLSTM, or both."""
    neck = neck_of(name, trained=trained)
    features = torch.randn(1, 24, SHAPES[name].features)
    changed = features.clone()
    changed[:, end] += 5
    with torch.no_grad():
        before, after = neck(features)[0, -1 - end], neck(changed)[0, -1 - end]
    assert not torch.equal(before, after)


def test_without_its_bilstm_the_convolution_neck_sees_five_frames() -> None:
    neck = neck_of("tiny", trained=False)
    features = torch.randn(1, 24, SHAPES["tiny"].features)
    changed = features.clone()
    changed[:, 12] += 5
    with torch.no_grad():
        differ = (neck(features) != neck(changed)).any(-1)[0].nonzero().flatten()
    assert differ.tolist() == [10, 11, 12, 13, 14]


def test_the_residual_begins_at_nothing_and_learns() -> None:
    """The first step reaches its last layer, the second the BiLSTM behind it."""
    torch.manual_seed(1)
    residual = Recurrent(width=12, hidden=5)
    x, goal = torch.randn(2, 9, 12), torch.randn(2, 9, 12)
    assert torch.equal(residual(x), x)
    optimiser = torch.optim.SGD(residual.parameters(), lr=1.0)
    losses, reached = [], []
    for _ in range(20):
        loss = (residual(x) - goal).square().mean()
        optimiser.zero_grad()
        loss.backward()
        gradient = residual.get_parameter("lstm.weight_ih_l0").grad
        assert gradient is not None
        reached.append(float(gradient.abs().max()))
        losses.append(float(loss.detach()))
        optimiser.step()
    assert reached[0] == 0 < reached[1]
    assert losses[-1] < 0.9 * losses[0]
    assert not torch.equal(residual(x), x)
