"""Calibration: maps from the peaks of CTC to the probability that a character or line is right.

A network's peaks are overconfident (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017), and the mean
of a line's peaks says little about the line: one wrong digit among twenty hardly changes it. A calibration is two
logistic maps, fitted on labelled lines by ``ocrsvc train calibrate`` and stored in the manifest for each precision:

- character: ``sigmoid(slope * logit(peak) + offset)``;
- line: ``sigmoid(offset - doubt * log(d) + length * log(n) + mixed * m)`` with ``d = least_doubt - sum(log(peak))``,
  roughly the expected number of wrong characters, and n, the number of characters. The peaks are folded ones
  (``ocrsvc.recognition.folding``): a doubt between o and O does not count, a missed character does. m is 1 if the text
  has both Chinese characters and Latin letters, else 0: such a text is more often a misread one than its peaks say.

Both maps rise with every peak. ``least_doubt`` is the doubt that remains when all peaks are 1, because networks are
overconfident. A line is right if it equals its label in the normal form of ``evaluation``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrsvc.results import Character, LineText
from ocrsvc.text import script_of

# Review threshold without a calibration, where confidence is the mean of the peaks; few lines are below it.
UNCALIBRATED_THRESHOLD = 0.9
BINS = 15

_SURE = 1 - 1e-6  # float32 softmax can be exactly 1, whose logit is infinite
_EARLIER_LEAST_DOUBT = 1e-4  # default for older calibrations without this value


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps of one precision of one model, and the confidence below which a line needs review.

    ``slope`` and ``doubt`` are above 0, so that both maps are monotone; ``least_doubt`` is above 0 for its logarithm.
    ``mixed`` is 0 and ``folded`` False for calibrations from before these values. ``folded``: whether the map of lines
    takes folded peaks.
    """

    slope: float
    character_offset: float
    line_offset: float
    doubt: float
    length: float
    least_doubt: float
    review_threshold: float
    mixed: float = 0.0
    folded: bool = field(default=False, kw_only=True)

    def character(self, peak: float) -> float:
        """Return the probability that a character with this peak is right."""
        return _sigmoid(self.slope * _logit(peak) + self.character_offset)

    def line(self, peaks: Sequence[float], text: str) -> float:
        """Return the probability that a text with these peaks is right as a whole; 0 without characters.

        The peaks are folded if the calibration is.
        """
        if not peaks:
            return 0.0
        odds = self.line_offset - self.doubt * math.log(self.least_doubt + nats(peaks))
        if self.mixed and script_of(text) == "mixed":
            odds += self.mixed
        return _sigmoid(odds + self.length * math.log(len(peaks)))

    def apply(self, line: LineText) -> LineText:
        """Return a decoded line with probabilities instead of peaks as confidences."""
        peaks = folded_peaks(line) if self.folded else [c.confidence for c in line.characters]
        characters = tuple(
            Character(c.text, self.character(c.confidence), c.start, c.end) for c in line.characters
        )
        return LineText(line.text, self.line(peaks, line.text), characters, line.free)


def parse(raw: Mapping[str, Any], sha256: Mapping[str, str]) -> dict[str, Calibration]:
    """Return the calibrations of a manifest by precision; ``sha256`` holds the hash of each precision's weights.

    ValueError or KeyError for an unknown precision, other weights, or a map that is not monotone.
    """
    return {
        precision: _parse_one(precision, entry, sha256)
        for precision, entry in raw.get("precision", {}).items()
    }


def _parse_one(precision: str, entry: Mapping[str, Any], sha256: Mapping[str, str]) -> Calibration:
    if entry["weights_sha256"] != sha256.get(precision):
        raise ValueError(
            f"the calibration of {precision} was made with other weights; run `ocrsvc train calibrate` again"
        )
    character, line = entry["character"], entry["line"]
    numbers = (
        character["slope"],
        character["offset"],
        line["offset"],
        line["doubt"],
        line["length"],
        line.get("least_doubt", _EARLIER_LEAST_DOUBT),
        entry["review_threshold"],
        line.get("mixed", 0.0),
    )
    found = Calibration(*(float(number) for number in numbers), folded=bool(line.get("folded", False)))
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"the calibration of {precision} has a number that is not finite")
    if min(found.slope, found.doubt, found.least_doubt) <= 0:
        raise ValueError(f"slope, doubt and least_doubt of the calibration of {precision} must be above 0")
    if not 0 <= found.review_threshold <= 1:
        raise ValueError(f"review_threshold of the calibration of {precision} must be from 0 to 1")
    return found


def folded_peaks(line: LineText) -> list[float]:
    """Return the folded peak of each character, or its peak where there is none, as for the space at a seam."""
    return [c.confidence if c.folded_peak is None else c.folded_peak for c in line.characters]


def nats(peaks: Iterable[float]) -> float:
    """Return ``-sum(log(peak))``, roughly the expected number of wrong characters."""
    return -sum(math.log(max(min(peak, 1.0), 1e-9)) for peak in peaks)


def logits(peaks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)) of peaks ``[n]``, clipped as in the maps."""
    clipped = np.clip(peaks, 1 - _SURE, _SURE)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float64)


def calibration_error(confidence: Sequence[float], right: Sequence[bool], bins: int = BINS) -> float:
    """Return the expected calibration error: mean of |share right - mean confidence| over bins of equal size.

    Bins have equal size, not equal width, because most confidences are high (Nixon et al., "Measuring Calibration in
    Deep Learning", 2019). 0 without lines.
    """
    if not len(confidence):
        return 0.0
    values, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    off = sum(abs(values[part].mean() - hits[part].mean()) * len(part) for part in parts)
    return float(off / len(values))


def _logit(peak: float) -> float:
    clipped = min(max(peak, 1 - _SURE), _SURE)
    return math.log(clipped / (1 - clipped))


def _sigmoid(value: float) -> float:
    if value < -700:
        return 0.0
    return 1 / (1 + math.exp(-value))
