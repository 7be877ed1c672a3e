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
# Standard deviation of the prior of ``mixed``, around 0. Few lines have both scripts (50 of 500 drawn ones); without
# a prior their weight would be mostly chance; a test of significance keeps too little of it or too much.
_PRIOR_MIXED = 0.5
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
        folded=True,
    )


def _line_map(readings: Sequence[Reading], each: Floats) -> tuple[float, Floats]:
    """Return ``least_doubt`` and the map of lines: its offset, and the weights of doubt, length and ``mixed``.

    ``least_doubt`` is the smallest candidate within the likelihood interval of the best one.
    """
    right = np.array([reading.right for reading in readings], dtype=np.float64)
    lengths = np.array([math.log(len(reading.peaks)) for reading in readings])
    mixed = np.array([float(script_of(reading.text) == "mixed") for reading in readings])
    prior = np.array([math.inf, math.inf, _PRIOR_MIXED])
    doubts = np.array([calibration.nats(reading.peaks) for reading in readings])
    found, likelihoods = [], []
    for least in LEAST_DOUBTS:
        features = np.column_stack([np.log(least + doubts), lengths, mixed])
        line = logistic(features, right, each, prior)
        odds = line[0] + features @ line[1:]
        likelihoods.append(-float(each @ np.logaddexp(0, np.where(right > 0, -odds, odds))))
        found.append((least, line))
    enough = max(likelihoods) - _INTERVAL_NATS
    return next(pair for pair, likelihood in zip(found, likelihoods, strict=True) if likelihood >= enough)


def logistic(features: Floats, right: Floats, weight: Floats, prior: Floats | None = None) -> Floats:
    """Return offset and weights [1 + d] of the logistic regression of ``right`` [n] on ``features`` [n,d].

    ``prior`` [d]: standard deviations of the weights' Gaussian priors around 0, infinite for none.
    """
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(features)), (features - middle) / spread])
    priors = np.zeros(len(spread)) if prior is None else (prior * spread) ** -2.0
    ridge = np.diag([0.0, *(_RIDGE * len(features) + priors)])
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
