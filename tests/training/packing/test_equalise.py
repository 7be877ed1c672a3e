"""Equalised channels: other weights, the same net."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from available import missing, need_training

need_training()

import torch
from torch import Tensor

from ocrsvc.training.nets import teacher
from ocrsvc.training.nets.net import SHAPES, Block, Crnn
from ocrsvc.training.packing.equalise import equalise

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(2, 3, 6, 16, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (48, 128), mode="bicubic").clamp(-1, 1)


@pytest.fixture(scope="module", params=["small", "tiny"])
def net(request: pytest.FixtureRequest, teacher_path: Path) -> Crnn:
    torch.manual_seed(2)
    try:
        teacher.model_path(request.param)
    except FileNotFoundError as error:
        missing(str(error))
    net = Crnn(SHAPES[request.param], 20)
    teacher.load_donor(net)
    return net.eval()


@torch.no_grad()
def spread(net: Crnn, images: Tensor) -> float:
    """How many times as far the widest channel of a depthwise output reaches as the middle one, on average."""
    found: list[float] = []

    def note(_: torch.nn.Module, __: tuple[Tensor], output: Tensor) -> None:
        peak = output.abs().amax((0, 2, 3))
        found.append(float(peak.max() / peak.median()))

    hooks = [b.depthwise.register_forward_hook(note) for b in net.backbone.modules() if isinstance(b, Block)]
    net.backbone(images)
    for hook in hooks:
        hook.remove()
    return sum(found) / len(found)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_answers_stay_and_ranges_come_together(net: Crnn, images: Tensor, strength: float) -> None:
    changed = deepcopy(net)
    equalise(changed, [images], strength)
    with torch.no_grad():
        before, after = net(images), changed(images)
    assert torch.allclose(before, after, atol=1e-3 * float(before.abs().max()))
    assert spread(changed, images) < spread(net, images) ** (1 - 0.8 * strength)


def test_strength_nought_changes_nothing(net: Crnn, images: Tensor) -> None:
    changed = deepcopy(net)
    equalise(changed, [images], 0.0)
    for name, parameter in net.named_parameters():
        assert torch.equal(parameter, changed.get_parameter(name)), name


def test_without_images_there_is_nothing_to_go_by(net: Crnn) -> None:
    with pytest.raises(ValueError, match="no image"):
        equalise(deepcopy(net), [])
