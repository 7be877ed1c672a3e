"""bench/traffic.py over a model whose tensors can be counted by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import tiny_model
import traffic


def test_bytes_of_the_graph_and_the_cores_that_they_feed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_model.write(tmp_path)
    out = tmp_path / "out.json"
    shape = ["--batches", "1,4", "--width", "320", "--cache", "0.5,100"]
    arguments = [
        "--model",
        str(tmp_path / "tiny"),
        *shape,
        "--bandwidth",
        "150",
        "--json",
        str(out),
        "--markdown",
    ]
    monkeypatch.setattr(sys, "argv", ["traffic.py", *arguments])
    traffic.main()
    assert "150.0 GB/s (given)" in capsys.readouterr().out
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert [(row["batch"], row["cache_megabytes"]) for row in rows] == [
        (1, 0.5),
        (1, 100),
        (4, 0.5),
        (4, 100),
    ]
    pixels = 48 * 320 * 3
    # Scaling reads and writes a float a pixel; only with four lines is that beyond half a megabyte, as is the cast.
    assert [row["largest_node_megabytes"] for row in rows] == [
        each * pixels * 8 / 1e6 for each in (1, 1, 4, 4)
    ]
    assert rows[0]["fetched_megabytes_a_line"] == 0
    assert rows[2]["fetched_megabytes_a_line"] > pixels * 8 / 1e6
    assert rows[2]["fetched_megabytes_a_line"] <= rows[2]["touched_megabytes_a_line"]
    assert rows[3]["cores"] is None
    assert rows[2]["cores"] * rows[2]["gigabytes_per_second_a_core"] == pytest.approx(150)


def test_copies_have_a_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "_COPY_SECONDS", 0.01)
    monkeypatch.setattr(traffic, "_COPY_BYTES", 2**20)
    assert traffic.copy_bandwidth(2) > 0
