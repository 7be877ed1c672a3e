"""Turns a recogniser's text into a line of the answer: confidence, need for review, and whether it is text at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocrsvc.models.calibration import UNCALIBRATED_THRESHOLD, Calibration
from ocrsvc.reading.reading import Reading
from ocrsvc.recognition import conflicts
from ocrsvc.recognition.alternatives import ranked
from ocrsvc.results import Character, Line, LineText, Polygon

_MIN_CONFIDENCE = 0.5  # detected lines with a lower confidence are mostly not text
# Least confidence of a line that is clearly text, and of one with less than _FEW characters: specks are read as 0 or 1
# with up to 0.88. 98 % of the right lines of words in photographs are as clear.
_CLEAR, _CLEAR_IF_SHORT, _FEW = 0.8, 0.9, 3
# The same for a line of so many different letters or digits, which make up half of it: no noise is read as a word, but
# blurred words in photographs are.
_CLEAR_IF_WORD, _DIFFERENT = 0.65, 4
_STROKE = "一"  # also what a fold of the paper or a ruled line is read as
_REPEATS = (
    8  # a line whose characters occur that often on average is an ornament: a row of rings is read as 0000
)


def rated(
    text: LineText, polygon: Polygon, number: int, reading: Reading, review_threshold: float | None
) -> Line:
    """Return a line with its calibrated confidence, and whether it needs review.

    Order of the thresholds: the reading's own, the setting ``review_threshold``, the calibration's.
    """
    # A charset spreads all probability over its own characters, so a calibration fitted without it does not apply.
    calibration = None if reading.charset else _calibration(text, reading)
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
        model=text.model,
    )


def _calibration(text: LineText, reading: Reading) -> Calibration | None:
    return reading.cascade.calibration(text) if reading.cascade else reading.recogniser.calibration


def _with_alternatives(characters: Sequence[Character], text: LineText, count: int) -> tuple[Character, ...]:
    """Return the calibrated characters of a text with their alternatives, which are not calibrated yet."""
    return tuple(
        replace(sure, alternatives=ranked(sure.text, sure.confidence, raw.alternatives, count))
        for sure, raw in zip(characters, text.characters, strict=True)
    )


def are_text(texts: Sequence[LineText]) -> list[bool]:
    """Return for each detected line of a page whether it is text; ``texts`` are not calibrated yet.

    A page without a line that is clearly text has none at all: noise, ornaments and photographs have lines that are
    read as characters, but hardly as clear ones. Lines of one character must outnumber those that are not clear.
    """
    clear = [text for text in texts if any(_is_clear(each) for each in (text, text.free) if each)]
    has_text = 2 * len(clear) > len(texts) or any(text.length > 1 for text in clear)
    return [has_text and is_text(text) for text in texts]


def is_text(text: LineText) -> bool:
    """Return whether a detected line is text: it, or its free text, is read with enough confidence.

    ``text`` is not calibrated yet.
    """
    return any(each.text and each.confidence >= _MIN_CONFIDENCE for each in (text, text.free) if each)


def _is_clear(text: LineText) -> bool:
    """Return whether a line is clearly text: it has a letter or digit, and a high confidence."""
    different = len({c for c in text.text if c.isalnum()})
    least = _CLEAR if text.length >= _FEW else _CLEAR_IF_SHORT
    if different >= max(_DIFFERENT, text.length / 2):
        least = _CLEAR_IF_WORD
    if text.confidence < least or text.text == _STROKE:
        return False
    return any(c.isalnum() for c in text.text) and text.length < _REPEATS * len(set(text.text))
