"""From what a recogniser read to a line of the answer: how sure it is, whether it needs review, whether it is text."""

from __future__ import annotations

from ocrsvc.models.calibration import UNCALIBRATED_THRESHOLD
from ocrsvc.reading.reading import Reading
from ocrsvc.recognition import conflicts
from ocrsvc.results import Line, LineText, Polygon

_MIN_CONFIDENCE = 0.5  # of a line on a page: what is read worse is mostly no text


def rated(
    text: LineText, polygon: Polygon, number: int, reading: Reading, review_threshold: float | None
) -> Line:
    """Return a line with its calibrated confidence, and whether it needs review.

    ``review_threshold`` is the setting, which the reading's own goes before and the calibration's after.
    """
    # A charset shares all probability out among its own characters: no map that was fitted without it holds.
    calibration = None if reading.charset else reading.recogniser.calibration
    sure = calibration.apply(text) if calibration else text
    threshold = reading.options.review_threshold
    if threshold is None:
        threshold = review_threshold
    if threshold is None:
        threshold = calibration.review_threshold if calibration else UNCALIBRATED_THRESHOLD
    differs = conflicts.differs(text) if reading.options.charset_mode == "report" else conflicts.omits(text)
    return Line(
        sure.text,
        sure.confidence,
        polygon,
        number,
        sure.characters,
        needs_review=sure.confidence < threshold or differs,
        free_text=text.free.text if text.free and differs else None,
    )


def is_text(text: LineText) -> bool:
    """Whether the detector was right to see text: what was read is sure enough, or the free reading is.

    ``text`` is not calibrated yet.
    """
    return any(each.text and each.confidence >= _MIN_CONFIDENCE for each in (text, text.free) if each)
