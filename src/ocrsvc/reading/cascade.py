"""A cascade: the lines of which the recogniser of a reading is not certain are read again by a better, slower one.

Whether a line is read again depends on that line alone, so a text never depends on its neighbours. What the better one
says counts, whatever its confidence (docs/decisions/0072).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocrsvc.models.calibration import Calibration
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import LineText, ModelId


@dataclass(frozen=True, slots=True)
class Cascade:
    """Lines that ``first`` reads with a lower confidence than ``below`` are read again by ``second``."""

    id: ModelId
    first: Recogniser
    second: Recogniser
    below: float

    def doubtful(self, texts: Sequence[LineText]) -> list[int]:
        """Return the indices of the lines to be read again; ``texts`` are those of ``first``, not calibrated yet.

        With a charset, the text without it decides, and a line in which the charset changes anything is doubtful.
        """
        return [i for i, text in enumerate(texts) if self._is_doubtful(text)]

    def calibration(self, text: LineText) -> Calibration | None:
        """Return the calibration of the recogniser that read this line."""
        read_again = text.model == self.second.spec.name
        return (self.second if read_again else self.first).calibration

    def _is_doubtful(self, text: LineText) -> bool:
        free = text.free or text
        if free.text != text.text:
            return True
        calibration = self.first.calibration
        sure = calibration.apply(free) if calibration else free
        return sure.confidence < self.below
