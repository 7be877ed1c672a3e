"""Fits the calibration of a model (``ocrsvc.models.calibration``) on labelled lines read by the real engine.

Both maps are logistic regressions, fitted by Newton's method; the problem is convex, so the fit is deterministic.
Every source has the same weight. Only the peaks are used, not the k best classes.
"""

from __future__ import annotations

import json
import math
import os
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ocrsvc.models import calibration
from ocrsvc.models.calibration import Calibration
from ocrsvc.models.manifest import Manifest, load
from ocrsvc.settings import Precision
from ocrsvc.training.data.samples import Sample, labelled, vary
from ocrsvc.training.packing.readings import Reading, judged

Floats = NDArray[np.float64]

FEWEST = 200  # minimum number of lines for a fit
FEWEST_WRONG = 10  # minimum number of wrong lines for a fit
_FOLDS = 5
# Candidates for the expected number of wrong characters in a line whose peaks are all 1; small for a good network.
LEAST_DOUBTS = (0.0001, 0.0003, 0.001, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
# Half the 95 % quantile of chi-squared with one degree of freedom, 1.92, bounds the interval of a profile likelihood.
# Twice that, because most lines occur twice, once varied.
_INTERVAL_NATS = 3.84
_RIDGE = 1e-3  # keeps the weights finite where a feature separates right from wrong


@dataclass(frozen=True, slots=True)
class Report:
    """A calibration and its expected calibration errors; those ``after`` are on lines that the fit did not see."""

    calibration: Calibration
    lines: int
    exact: float
    before: float
    after: float
    characters_before: float
    characters_after: float
    flagged: float
    errors_unflagged: float


def gather(folders: Sequence[Path], *, held_out: int, limit: int, variations: int, seed: int) -> list[Sample]:
    """Return at most ``limit`` labelled lines of each folder, without those of scoring, and varied copies of each."""
    found: list[Sample] = []
    for folder in folders:
        rng = random.Random(seed)
        lines = [sample for sample in labelled(folder, held_out) if sample.text]
        chosen = rng.sample(lines, limit) if len(lines) > limit else lines
        for sample in chosen:
            found.append(sample)
            found += [vary(sample, rng) for _ in range(variations)]
    return found


def fit(readings: Sequence[Reading], error_budget: float) -> Report:
    """Fit a calibration to these readings; measure it by five-fold cross-validation.

    ``error_budget`` is the expected share of wrong lines among those that ``needs_review`` does not mark. ValueError
    for too few lines, or if readings with high peaks are not more often right than others.
    """
    wrong = sum(not reading.right for reading in readings)
    if len(readings) < FEWEST or wrong < FEWEST_WRONG:
        raise ValueError(
            f"{len(readings)} lines, {wrong} of them read wrong, are too few: a fit needs at least {FEWEST} and "
            f"{FEWEST_WRONG}; add folders with --data, or drawn lines with --drawn"
        )
    shuffled = list(range(len(readings)))
    random.Random(0).shuffle(shuffled)
    unseen = np.zeros(len(readings))
    unseen_characters: list[tuple[float, bool]] = []
    for fold in range(_FOLDS):
        held = set(shuffled[fold::_FOLDS])
        part = _maps([reading for i, reading in enumerate(readings) if i not in held])
        for i in held:
            unseen[i] = part.line(readings[i].peaks)
            unseen_characters += [(part.character(peak), mark) for peak, mark in readings[i].marks]
    whole = _maps(readings)
    final = [whole.line(reading.peaks) for reading in readings]
    whole = replace(whole, review_threshold=_threshold(final, weights(readings), error_budget))
    right = [reading.right for reading in readings]
    passed = [ok for ok, sure in zip(right, final, strict=True) if sure >= whole.review_threshold]
    marks = [mark for reading in readings for mark in reading.marks]
    return Report(
        calibration=whole,
        lines=len(readings),
        exact=sum(right) / len(right),
        before=calibration.calibration_error([reading.mean for reading in readings], right),
        after=calibration.calibration_error(unseen.tolist(), right),
        characters_before=calibration.calibration_error(*_columns(marks)),
        characters_after=calibration.calibration_error(*_columns(unseen_characters)),
        flagged=1 - len(passed) / len(right),
        errors_unflagged=1 - sum(passed) / max(len(passed), 1),
    )


def weights(readings: Sequence[Reading]) -> Floats:
    """Return weights [n] of the lines that sum to n and give every source the same total."""
    sizes = Counter(reading.source for reading in readings)
    return np.array([len(readings) / len(sizes) / sizes[reading.source] for reading in readings])


def _maps(readings: Sequence[Reading]) -> Calibration:
    each = weights(readings)
    least, line = _line_map(readings, each)
    marks = [mark for reading in readings for mark in reading.marks]
    peaks, good = _columns(marks)
    mine = np.repeat(each, [len(reading.marks) for reading in readings])
    features = calibration.logits(np.array(peaks, dtype=np.float64))[:, None]
    character = logistic(features, np.array(good, dtype=np.float64), mine)
    if line[1] >= 0 or character[1] <= 0:
        raise ValueError(
            "sure readings are not more often right than others: do labels and pictures belong together?"
        )
    return Calibration(
        slope=round(float(character[1]), 4),
        character_offset=round(float(character[0]), 4),
        line_offset=round(float(line[0]), 4),
        doubt=round(float(-line[1]), 4),
        length=round(float(line[2]), 4),
        least_doubt=least,
        review_threshold=0.0,
    )


def _line_map(readings: Sequence[Reading], each: Floats) -> tuple[float, Floats]:
    """Return ``least_doubt`` and the offset and weights of the map of lines.

    ``least_doubt`` is the smallest candidate within the likelihood interval of the best one.
    """
    right = np.array([reading.right for reading in readings], dtype=np.float64)
    lengths = np.array([math.log(len(reading.peaks)) for reading in readings])
    doubts = np.array([calibration.nats(reading.peaks) for reading in readings])
    found, likelihoods = [], []
    for least in LEAST_DOUBTS:
        features = np.column_stack([np.log(least + doubts), lengths])
        line = logistic(features, right, each)
        odds = line[0] + features @ line[1:]
        likelihoods.append(-float(each @ np.logaddexp(0, np.where(right > 0, -odds, odds))))
        found.append((least, line))
    enough = max(likelihoods) - _INTERVAL_NATS
    return next(pair for pair, likelihood in zip(found, likelihoods, strict=True) if likelihood >= enough)


def logistic(features: Floats, right: Floats, weight: Floats) -> Floats:
    """Return offset and weights [1 + d] of the logistic regression of ``right`` [n] on ``features`` [n,d]."""
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(features)), (features - middle) / spread])
    ridge = _RIDGE * len(features) * np.diag([0.0] + [1.0] * features.shape[1])
    found = np.zeros(design.shape[1])
    for _ in range(100):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        curvature = (design * (weight * np.maximum(chance * (1 - chance), 1e-9))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, design.T @ (weight * (right - chance)) - ridge @ found)
        found += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    slopes = found[1:] / spread
    return np.concatenate([[found[0] - slopes @ middle], slopes])


