"""bench/printed_pages.py: pages and lines that the project draws are data for `ocrsvc evaluate` and the benches."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import printed_pages
import pytest

from ocrsvc.commands.cli import main


@pytest.mark.browser
def test_drawn_lines_are_data_of_an_evaluation(
    tmp_path: Path, chromium_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines"
    arguments = [str(tmp_path / "pages"), "--lines", str(lines), "--pages", "1"]
    monkeypatch.setattr(sys, "argv", ["printed_pages.py", *arguments])
    printed_pages.main()
    for source in ("printed", "scanned"):
        (page,) = (tmp_path / "pages" / source / "manifest.jsonl").read_text("utf-8").splitlines()
        rows = [
            json.loads(row) for row in (lines / source / "manifest.jsonl").read_text("utf-8").splitlines()
        ]
        assert [row["text"] for row in rows] == [box["text"] for box in json.loads(page)["boxes"]]
        assert all(cv2.imread(str(lines / source / row["file"])) is not None for row in rows)
    capsys.readouterr()
    assert main(["evaluate", str(lines), "--limit", "8", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["sources"]
    assert scores["printed"]["exact"] >= 0.75
