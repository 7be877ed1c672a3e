"""Calibrating a model: the fit on lines whose truth is known, and the command on a real folder."""

from __future__ import annotations

import json
import math
import random
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_model
from available import need_training

need_training()

from ocrsvc.models.manifest import load
from ocrsvc.training.commands import cli
from ocrsvc.training.packing.calibrate import fit, summary
from ocrsvc.training.packing.maps import logistic
from ocrsvc.training.packing.readings import Reading


def readings(count: int, *, sharpness: float, seed: int = 1) -> list[Reading]:
    """Lines whose peaks promise ``sharpness`` times the log-odds that their characters have of being right."""
    rng, found = random.Random(seed), []
    for i in range(count):
        peaks, marks = [], []
        for _ in range(rng.randint(1, 12)):
            odds = rng.gauss(6, 3)
            right = rng.random() < 1 / (1 + math.exp(-odds))
            peaks.append(1 / (1 + math.exp(-sharpness * odds)))
            marks.append((peaks[-1], right))
        found.append(
            Reading(
                source="ab"[i % 2],
                text="x" * len(peaks),
                height_pixels=24,
                peaks=tuple(peaks),
                mean=sum(peaks) / len(peaks),
                right=all(right for _, right in marks),
                marks=tuple(marks),
            )
        )
    return found


def test_a_logistic_regression_finds_the_weights_that_made_the_data() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(20_000, 2))
    chance = 1 / (1 + np.exp(-(0.5 + features @ np.array([2.0, -1.0]))))
    right = (rng.random(20_000) < chance).astype(np.float64)
    found = logistic(features, right, np.ones(20_000))
    assert found == pytest.approx([0.5, 2.0, -1.0], abs=0.1)


def test_a_prior_keeps_a_weight_small_until_the_data_say_more() -> None:
    rng = np.random.default_rng(4)
    feature = rng.normal(size=(20_000, 1))
    right = (rng.random(20_000) < 1 / (1 + np.exp(-2 * feature[:, 0]))).astype(np.float64)
    free, few, many = (
        logistic(feature[:n], right[:n], np.ones(n), prior)[1]
        for n, prior in ((40, None), (40, np.array([0.1])), (20_000, np.array([0.1])))
    )
    assert 0 < few < 0.3 < 1 < free
    assert many == pytest.approx(2.0, abs=0.2)


def test_peaks_that_are_too_sure_become_probabilities() -> None:
    report = fit(readings(3000, sharpness=2.0), 0.02)
    assert report.calibration.slope == pytest.approx(0.5, abs=0.06)
    assert report.before > 0.08
    assert report.after < report.before / 2
    assert report.characters_after < report.characters_before
    assert report.errors_unflagged < 0.04
    assert 0 < report.flagged < 0.7


def test_lines_that_are_wrong_though_their_peaks_are_sure_leave_doubt_in_every_line() -> None:
    lines = readings(3000, sharpness=1.0)
    assert fit(lines, 0.02).calibration.least_doubt <= 0.005
    rng = random.Random(2)  # labels or characters that no peak shows
    flawed = [replace(line, right=line.right and rng.random() > 0.04) for line in lines]
    calibration = fit(flawed, 0.05).calibration
    assert calibration.least_doubt >= 0.02
    assert calibration.line([1.0] * 6, "x" * 6) < 0.98


def mixing(lines: list[Reading], share: float, worse: float) -> list[Reading]:
    """The readings, a share of them in both scripts; of these, a share ``worse`` is wrong whatever the peaks say."""
    rng = random.Random(9)
    found = []
    for line in lines:
        if rng.random() < share:
            right = line.right and rng.random() >= worse
            line = replace(line, text="票" + line.text, right=right)
        found.append(line)
    return found


