"""Calibration: monotone maps, what a manifest may say, the error that is published."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model

from ocrsvc.errors import CorruptModel
from ocrsvc.models.calibration import Calibration, calibration_error, parse
from ocrsvc.models.manifest import load
from ocrsvc.recognition.ctc import line_of
from ocrsvc.results import Character, LineText

MAPS = Calibration(0.86, 0.46, -1.18, 1.26, 0.61, 0.02, 0.9)
ENTRY: dict[str, Any] = {
    "weights_sha256": "ab",
    "character": {"slope": 0.86, "offset": 0.46},
    "line": {"offset": -1.18, "doubt": 1.26, "length": 0.61, "least_doubt": 0.02},
    "review_threshold": 0.9,
}


def test_both_maps_rise_with_every_peak_and_stay_within_0_and_1() -> None:
    peaks = [0.0, 1e-9, 0.1, 0.5, 0.9, 0.99, 0.99999, 1.0]
    for rated in ([MAPS.character(p) for p in peaks], [MAPS.line([p, 0.9], "ab") for p in peaks]):
        assert rated == sorted(rated)
        assert rated[0] < rated[4] < rated[5]
        assert all(0 <= value <= 1 for value in rated)


def test_one_doubtful_character_makes_a_long_line_doubtful() -> None:
    sure, flawed = [0.999] * 20, [0.999] * 19 + [0.4]
    assert MAPS.line(sure, "a" * 20) > 0.95
    assert MAPS.line(flawed, "a" * 20) < 0.75  # the mean of the peaks is 0.97
    assert MAPS.line([], "") == 0.0


def test_a_text_of_both_scripts_may_be_less_sure() -> None:
    wary = replace(MAPS, mixed=-0.8)
    for text in ("票据", "No", "24417", ""):
        assert wary.line([0.99, 0.9], text) == MAPS.line([0.99, 0.9], text)
    assert wary.line([0.99, 0.9], "票a") < MAPS.line([0.99, 0.9], "票a")
    entry = {**ENTRY, "line": {**ENTRY["line"], "mixed": -0.8}}
    assert parse({"precision": {"int8": entry}}, {"int8": "ab"}) == {"int8": wary}


def test_what_no_peak_takes_away_bounds_how_sure_a_line_can_be() -> None:
    earlier = replace(MAPS, least_doubt=1e-4)
    perfect = [1.0] * 8
    assert MAPS.line(perfect, "a" * 8) < 0.995 < 0.9999 < earlier.line(perfect, "a" * 8)


def test_a_line_keeps_its_text_and_places() -> None:
    line = line_of([Character("a", 0.9, 0.0, 0.5), Character("b", 0.5, 0.5, 1.0)])
    rated = MAPS.apply(line)
    assert rated.text == "ab"
    assert [(c.start, c.end) for c in rated.characters] == [(0.0, 0.5), (0.5, 1.0)]
    assert [c.confidence for c in rated.characters] == [MAPS.character(0.9), MAPS.character(0.5)]
    assert rated.confidence == MAPS.line([0.9, 0.5], "ab")


def test_only_a_folded_calibration_takes_the_folded_peaks() -> None:
    line = LineText("aO", 0.75, (Character("a", 1.0, 0, 0.5), Character("O", 0.5, 0.5, 1, folded_peak=0.99)))
    folding = replace(MAPS, folded=True)
    assert MAPS.apply(line).confidence == MAPS.line([1.0, 0.5], "aO")
    assert folding.apply(line).confidence == MAPS.line([1.0, 0.99], "aO")
    assert folding.apply(line).characters == MAPS.apply(line).characters  # each of them in its own form
    assert all(c.folded_peak is None for c in folding.apply(line).characters)
    entry = {**ENTRY, "line": {**ENTRY["line"], "folded": True}}
    assert parse({"precision": {"int8": entry}}, {"int8": "ab"}) == {"int8": folding}


def test_the_error_is_nought_for_what_is_calibrated_and_the_gap_for_what_is_not() -> None:
    rng = np.random.default_rng(1)
    sure = rng.random(30_000)
    right = rng.random(30_000) < sure
    assert calibration_error(sure.tolist(), right.tolist()) < 0.015
    assert calibration_error([0.9] * 150, [True] * 75 + [False] * 75) >= 0.4
    assert calibration_error([1.0] * 4, [True] * 4) == 0
    assert calibration_error([], []) == 0


def test_a_manifest_is_parsed() -> None:
    assert parse({"precision": {"int8": ENTRY}}, {"int8": "ab", "fp32": "cd"}) == {"int8": MAPS}
    assert parse({}, {"fp32": "cd"}) == {}


def test_a_manifest_of_before_least_doubt_means_what_it_did() -> None:
    line = {key: value for key, value in ENTRY["line"].items() if key != "least_doubt"}
    found = parse({"precision": {"int8": {**ENTRY, "line": line}}}, {"int8": "ab"})
    assert found == {"int8": replace(MAPS, least_doubt=1e-4)}


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "other"},
        {"review_threshold": 1.5},
        {"character": {"slope": 0.0, "offset": 0.0}},
        {"character": {"slope": 1.0}},
        {"line": {"offset": 0.0, "doubt": -1.0, "length": 0.0}},
        {"line": {"offset": 0.0, "doubt": 1.0, "length": 0.0, "least_doubt": 0.0}},
        {"line": {"offset": float("nan"), "doubt": 1.0, "length": 0.0}},
        {"line": {"offset": 0.0, "doubt": 1.0, "length": 0.0, "mixed": float("inf")}},
        {"line": None},
        {"review_threshold": "high"},
    ],
)
def test_a_calibration_that_cannot_be_used_makes_the_model_corrupt(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    spec = tiny_model.write(tmp_path)
    path = tmp_path / "tiny" / "manifest.json"
    document = json.loads(path.read_text("utf-8"))
    good = {**ENTRY, "weights_sha256": spec.files["fp32"].sha256}
    document["calibration"] = {"precision": {"fp32": good}}
    path.write_text(json.dumps(document), "utf-8")
    assert load(tmp_path / "tiny").calibrations() == {"fp32": MAPS}
    document["calibration"] = {"precision": {"fp32": {**good, **change}}}
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(CorruptModel):
        load(tmp_path / "tiny")


def test_a_calibration_of_weights_that_are_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="calibrate"):
        parse({"precision": {"int8": ENTRY}}, {"fp32": "ab"})
