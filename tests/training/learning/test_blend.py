"""A stage drawn back towards its start, by parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from available import need_training
from training.tiny_training import described

need_training()

import onnx
import torch
from onnx import numpy_helper

from ocrsvc.training.commands import cli
from ocrsvc.training.nets.net import SHAPES, Crnn
from ocrsvc.training.packing import export
from ocrsvc.training.packing import folder as folder_module

CHARSET = "0123456789合计 圖書"
FIRST_ROW = 12


@pytest.fixture
def start(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    net = Crnn(SHAPES["tiny"], len(CHARSET) + 1)
    folder_module.write(tmp_path / "start", net, described("start", CHARSET))
    return tmp_path / "start"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(2)
    path = tmp_path / "run" / "wide" / "last.pt"
    path.parent.mkdir(parents=True)
    content = {
        "shape": "tiny",
        "average": Crnn(SHAPES["tiny"], len(CHARSET) + 1).state_dict(),
        "charset": CHARSET,
        "recipe": {"first_row": FIRST_ROW},
    }
    torch.save(content, path)
    return path


def test_each_part_goes_its_own_share_of_the_way(start: Path, checkpoint: Path, tmp_path: Path) -> None:
    arguments = ["blend", str(checkpoint), "--start", str(start), "--out", str(tmp_path / "back")]
    cli.main([*arguments, "--neck", "0.25", "--rows", "0.5", "--nats", "-0.6"])
    net, charset = export.load(tmp_path / "back" / "wide" / "last.pt")
    before = onnx.load(start / "model.onnx")
    old = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in before.graph.initializer}
    learnt = torch.load(checkpoint, weights_only=True)["average"]
    assert charset == CHARSET
    shares = {"backbone": 1.0, "neck": 0.25, "head": 0.5}
    for name, tensor in net.state_dict().items():
        expected = torch.lerp(old[f"net.{name}"], learnt[name], shares[name.partition(".")[0]])
        if name == "head.bias":
            expected[FIRST_ROW:] -= 0.6
        assert torch.allclose(tensor, expected, atol=1e-6), name
    recipe = torch.load(tmp_path / "back" / "wide" / "last.pt", weights_only=True)["recipe"]
    assert recipe["drawn_back"] == {
        "backbone": 1.0,
        "neck": 0.25,
        "rows": 0.5,
        "nats": -0.6,
        "nats_of": (),
    }
    with pytest.raises(SystemExit, match="is there already"):
        cli.main(arguments)


def test_nats_go_to_the_rows_that_could_learn(start: Path, checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, "recipe": {"rows": "chars:圖書5"}}, checkpoint)
    cli.main(
        ["blend", str(checkpoint), "--start", str(start), "--out", str(tmp_path / "back"), "--nats", "1.5"]
    )
    net, _ = export.load(tmp_path / "back" / "wide" / "last.pt")
    added = net.head.bias.detach() - content["average"]["head.bias"]
    wanted = [1.5 * (c in "圖書5") for c in CHARSET]
    assert added.tolist() == pytest.approx([0.0, *wanted], abs=1e-5)


def test_what_does_not_belong_together_is_refused(start: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = ["--start", str(start), "--out", str(tmp_path / "back")]
    with pytest.raises(SystemExit, match="run `ocrsvc train fit` first"):
        cli.main(["blend", str(tmp_path / "nosuch.pt"), *out])
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, "charset": CHARSET[:-1]}, checkpoint)
    with pytest.raises(SystemExit, match="different shapes or charsets"):
        cli.main(["blend", str(checkpoint), *out])
    assert not (tmp_path / "back").exists()