def test_lines_of_both_scripts_get_their_own_weight_where_they_are_worse() -> None:
    lines = readings(3000, sharpness=1.5)
    assert fit(lines, 0.02).calibration.mixed == 0
    assert abs(fit(mixing(lines, 0.1, 0.0), 0.02).calibration.mixed) < 0.3  # no worse than others
    report = fit(mixing(lines, 0.1, 0.4), 0.02)
    assert report.calibration.mixed < -0.5
    excess = {each.name: each.excess for each in report.strata if each.kind == "script"}
    assert set(excess) == {"latin", "mixed"}
    assert abs(excess["mixed"]) < 0.05
    few = fit(mixing(lines[:300], 0.02, 0.5), 0.02).calibration
    assert report.calibration.mixed < few.mixed <= 0  # they are as bad, but too few to tell
    assert "script mixed" in summary("fp32", report)


def test_the_same_lines_give_the_same_numbers_and_a_small_budget_a_high_threshold() -> None:
    lines = readings(1500, sharpness=1.5)
    assert fit(lines, 0.02) == fit(lines, 0.02)
    strict, lax = fit(lines, 0.005).calibration, fit(lines, 0.05).calibration
    assert strict.review_threshold > lax.review_threshold


def test_what_cannot_be_fitted_is_told() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit(readings(50, sharpness=1.0), 0.02)
    backwards = [
        replace(r, right=min(r.peaks) < 0.9, marks=tuple((p, p < 0.9) for p in r.peaks))
        for r in readings(500, sharpness=1.0)
    ]
    with pytest.raises(ValueError, match="labels"):
        fit(backwards, 0.02)


def write_lines(folder: Path, count: int) -> Path:
    """Lines of grey stripes for the tiny model, every third so noisy that it errs."""
    rng = np.random.default_rng(5)
    (folder / "img").mkdir(parents=True)
    rows = []
    for i in range(count):
        text = "".join(rng.choice(list(tiny_model.CHARSET.strip()), rng.integers(2, 9)))
        image = tiny_model.draw(text).astype(np.float64)
        if i % 3 == 0:
            image += np.repeat(rng.normal(0, 5, image.shape[1] // 8), 8)[None, :, None]
        cv2.imwrite(str(folder / f"img/{i}.png"), np.clip(image, 0, 255).astype(np.uint8))
        rows.append({"file": f"img/{i}.png", "text": text})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def test_the_command_writes_a_calibration_that_serving_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tiny_model.write(tmp_path)
    model, data = tmp_path / "tiny", write_lines(tmp_path / "stripes", 330)
    arguments = ["calibrate", str(model), "--data", str(data), "--held-out", "30", "--variations", "0"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "fp32: 300 lines" in said
    assert "->" in said
    assert re.search(r"^source stripes +300 +0\.\d", said, re.MULTILINE)
    assert re.search(r"^height >32 +300 ", said, re.MULTILINE)
    document = json.loads((model / "manifest.json").read_text("utf-8"))
    entry = document["calibration"]["precision"]["fp32"]
    assert entry["weights_sha256"] == spec.files["fp32"].sha256
    assert entry["fit"]["lines"] == 300  # none of those that scoring draws
    assert entry["fit"]["ece_after"] < entry["fit"]["ece_before"]
    found = load(model).calibrations()["fp32"]
    assert found.review_threshold == entry["review_threshold"]
    first = (model / "manifest.json").read_bytes()
    assert cli.main(arguments) == 0  # again, over its own work
    assert (model / "manifest.json").read_bytes() == first
    assert sorted(path.name for path in model.iterdir()) == ["head.npz", "manifest.json", "model.onnx"]


def test_too_few_lines_are_told_in_one_line_and_leave_the_manifest(tmp_path: Path) -> None:
    tiny_model.write(tmp_path)
    before = (tmp_path / "tiny" / "manifest.json").read_bytes()
    data = write_lines(tmp_path / "stripes", 40)
    with pytest.raises(SystemExit, match=r"ocrsvc train: 40 lines.*too few"):
        cli.main(
            ["calibrate", str(tmp_path / "tiny"), "--data", str(data), "--held-out", "0", "--variations", "0"]
        )
    assert (tmp_path / "tiny" / "manifest.json").read_bytes() == before
