"""A model folder gives back the very parameters that went in, and says why where it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from available import need_training
from drawings import Picture
from training.tiny_training import described

need_training()

import onnxruntime as ort
import torch

from ocrsvc.models.buckets import fit, stack
from ocrsvc.models.registry import default_models_dir
from ocrsvc.training.data.features import BUCKETS, PAD_VALUE
from ocrsvc.training.nets.net import HEIGHT, SHAPES, Crnn, normalise
from ocrsvc.training.nets.weights import load_net
from ocrsvc.training.packing import folder as folder_module

pytestmark = pytest.mark.timeout(120)
CHARSET = "0123456789.合计日期元 "


def write(folder: Path, net: Crnn, lines: Sequence[Picture] = ()) -> None:
    description = described("t", CHARSET, buckets=BUCKETS.widths, keep_float=("/stem/", "/gate/", "/neck/"))
    folder_module.write(folder, net, description, lines)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_parameter_comes_back(shape: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = Crnn(SHAPES[shape], len(CHARSET) + 1).eval()
    write(tmp_path, net)
    found, charset = load_net(tmp_path)
    assert charset == CHARSET
    assert found.shape == SHAPES[shape]
    assert all(parameter.requires_grad for parameter in found.parameters())
    for (name, before), after in zip(net.state_dict().items(), found.state_dict().values(), strict=True):
        assert torch.allclose(before, after, rtol=0, atol=1e-30), name


def test_the_graph_says_what_the_net_says_that_came_out_of_it(
    tmp_path: Path, draw_line: Callable[..., Picture]
) -> None:
    torch.manual_seed(3)
    write(tmp_path, Crnn(SHAPES["tiny"], len(CHARSET) + 1))
    net, _ = load_net(tmp_path)
    pixels = stack([fit(draw_line("合计 37.20"), HEIGHT)], height=HEIGHT, width=320, pad_value=PAD_VALUE)
    session = ort.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (features,) = session.run(["features"], {"pixels": pixels})
    with torch.no_grad():
        assert np.allclose(features, net.neck(net.backbone(normalise(pixels))).numpy(), atol=1e-3)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_what_an_int8_graph_was_made_of_comes_back(
    shape: str, tmp_path: Path, draw_line: Callable[..., Picture]
) -> None:
    """Up to rounding."""
    torch.manual_seed(3)
    lines = [fit(draw_line(text), HEIGHT) for text in ("合计 37.20", "日期 2026", "0123456789")]
    net = Crnn(SHAPES[shape], len(CHARSET) + 1).eval()
    write(tmp_path / "t", net, lines)
    found, charset = load_net(tmp_path / "t@int8")
    assert charset == CHARSET
    for (name, before), after in zip(net.state_dict().items(), found.state_dict().values(), strict=True):
        # Some steps of a row's 127, because weights make up for each other, or 11 bits where it stays in float.
        assert (before - after).abs().max() <= 4 * before.abs().max() / 127, name


def test_a_graph_without_our_parameters_is_refused(tmp_path: Path) -> None:
    write(tmp_path, Crnn(SHAPES["tiny"], len(CHARSET) + 1))
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    manifest["files"]["fp32"] = folder_module.entry(tmp_path / "head.npz")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ValueError, match="not an ONNX graph"):
        load_net(tmp_path)
    del manifest["files"]["fp32"]
    manifest["files"]["int8"] = folder_module.entry(tmp_path / "model.onnx")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ValueError, match="has no fp32 graph"):
        load_net(tmp_path)


def test_a_detector_does_not_learn_to_read() -> None:
    with pytest.raises(ValueError, match="only recognisers learn to read"):
        load_net(default_models_dir() / "ppocrv6-det-small")
