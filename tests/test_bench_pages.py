"""bench/pages.py over a drawn page, from end to end."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pages
import pytest
from available import missing
from drawings import RECEIPT, DrawnPage


@pytest.fixture
def receipts(draw_page: Callable[..., DrawnPage], tmp_path: Path) -> Path:
    """A labelled data set of one drawn receipt."""
    folder = tmp_path / "pages" / "receipts"
    (folder / "img").mkdir(parents=True)
    cv2.imwrite(str(folder / "img" / "1.png"), draw_page(RECEIPT).image)
    row = {"file": "img/1.png", "text": "\n".join(RECEIPT), "boxes": [{"text": text} for text in RECEIPT]}
    (folder / "manifest.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return folder.parent


def test_a_model_with_two_detectors_takes_turns(
    receipts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, plot = tmp_path / "out.json", tmp_path / "out.svg"
    engines = ["crnn-fast", "crnn-fast+ppocrv6-det-small"]
    arguments = [str(receipts), "--engines", ",".join(engines), "--json", str(out), "--plot", str(plot)]
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


def test_another_engine_reads_in_the_python_that_is_named(
    receipts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("tesseract") is None:
        missing("no tesseract: apt-get install tesseract-ocr tesseract-ocr-chi-sim")
    python, out = tmp_path / "python", tmp_path / "out.json"
    python.write_text(
        f'#!/bin/sh\ntouch {tmp_path}/started\nexec {sys.executable} -I "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    arguments = [str(receipts), "--engines", "tesseract", "--python", f"tesseract={python}"]
    monkeypatch.setattr(sys, "argv", ["pages.py", *arguments, "--json", str(out)])
    pages.main()
    assert (tmp_path / "started").exists()
    figures = json.loads(out.read_text("utf-8"))["engines"]["tesseract"]
    assert figures["name"].startswith("Tesseract")
    assert figures["scores"]["MEAN"]["char_f1"] > 0.5
    assert figures["cpu_seconds"] > 0.05, "the time of its command counts"
