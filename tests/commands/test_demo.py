"""``ocrsvc demo`` with the real models: the text of its sample, a copy of it, and the picture with marks."""

from __future__ import annotations

from pathlib import Path

import pytest
from available import model_name
from PIL import Image

from ocrsvc.commands.cli import main
from ocrsvc.commands.demo import sample


def test_the_sample_is_read_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCRSVC_MODEL", model_name())
    copy, marked = tmp_path / "receipt.jpg", tmp_path / "lines.png"
    assert main(["demo", "--save", str(copy), "--marked", str(marked)]) == 0
    printed = capsys.readouterr().out
    assert "合计 TOTAL 37.20" in printed
    assert "找零 CHANGE 12.80" in printed
    assert copy.read_bytes() == sample().read_bytes()
    with Image.open(marked) as picture, Image.open(copy) as plain:
        assert picture.size == plain.size
