"""`ocrsvc bench`: one file a machine, and the table of several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_model

from ocrsvc.commands import bench, cli
from ocrsvc.diagnosis import benchmark
from ocrsvc.machine import cpu


def test_a_report_has_all_that_the_table_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_model.write(tmp_path)
    out = tmp_path / "out.json"
    command = [
        "bench",
        "report",
        "--model",
        str(tmp_path / "tiny"),
        "--seconds",
        "0.01",
        "--output",
        str(out),
    ]
    assert cli.main(command) == 0
    assert "pages/s" in capsys.readouterr().out
    text = out.read_text("utf-8")
    assert str(tmp_path) not in text
    document = json.loads(text)
    cores = cpu.inspect().effective
    ways = [(row["workers"], row["batch"]) for row in document["lines"]]
    assert ways == [(workers, batch) for workers in sorted({1, cores}) for batch in benchmark.BATCHES]
    assert all(row["lines_per_second"] > 0 and row["ms_a_batch"] > 0 for row in document["lines"])
    assert document["pages"]["ms_a_page_alone"] > 0
    assert document["pages"]["lines_right"] == 0  # it reads stripes
    assert document["machine"]["effective"] == cores
    assert cli.main(["bench", "compare", str(out), str(out)]) == 0
    assert "batches of 16" in capsys.readouterr().out


def test_machines_stand_side_by_side() -> None:
    def report(model: str, cores: int, rate: float) -> dict[str, object]:
        machine = {
            "model": model,
            "architecture": "a",
            "effective": cores,
            "onnxruntime": "1",
            "load_average": 0.1,
        }
        row = {"model": "crnn", "precision": "int8", "batch": 1, "workers": cores, "lines_per_second": rate}
        pages = {
            "model": "crnn",
            "digest": "sha256:0123456789abcdef",
            "lines": 24,
            "lines_right": 24,
            "ms_a_page_alone": 100.0,
            "pages_per_second": rate,
        }
        return {"machine": machine, "lines": [row], "pages": pages}

    lines = bench.table([report("X", 2, 50), report("", 64, 125)])
    assert lines[0] == "| lines/s of 320 pixels | X, 2 cores | a, 64 cores |"
    assert "| crnn int8, all cores, batches of 1 | 50 | 125 (x 2.50) |" in lines
    assert "| its lines read right | 24 of 24 | 24 of 24 |" in lines


def test_other_files_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert cli.main(["bench", "compare", str(tmp_path / "a.json")]) == 2
    assert "ocrsvc bench report" in capsys.readouterr().err
