"""Calibrates a model on labelled lines read by the real engine, reports on it, and writes its manifest."""

from __future__ import annotations

import json
import math
import os
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ocrsvc.diagnosis.strata import RatedLine, Stratum, strata, table
from ocrsvc.models import calibration
from ocrsvc.models.calibration import Calibration
from ocrsvc.models.manifest import Manifest, load
from ocrsvc.settings import Precision
from ocrsvc.training.data.samples import Sample, labelled, vary
from ocrsvc.training.packing.maps import Floats, columns, fit_maps, weights
from ocrsvc.training.packing.readings import Reading, judged

FEWEST = 200  # minimum number of lines for a fit
FEWEST_WRONG = 10  # minimum number of wrong lines for a fit
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Report:
    """A calibration and its expected calibration errors; those ``after`` are on lines that the fit did not see.

    ``strata``: confidence on these lines, by kind of line.
    """

    calibration: Calibration
    lines: int
    exact: float
    before: float
    after: float
    characters_before: float
    characters_after: float
    flagged: float
    errors_unflagged: float
    strata: tuple[Stratum, ...]


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
        part = fit_maps([reading for i, reading in enumerate(readings) if i not in held])
        for i in held:
            unseen[i] = part.line(readings[i].peaks, readings[i].text)
            unseen_characters += [(part.character(peak), mark) for peak, mark in readings[i].marks]
    whole = fit_maps(readings)
    final = [whole.line(reading.peaks, reading.text) for reading in readings]
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
        characters_before=calibration.calibration_error(*columns(marks)),
        characters_after=calibration.calibration_error(*columns(unseen_characters)),
        flagged=1 - len(passed) / len(right),
        errors_unflagged=1 - sum(passed) / max(len(passed), 1),
        strata=tuple(
            strata(
                [
                    RatedLine(
                        reading.source,
                        reading.text,
                        reading.height_pixels,
                        sure,
                        reading.right,
                        flagged=sure < whole.review_threshold,
                    )
                    for reading, sure in zip(readings, unseen.tolist(), strict=True)
                ]
            )
        ),
    )


def _threshold(sure: Sequence[float], weight: Floats, budget: float) -> float:
    """Return the lowest confidence above which the expected share of wrong lines is at most ``budget``."""
    order = np.argsort(-np.asarray(sure), kind="stable")
    values = np.asarray(sure)[order]
    expected = np.cumsum((1 - values) * weight[order]) / np.cumsum(weight[order])
    within = np.flatnonzero(expected <= budget)
    return math.ceil(float(values[within[-1]]) * 10_000) / 10_000 if len(within) else 1.0


def summary(precision: str, report: Report) -> str:
    """Return a report as one line of text, and the table of its strata."""
    return (
        f"{precision}: {report.lines} lines, {report.exact:.3f} right; expected calibration error of lines "
        f"{report.before:.4f} -> {report.after:.4f}, of characters {report.characters_before:.4f} -> "
        f"{report.characters_after:.4f}; below {report.calibration.review_threshold:.4f} needs_review: "
        f"{report.flagged:.3f} of the lines, {report.errors_unflagged:.4f} of the others wrong\n"
        f"{table(report.strata)}"
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
            "mixed": found.mixed,
            "folded": found.folded,
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
