"""Fits the two maps of a calibration (``ocrsvc.models.calibration``) to readings whose labels are known.

Both maps are logistic regressions, fitted by Newton's method; the problem is convex, so the fit is deterministic.
Every source has the same weight. Only the peaks and the text are used, not the k best classes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ocrsvc.models import calibration
from ocrsvc.models.calibration import Calibration
from ocrsvc.text import script_of
from ocrsvc.training.packing.readings import Reading

Floats = NDArray[np.float64]

# Candidates for the expected number of wrong characters in a line whose peaks are all 1; small for a good network.
LEAST_DOUBTS = (0.0001, 0.0003, 0.001, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
# Half the 95 % quantile of chi-squared with one degree of freedom, 1.92, bounds the interval of a profile likelihood.
# Twice that, because most lines occur twice, once varied.
_INTERVAL_NATS = 3.84
_FEWEST_MIXED = 30  # lines of both scripts; 500 drawn lines have about 50
_RIDGE = 1e-3  # keeps the weights finite where a feature separates right from wrong


def weights(readings: Sequence[Reading]) -> Floats:
    """Return weights [n] of the lines that sum to n and give every source the same total."""
    sizes = Counter(reading.source for reading in readings)
    return np.array([len(readings) / len(sizes) / sizes[reading.source] for reading in readings])


def fit_maps(readings: Sequence[Reading]) -> Calibration:
    """Return the calibration of these readings, without a threshold; ValueError if they make no sense."""
    each = weights(readings)
    least, line = _line_map(readings, each)
    marks = [mark for reading in readings for mark in reading.marks]
    peaks, good = columns(marks)
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
        mixed=round(float(line[3]), 4),
    )


def _line_map(readings: Sequence[Reading], each: Floats) -> tuple[float, Floats]:
    """Return ``least_doubt`` and the map of lines: its offset, and the weights of doubt, length and ``mixed``.

    ``mixed`` is 0 for few such lines, and unless it makes the readings more likely by more than the likelihood
    interval: otherwise it would be chance.
    """
    lengths = np.array([math.log(len(reading.peaks)) for reading in readings])
    mixed = np.array([float(script_of(reading.text) == "mixed") for reading in readings])
    nats, least, line = _profile(readings, each, lengths[:, None])
    if mixed.sum() >= _FEWEST_MIXED:
        nats_mixed, least_mixed, line_mixed = _profile(readings, each, np.column_stack([lengths, mixed]))
        if nats_mixed > nats + _INTERVAL_NATS:
            return least_mixed, line_mixed
    return least, np.append(line, 0.0)


def _profile(readings: Sequence[Reading], each: Floats, others: Floats) -> tuple[float, float, Floats]:
    """Return the highest log-likelihood, ``least_doubt``, and offset and weights of doubt and ``others`` [n,d].

    ``least_doubt`` is the smallest candidate within the likelihood interval of the best one.
    """
    right = np.array([reading.right for reading in readings], dtype=np.float64)
    doubts = np.array([calibration.nats(reading.peaks) for reading in readings])
    found, likelihoods = [], []
    for least in LEAST_DOUBTS:
        features = np.column_stack([np.log(least + doubts), others])
        line = logistic(features, right, each)
        odds = line[0] + features @ line[1:]
        likelihoods.append(-float(each @ np.logaddexp(0, np.where(right > 0, -odds, odds))))
        found.append((least, line))
    most = max(likelihoods)
    enough = most - _INTERVAL_NATS
    least, line = next(
        pair for pair, likelihood in zip(found, likelihoods, strict=True) if likelihood >= enough
    )
    return most, least, line


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


def columns(marks: Sequence[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    """Return the values and the marks of pairs."""
    return [value for value, _ in marks], [mark for _, mark in marks]
