"""Turns a recogniser's text into a line of the answer: confidence, need for review, and whether it is text at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocrsvc.models.calibration import UNCALIBRATED_THRESHOLD
from ocrsvc.reading.reading import Reading
from ocrsvc.recognition import conflicts
from ocrsvc.recognition.alternatives import ranked
from ocrsvc.results import Character, Line, LineText, Polygon

_MIN_CONFIDENCE = 0.5  # detected lines with a lower confidence are mostly not text


def rated(
    text: LineText, polygon: Polygon, number: int, reading: Reading, review_threshold: float | None
) -> Line:
    """Return a line with its calibrated confidence, and whether it needs review.

    Order of the thresholds: the reading's own, the setting ``review_threshold``, the calibration's.
    """
    # A charset spreads all probability over its own characters, so a calibration fitted without it does not apply.
    calibration = None if reading.charset else reading.recogniser.calibration
    sure = calibration.apply(text) if calibration else text
    threshold = reading.options.review_threshold
    if threshold is None:
        threshold = review_threshold
    if threshold is None:
        threshold = calibration.review_threshold if calibration else UNCALIBRATED_THRESHOLD
    count = reading.options.n_best
    differs = conflicts.differs(text) if reading.options.charset_mode == "report" else conflicts.omits(text)
    return Line(
        sure.text,
        sure.confidence,
        polygon,
        number,
        _with_alternatives(sure.characters, text, count) if count else sure.characters,
        needs_review=sure.confidence < threshold or differs,
        free_text=text.free.text if text.free and differs else None,
        alternatives=ranked(sure.text, sure.confidence, text.alternatives, count) if count else (),
    )


def _with_alternatives(characters: Sequence[Character], text: LineText, count: int) -> tuple[Character, ...]:
    """Return the calibrated characters of a text with their alternatives, which are not calibrated yet."""
    return tuple(
        replace(sure, alternatives=ranked(sure.text, sure.confidence, raw.alternatives, count))
        for sure, raw in zip(characters, text.characters, strict=True)
    )


def is_text(text: LineText) -> bool:
    """Return whether a detected line is text: it, or its free text, is read with enough confidence.

    ``text`` is not calibrated yet.
    """
    return any(each.text and each.confidence >= _MIN_CONFIDENCE for each in (text, text.free) if each)
