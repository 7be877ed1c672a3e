"""The simulation of many replicas against what queueing theory knows, and what it must never lose."""

from __future__ import annotations

import json
import math
from pathlib import Path

import fleet
import fleet_model
import pytest
from fleet_model import ANSWERED, LOST, REFUSED, Autoscaler, Fleet, PageCost, Simulation

PAGE = PageCost(1.0, 0.0, 0)


def mean_wait(course: fleet_model.Course) -> float:
    times = [page.ended - page.came for page in course.pages if page.outcome == ANSWERED]
    return sum(times) / len(times)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_one_worker_and_equal_pages_wait_as_in_m_d_1(load: float) -> None:
    course = Simulation(Fleet(1, 1, load, queue_seconds=1e6), [PAGE]).run(40_000)
    expected = 1 + load / (2 * (1 - load))  # Pollaczek and Khinchine
    assert mean_wait(course) == pytest.approx(expected, rel=0.06)


def test_lines_are_read_by_all_workers() -> None:
    page = PageCost(1.0, 4.0, 4 * 8)
    course = Simulation(Fleet(1, 4, 0.01), [page]).run(5_000)
    assert min(seen.ended - seen.came for seen in course.pages) == pytest.approx(2.0)


@pytest.mark.parametrize("balancer", list(fleet_model.BALANCERS))
def test_no_page_is_lost_or_doubled(balancer: str) -> None:
    course = Simulation(Fleet(5, 2, 0.9, balancer), [PAGE, PageCost(0.5, 2.0, 20)], seed=3).run(600)
    assert {page.outcome for page in course.pages} == {ANSWERED}
    assert 2800 < len(course.pages) < 3400  # 0.9 of 10 workers, 1.75 s a page
    again = Simulation(Fleet(5, 2, 0.9, balancer), [PAGE, PageCost(0.5, 2.0, 20)], seed=3).run(600)
    assert again == course


def test_a_full_queue_refuses_the_rest() -> None:
    course = Simulation(Fleet(2, 1, 2.0, queue_seconds=10), [PAGE]).run(2_000)
    refused = sum(page.outcome == REFUSED for page in course.pages)
    assert refused / len(course.pages) == pytest.approx(0.5, abs=0.05)
    assert max(page.ended - page.came for page in course.pages) <= 12


def test_crashes_lose_the_pages_inside_and_nothing_else() -> None:
    course = Simulation(Fleet(4, 1, 0.5, lifetime_seconds=200, cold_start_seconds=5), [PAGE]).run(4_000)
    lost = sum(page.outcome == LOST for page in course.pages)
    assert 30 < lost < 160  # 80 crashes, a page inside or two
    assert min(count for _, count in course.ready) < 4


def test_a_rollout_replaces_all_and_loses_nothing() -> None:
    for surge, unavailable in ((2, 0), (0, 2), (1, 1)):
        simulation = Simulation(Fleet(5, 1, 0.4, cold_start_seconds=10), [PAGE])
        before = list(simulation.replicas)
        simulation.rolled_out(60, surge=surge, unavailable=unavailable)
        course = simulation.run(300)
        assert {page.outcome for page in course.pages} == {ANSWERED}
        assert len(simulation.replicas) == 5
        assert not set(before) & set(simulation.replicas)
        assert min(count for _, count in course.ready) >= 5 - unavailable


def test_an_autoscaler_answers_a_burst_and_comes_back() -> None:
    simulation = Simulation(Fleet(4, 1, 0.5, queue_seconds=20, cold_start_seconds=5), [PAGE])
    simulation.autoscaled(Autoscaler(target_seconds=2, averaged_seconds=15, growth_seconds=60))
    course = simulation.run(2_000, lambda now: 4.0 if 100 <= now < 400 else 1.0)
    counts = dict(course.ready)
    assert max(counts.values()) >= 8
    assert max(count for now, count in counts.items() if now < 160) <= 8  # at most doubled in a minute
    assert counts[400.0] > counts[1_995.0] == 4


def test_the_bench_reports_what_it_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs = [{"found_seconds": 1.5, "lines_seconds": 1.5, "lines": 12, "bytes": 200_000}]
    earlier = tmp_path / "costs.json"
    earlier.write_text(json.dumps({"costs": costs}))
    out = tmp_path / "out.json"
    given = ["--costs", str(earlier), "--sizes", "1,2", "--pages", "200", "--minutes", "1", "--hours", "0.01"]
    fleet.main([str(tmp_path), *given, "--json", str(out), "--plot", str(tmp_path / "out.svg")])
    report = json.loads(out.read_text())
    assert [row["replicas"] for row in report["size"]] == [1] * 4 + [2] * 4
    assert all(row["p99"] >= row["p50"] >= 2.0 for row in report["size"])
    assert report["price"][0]["dollars"] == pytest.approx(3e6 / 3600 / 0.7 * 0.1785 / 4, rel=1e-3)
    assert math.isclose(report["mean_seconds"], 3.0)
    assert (tmp_path / "out.svg").stat().st_size > 1000
    assert (tmp_path / "out-burst.svg").stat().st_size > 1000
    assert "replicas" in capsys.readouterr().out
