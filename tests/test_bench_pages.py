"""bench/pages.py over a drawn page, from end to end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pages
import pytest
from drawings import RECEIPT, DrawnPage


def test_a_model_with_two_detectors_takes_turns(
    draw_page: Callable[..., DrawnPage],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "pages" / "receipts"
    (folder / "img").mkdir(parents=True)
    cv2.imwrite(str(folder / "img" / "1.png"), draw_page(RECEIPT).image)
    row = {"file": "img/1.png", "text": "\n".join(RECEIPT), "boxes": [{"text": text} for text in RECEIPT]}
    (folder / "manifest.jsonl").write_text(json.dumps(row), encoding="utf-8")
    out, plot = tmp_path / "out.json", tmp_path / "out.svg"
    engines = ["crnn-fast", "crnn-fast+ppocrv6-det-small"]
    arguments = [str(folder.parent), "--engines", ",".join(engines), "--json", str(out), "--plot", str(plot)]
    monkeypatch.setattr(sys, "argv", ["pages.py", *arguments])
    pages.main()
    assert "crnn-fast, ppocrv6-det-tiny" in capsys.readouterr().out
    document = json.loads(out.read_text("utf-8"))
    assert list(document["engines"]) == engines
    for name, figures in document["engines"].items():
        assert figures["name"].startswith("crnn-fast, ppocrv6-det-")
        assert figures["scores"]["MEAN"]["line_recall"] >= 0.9
        (said,) = out.with_suffix(f".{name}.jsonl").read_text("utf-8").splitlines()
        assert len(json.loads(said)["lines"]) == len(RECEIPT)
    assert "line recall" in plot.read_text("utf-8")