def _threshold(sure: Sequence[float], weight: Floats, budget: float) -> float:
    """Return the lowest confidence above which the expected share of wrong lines is at most ``budget``."""
    order = np.argsort(-np.asarray(sure), kind="stable")
    values = np.asarray(sure)[order]
    expected = np.cumsum((1 - values) * weight[order]) / np.cumsum(weight[order])
    within = np.flatnonzero(expected <= budget)
    return math.ceil(float(values[within[-1]]) * 10_000) / 10_000 if len(within) else 1.0


def _columns(marks: Sequence[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [value for value, _ in marks], [mark for _, mark in marks]


def summary(precision: str, report: Report) -> str:
    """Return a report as one line of text."""
    return (
        f"{precision}: {report.lines} lines, {report.exact:.3f} right; expected calibration error of lines "
        f"{report.before:.4f} -> {report.after:.4f}, of characters {report.characters_before:.4f} -> "
        f"{report.characters_after:.4f}; below {report.calibration.review_threshold:.4f} needs_review: "
        f"{report.flagged:.3f} of the lines, {report.errors_unflagged:.4f} of the others wrong"
    )


def entry(report: Report, spec: Manifest, precision: str, error_budget: float) -> dict[str, Any]:
    """Return the manifest's record of a fit."""
    found = report.calibration
    return {
        "weights_sha256": spec.files[precision].sha256,
        "character": {"slope": found.slope, "offset": found.character_offset},
        "line": {
            "offset": found.line_offset,
            "doubt": found.doubt,
            "length": found.length,
            "least_doubt": found.least_doubt,
        },
        "review_threshold": found.review_threshold,
        "error_budget": error_budget,
        "fit": {
            "lines": report.lines,
            "ece_before": round(report.before, 4),
            "ece_after": round(report.after, 4),
            "flagged": round(report.flagged, 4),
        },
    }


def write(folder: Path, entries: dict[str, dict[str, Any]]) -> None:
    """Put the calibrations into the folder's manifest, which is replaced atomically."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["calibration"] = {"precision": entries}
    handle, draft = tempfile.mkstemp(prefix=".manifest-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(document, out, ensure_ascii=False, indent=1)
        os.chmod(draft, path.stat().st_mode & 0o777)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    load(folder)


def calibrate(folder: Path, samples: Sequence[Sample], error_budget: float) -> dict[str, Report]:
    """Read the lines with every precision of the model, fit, write its manifest, return the reports by precision."""
    document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    document.pop("calibration", None)  # an old calibration of other weights would be refused
    spec = load(folder, document)
    reports = {
        precision: fit(judged(samples, spec, cast(Precision, precision)), error_budget)
        for precision in spec.precisions
    }
    write(folder, {name: entry(report, spec, name, error_budget) for name, report in reports.items()})
    return reports
