"""The benches that need no server: the table of batches, what they compute, what they print and draw."""

from __future__ import annotations

import json
import mmap
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import batch_table
import cells
import claims
import enhance
import events
import harness
import load
import memory
import mixed
import numpy as np
import overhead
import plots
import profiler
import pytest
import throughput
import tiny_model
from peers.own import manifest

from ocrsvc.models.registry import default_models_dir


@pytest.mark.timeout(180)  # sessions of two threads wait for each other on a machine that is busy with others
def test_the_table_of_batches_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(events, "count", lambda event, work: None)  # perf takes longer than all the rest
    monkeypatch.setattr(claims, "_BLOG_THREADS", 2)  # 14 spinning threads take the machine from other tests
    tiny_model.write(tmp_path)
    out = tmp_path / "results" / "out.json"
    arguments = ["--model", str(tmp_path / "tiny"), "--batches", "1,4", "--threads", "1,2", "--rounds", "2"]
    arguments += ["--seconds", "0.002", "--width", "64", "--json", str(out), "--markdown"]
    monkeypatch.setattr(sys, "argv", ["batch_table.py", *arguments])
    batch_table.main()
    printed = capsys.readouterr().out
    assert "| 2 workers | 4 |" in printed
    assert "perf cannot say" in printed
    document = json.loads(out.read_text("utf-8"))
    cells = [(row["way"], row["batch"]) for row in document["rows"]]
    assert cells == [(way, batch) for way in ("1 thread", "2 threads", "2 workers") for batch in (1, 4)]
    for row in document["rows"]:
        assert len(row["rounds"]) == 2
        assert row["latency_ms"]["median"] > 0
    verdicts = {each["claim"]: each["verdict"] for each in document["claims"]}
    assert verdicts["ORT 1.8x PyTorch"] == "not measured", "stripes are none of our nets"
    assert set(verdicts.values()) <= {"confirmed", "refuted", "not measured"}


def _row(way: str, batch: int, *rounds: float) -> dict[str, Any]:
    return {"way": way, "batch": batch, "rounds": list(rounds)}


def test_claims_are_judged_round_by_round() -> None:
    rows = [_row("1 thread", 1, 5, 5), _row("1 thread", 32, 50, 60)]
    rows += [_row("2 threads", 1, 10, 20), _row("2 threads", 8, 30, 60), _row("2 threads", 32, 11, 22)]
    rows += [_row("2 workers", 1, 1, 1), _row("2 workers", 32, 99, 99)]
    timed = [
        _row("ORT_DISABLE_ALL", 1, 10, 10),
        _row("ORT_ENABLE_BASIC", 1, 11, 11),
        _row("ORT_ENABLE_ALL", 1, 12.2, 12.2),
        _row("ORT_SEQUENTIAL", 1, 20, 20),
        _row("ORT_PARALLEL 14/14", 1, 10, 10),
        _row("ORT fp32", 1, 18, 36),
        _row("PyTorch fp32", 1, 10, 20),
    ]
    batching, level, torch, parallel = claims.claims_of(rows, timed, cores=2)
    assert batching["measured"]["median"] == 1.1, "one session on all cores, largest batch over smallest"
    assert "best is batch 8: 3.00" in batching["how"]
    assert (level["measured"]["median"], level["verdict"]) == (1.22, "confirmed")
    assert (torch["measured"]["median"], torch["verdict"]) == (1.8, "confirmed")
    assert (parallel["measured"]["median"], parallel["verdict"]) == (0.5, "refuted")


def test_pytorch_and_onnxruntime_run_the_same_weights() -> None:
    for module in ("torch", "onnx"):
        pytest.importorskip(module)
    if not (default_models_dir() / "crnn-fast" / "manifest.json").is_file():
        pytest.skip("no crnn-fast here")
    ort_cell, torch_cell = claims.torch_cells(manifest("crnn-fast"), 96)
    said: Any = ort_cell.run()
    answer: Any = torch_cell.run()
    indices, probabilities = said
    assert (indices[:, :, 0] == answer[0][:, :, 0].numpy()).all()
    np.testing.assert_allclose(probabilities[:, :, 0], answer[1][:, :, 0].numpy(), atol=1e-4)


