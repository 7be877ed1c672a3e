"""What a line or a character may say instead: other texts with their probabilities.

The probability of an alternative is at first its share of the doubt: ``p / (1 - q)``, where q is the probability of the
text that was read, and p that of the alternative. Once the confidence c of that text is known, the alternative gets
``(1 - c) * share``, so that a calibration of the text calibrates its alternatives too (docs/confidence.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition import beam
from ocrsvc.recognition.ctc import BLANK, Runs, peak_steps
from ocrsvc.results import Alternative, LineText, TimeStep, TimeSteps

_LEAST = (
    1e-4  # less probable classes of a time step are left out; with all 8, a search takes eight times as long
)


def time_steps(
    indices: NDArray[np.int32], probabilities: NDArray[np.float32], alphabet: str, stride: int
) -> list[TimeSteps]:
    """Return the time steps of each line from its best classes ``[N,T,K]``; ``stride`` in pixels."""
    return [
        TimeSteps(tuple(_time_step(*each, alphabet) for each in zip(classes, shares, strict=True)), stride)
        for classes, shares in zip(indices.tolist(), probabilities.tolist(), strict=True)
    ]


def of_characters(
    indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs, alphabet: str
) -> list[tuple[Alternative, ...]]:
    """Return for each character what else it may be, the most probable first, from its most probable time step."""
    if not len(runs.rows):
        return []
    steps = peak_steps(probabilities[:, :, 0], runs, np.arange(len(runs.rows)))
    columns = zip(
        indices[runs.rows, steps].tolist(),
        probabilities[runs.rows, steps].tolist(),
        runs.classes.tolist(),
        runs.peaks.tolist(),
        strict=True,
    )
    found = []
    for classes, shares, own, peak in columns:
        seen = _time_step(classes, shares, alphabet)
        others = [(text, p) for text, p in seen if text not in ("", alphabet[own - 1])]
        found.append(_shares(peak, others))
    return found


def of_lines(lines: Sequence[LineText]) -> list[LineText]:
    """Return the lines with the other texts that their time steps may say, and without the time steps."""
    return [replace(line, steps=None, alternatives=_others(line)) for line in lines]


def ranked(
    text: str, confidence: float, others: Sequence[Alternative], count: int
) -> tuple[Alternative, ...]:
    """Return at most ``count`` alternatives with their probabilities, first the text that was read.

    ``others`` have their shares of the doubt. None gets a higher confidence than the text, which the word tables or a
    charset may have preferred to it.
    """
    rest = [
        Alternative(other.text, min(confidence, (1 - confidence) * other.confidence))
        for other in others[: count - 1]
    ]
    return (Alternative(text, confidence), *rest)


def _others(line: LineText) -> tuple[Alternative, ...]:
    texts = beam.search(line.steps.steps) if line.steps else []
    found = {text: math.exp(nats) for text, nats in texts}
    own = found.pop(line.text, 0.0)
    return _shares(own, list(found.items()))


def _time_step(classes: Sequence[int], probabilities: Sequence[float], alphabet: str) -> TimeStep:
    least = min(_LEAST, probabilities[0])
    return tuple(
        (alphabet[c - 1] if c != BLANK else "", p)
        for c, p in zip(classes, probabilities, strict=True)
        if p >= least
    )


def _shares(own: float, others: Sequence[tuple[str, float]]) -> tuple[Alternative, ...]:
    """Return the others with their shares of what is left beside the probability ``own`` of the text."""
    doubt = max(1 - own, math.fsum(p for _, p in others))
    return tuple(Alternative(text, p / doubt) for text, p in others if p > 0)
