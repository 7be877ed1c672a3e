"""bench/accuracy.py and bench/lines.py over a small data set of drawn stripes, from end to end."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import accuracy
import lines
import machine
import pytest
import stripe_data
import tiny_model

from ocrsvc.diagnosis import evaluation
from ocrsvc.models.manifest import save


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save(folder, tiny_model.manifest(), {"fp32": "model.onnx", "head": "head.npz"})
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources; the label of the last line is not what its picture says."""
    return stripe_data.write(tmp_path_factory.mktemp("lines"), wrong={"7 7": "7  8"})


def test_accuracy_scores_prints_and_writes(
    model: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "results" / "out.json"
    models = f"{model},nonsense"
    arguments = [str(data), "--models", models, "--drawn", "0", "--json", str(out), "--markdown"]
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *arguments, "--predictions", str(tmp_path / "said")])
    accuracy.main()
    printed = capsys.readouterr()
    assert "nonsense left out: There is no model 'nonsense'" in printed.err
    assert "| a | 3 | 1.000 |" in printed.out
    assert "| scribe_docs | 2 | 0.500 / 0.500 |" in printed.out
    assert "| MEAN |  | 0.750 / 0.500 |" in printed.out
    assert "| MEASURING |  | 0.500 / 0.500 |" in printed.out
    assert "| print-zh | 1 | 1.000 |" in printed.out
    document = json.loads(out.read_text("utf-8"))
    (engine,) = document["engines"].values()
    assert engine["scores"]["MEAN"]["exact"] == 0.75
    assert engine["slices"]["digits"]["lines"] == 2
    assert engine["lines_per_second"] > 0
    assert "nonsense" in document["skipped"]
    (said,) = (tmp_path / "said").iterdir()
    texts = [json.loads(row)["text"] for row in said.read_text("utf-8").splitlines()]
    assert texts == [*stripe_data.LABELS["a"], *stripe_data.LABELS["scribe_docs"]]


def test_lines_are_raced_against_the_references(
    model: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, slow = f"{model}@fp32", "slow"
    monkeypatch.setattr(lines, "REFERENCES", {fast: "itself"})
    pictures = lines.load(evaluation.samples(data))
    plans, skipped = lines.prepare([fast, "nonsense"], pictures)
    assert list(plans) == [fast]
    assert list(skipped) == ["nonsense"]
    rates = lines.race(plans, 3)
    assert len(rates[fast]) == 3
    rates[slow] = [rate / 4 for rate in rates[fast]]
    summed = lines.summary({**plans, slow: plans[fast]}, rates)
    assert summed[fast]["ratio"][fast] == {"median": 1.0, "p10": 1.0, "p90": 1.0}
    assert summed[slow]["ratio"][fast]["median"] == 0.25
    document = {**machine.describe(), "lines": len(pictures), "rounds": 3, "workers": 2, "engines": summed}
    rows = lines.table(document, markdown=True).splitlines()[2:]
    assert rows[2].startswith(f"| {fast}")
    assert rows[3].startswith("| slow")
    assert "0.25 " in rows[3]


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
def test_everybody_reads_once_a_round_and_is_first_as_often_as_last(names: str) -> None:
    rounds = [lines.order(list(names), turn) for turn in range(2 * len(names))]
    assert all(sorted(each) == list(names) for each in rounds)
    assert Counter(each[0] for each in rounds) == dict.fromkeys(names, 2)
    assert Counter(each[-1] for each in rounds) == dict.fromkeys(names, 2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.0], {"median": 2.0, "p10": 2.0, "p90": 2.0}),
        ([float(i) for i in range(11)], {"median": 5.0, "p10": 1.0, "p90": 9.0}),
    ],
)
def test_spread(values: list[float], expected: dict[str, float]) -> None:
    assert lines.spread(values) == expected


def test_the_machine_is_described_without_git_too(tmp_path: Path) -> None:
    described = machine.describe(["no-such-distribution"])
    assert described["cores"] >= 1
    assert described["onnxruntime"]
    assert "no-such-distribution" not in described
    assert machine.commit(tmp_path) is None
    with machine.Measure() as measure:
        sum(range(100_000))
    assert measure.figures["wall_seconds"] > 0
    assert measure.figures["peak_megabytes"] > 1