def test_an_event_is_counted_while_the_work_is_done() -> None:
    done = []

    def work() -> None:
        with mmap.mmap(-1, 200 * mmap.PAGESIZE) as fresh:
            fresh.madvise(mmap.MADV_NOHUGEPAGE)  # else one fault may bring all of it
            done.append(sum(fresh[:: mmap.PAGESIZE]))

    counted = events.count("page-faults", work)
    if counted is None:
        pytest.skip("no perf here, or it may not count")
    assert done == [0]
    assert counted > 50
    assert events.count("no-such-event", work) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("4711,,cache-misses,653198,100.00,,", 4711),
        ("4711,,cache-misses:u,653198,100.00,,", 4711),
        ("<not supported>,,cache-misses,0,100.00,,", None),
        ("<not counted>,,cache-misses,0,100.00,,", None),
        ("", None),
    ],
)
def test_what_perf_writes(line: str, expected: int | None) -> None:
    assert events.parse(f"# started on Sat\n\n{line}\n", "cache-misses") == expected


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([1.0], 99, 1.0), ([1.0, 2.0], 50, 1.0), ([float(i) for i in range(1, 101)], 99, 99.0)],
)
def test_percentiles_are_of_nearest_rank(values: Sequence[float], share: int, expected: float) -> None:
    assert harness.percentile(values, share) == expected


def test_ours_is_compared_round_by_round_at_the_best_number_of_clients() -> None:
    def turn(ours: float, other: float, limit: float) -> dict[str, Any]:
        def points(rate: float) -> dict[str, Any]:
            cost = {"lines_per_second": rate, "cpu_ms_per_line": 4.0}
            return {"1": {"lines_per_second": 1.0, "cpu_ms_per_line": 9.0}, "8": cost}

        return {
            "limit": {"lines_per_second": limit, "cpu_ms_per_line": 3.0, "rows": "4"},
            "ours": points(ours),
            "naive": points(other),
        }

    found = throughput.ratios([turn(90, 30, 100), turn(40, 10, 50)])
    assert found["ours of the limit"]["median"] == 0.85
    assert found["ours of the limit per CPU"]["median"] == 0.75
    assert found["ours over naive"]["median"] == 3.5


def test_lines_beside_a_page_are_those_that_overlap_one() -> None:
    pages = load.Answers(began=[20.0, 10.0, 11.0], ms=[1000.0, 2000.0, 4000.0], status=[200, 200, 503])
    began = [9.0, 9.5, 14.9, 15.1, 20.5, 21.5, 12.0]
    lines = load.Answers(began, [100.0, 600.0, 1.0, 2.0, 3.0, 4.0, 5.0], [200, 200, 200, 200, 200, 200, 503])
    assert mixed.beside_a_page(lines, pages) == [600.0, 1.0, 3.0]
    assert mixed.beside_a_page(lines, load.Answers()) == []


def test_the_wait_beside_pages_is_told_in_idle_times() -> None:
    turns: list[dict[str, dict[str, Any]]] = [
        {"idle": {"p50_ms": 4.0}, "mixed": {"p99_ms": 9.0, "p99_beside_ms": 20.0}},
        {"idle": {"p50_ms": 6.0}, "mixed": {"p99_ms": 9.0, "p99_beside_ms": None}},
    ]
    assert (mixed.over_idle(turns, "mixed") or {})["median"] == 4.0
    assert mixed.over_idle([{"idle": {"p50_ms": None}, "mixed": turns[0]["mixed"]}], "mixed") is None


def test_the_slope_is_that_of_the_second_half() -> None:
    points = [(0, 100.0), (100, 200.0), (200, 250.0), (300, 260.0), (400, 270.0)]
    assert memory.second_half(points) == points[2:]
    assert memory.slope(memory.second_half(points)) == pytest.approx(0.1)
    assert sum(memory.share(103, number) for number in range(memory.POINTS)) == 103


