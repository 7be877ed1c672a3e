"""What the tests of training on live batches share: an untrained net of digits, and labelled lines for it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import drawings
import pytest
from training.tiny_training import DIGIT_BUCKETS, DIGITS, described


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of an untrained net."""
    import torch

    from ocrsvc.training.nets.net import SHAPES, Crnn
    from ocrsvc.training.packing import folder as folder_module

    torch.manual_seed(1)
    net, folder = Crnn(SHAPES["tiny"], len(DIGITS) + 1), tmp_path_factory.mktemp("start") / "net"
    folder_module.write(folder, net, described("net", DIGITS, buckets=DIGIT_BUCKETS))
    return folder


@pytest.fixture(scope="session")
def labelled(font_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five labelled lines."""
    folder = tmp_path_factory.mktemp("real") / "cards"
    (folder / "img").mkdir(parents=True)
    rows = [{"file": f"img/{i}.png", "text": str(1234 * (i + 1))} for i in range(5)]
    for row in rows:
        cv2.imwrite(str(folder / row["file"]), drawings.line_image(row["text"], font_path))
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder
