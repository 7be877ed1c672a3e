"""bench/soak.py and bench/overload.py at the real server, for seconds, whatever its speed."""

from __future__ import annotations

import contextlib
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import overload
import pytest
import serving
import soak

pytestmark = pytest.mark.timeout(900)

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(bench_server: serving.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run(module, *arguments)`` -> the report of a bench that finds the server running."""
    monkeypatch.setattr(serving, "ours", lambda **_: contextlib.nullcontext(bench_server))

    def start(bench: Any, *arguments: str) -> dict[str, Any]:
        out = tmp_path / "out.json"
        monkeypatch.setattr(sys, "argv", [f"{bench.__name__}.py", *arguments, "--json", str(out)])
        bench.main()
        report: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return report

    return start


def test_overload_is_refused_in_time_and_nothing_else(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "_PICTURES", 20)
    seconds = ["--rounds", "1", "--seconds", "2", "--calibration-seconds", "2"]
    report = run(overload, *seconds, "--deadline", "60", "--markdown")
    assert report["alive"]
    assert report["lines_per_second"] > 0
    for phase in overload.PHASES:
        assert report["phases"][phase]["others"] == 0
        assert report["phases"][phase]["answered"] > 0
        assert report["phases"][phase]["accepted_max_ms"]["median"] <= 60_000
    assert report["phases"]["overload"]["recovery_ms"]["median"] > 0
    assert "| overload |" in capsys.readouterr().out


def test_a_soak_of_seconds(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "_REST_SECONDS", 0.0)
    plot = tmp_path / "soak.svg"
    report = run(soak, "--minutes", "0.1", "--clients", "3", "--every", "1", "--plot", str(plot))
    assert report["alive"]
    assert (report["server_errors"], report["unanswered"]) == (0, 0)
    assert report["requests"] > 0
    assert report["rested"]["requests_inside"] == report["rested"]["pixels_inside"] == 0
    assert set(report["statuses"]["bad"]) <= {"400", "413", "415", "422", "503"}
    assert len(report["samples"]["seconds"]) == len(report["samples"]["descriptors"]) > 1
    assert "RSS in MB" in plot.read_text("utf-8")


def test_every_kind_of_request_is_made() -> None:
    rng = random.Random(0)
    for kind in soak.KINDS:
        for _ in range(5):
            assert soak.request(rng, kind).startswith(b"POST /api/")