def _leaf() -> int:
    return sum(i * i for i in range(2_000))


def _branch() -> int:
    return _leaf() + _hidden()


def _hidden() -> int:
    return _leaf()


def test_the_profiler_sees_all_threads_and_hides_what_it_is_told_to() -> None:
    watched = profiler.Profiler(frozenset({_hidden.__code__}))
    before, before_threads = sys.getprofile(), threading.getprofile()
    watched.install()
    try:
        _branch()
        thread = threading.Thread(target=_branch)
        thread.start()
        thread.join()
    finally:
        sys.setprofile(before)
        threading.setprofile(before_threads)
    calls = {name.rpartition(" ")[2]: each for name, each in watched.totals().items()}
    assert calls["_branch"][1] == 2
    assert calls["_leaf"][1] == 2, "those below the hidden function are not counted"
    assert calls["_hidden"][1] == 2
    assert calls["_leaf.<locals>.<genexpr>"][1] == 2 * 2001
    assert profiler.since({"a": (5, 2), "b": (1, 1)}, {"a": (3, 1)}) == {"a": (2, 1), "b": (1, 1)}


def test_functions_are_added_up_by_package() -> None:
    functions = {
        "ocrsvc/ctc.py:18 decode": {"us": 5.0, "calls": 1.0},
        "asyncio/events.py:1 run": {"us": 2.0, "calls": 1.0},
        "selectors.py:3 select": {"us": 7.0, "calls": 1.0},
        "ocrsvc/buckets.py:2 of": {"us": 4.0, "calls": 1.0},
        "numpy.full": {"us": 1.0, "calls": 1.0},
    }
    expected = {"ocrsvc": 9.0, "standard library": 7.0, "asyncio": 2.0, "numpy": 1.0}
    assert overhead.packages(functions) == expected


def test_a_plot_is_drawn(tmp_path: Path) -> None:
    series = {"server": [(1.0, 2.0), (4.0, 3.0)]}
    plots.plot(tmp_path / "a" / "out.svg", [("lines/s", "", series)], x="clients", title="a title", log=True)
    drawn = (tmp_path / "a" / "out.svg").read_text("utf-8")
    assert "<svg" in drawn
    assert ">clients</text>" in drawn


def test_bars_are_drawn_with_their_values(tmp_path: Path) -> None:
    groups = {"idle": {"p50": 17.5, "p99": 96.3}, "full": {"p50": 245.0, "p99": 1299.0}}
    plots.bars(tmp_path / "out.svg", [("ms", groups), ("times", {"one": {"": 7.0}})], title="a title")
    drawn = (tmp_path / "out.svg").read_text("utf-8")
    for word in ("idle", "full", "p50", "p99", "ms", "17.5", "1299", "one", "7"):
        assert f">{word}</text>" in drawn


def test_a_cell_waits_for_threads_that_still_spin() -> None:
    until = time.monotonic() + 0.3

    def spin() -> None:
        while time.monotonic() < until:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    cells.rest()
    assert time.monotonic() >= until
    thread.join()


def test_a_plot_without_matplotlib_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SystemExit, match="pip install matplotlib"):
        plots.plot(tmp_path / "out.svg", [], x="", title="")


@pytest.mark.parametrize("shape", [(48, 100), (24, 400), (96, 50), (1, 1), (500, 1)])
def test_fitting_into_a_fixed_width_keeps_the_aspect(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 10, np.uint8)
    after = enhance.boxed(image, 32)
    assert after.shape == (32, enhance.FIXED_WIDTH, 3)
    rows, columns = np.nonzero(after[:, :, 0] == 10)
    assert (rows.min(), columns.min()) == (0, 0)
    high, wide = rows.max() + 1, columns.max() + 1
    scale = min(32 / shape[0], enhance.FIXED_WIDTH / shape[1])
    assert (high, wide) == pytest.approx((max(1, scale * shape[0]), max(1, scale * shape[1])), abs=0.5)
    assert (after == 10).all(axis=2).sum() == high * wide
