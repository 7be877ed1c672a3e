"""What a reading is made of. Frozen values that travel forward from the recogniser to the formats.

Every coordinate is in pixels of the original picture after its EXIF rotation, origin top left, x before y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Point = tuple[float, float]
Polygon = tuple[Point, Point, Point, Point]


@dataclass(frozen=True, slots=True)
class Character:
    """One character that CTC emitted.

    ``start`` and ``end`` are fractions (0 to 1) of the line's width along its reading direction;
    ``confidence`` is the probability that it is right (``ocrsvc.models.calibration``); without a calibration, and
    before one is applied, the probability at its CTC peak.
    """

    text: str
    confidence: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class LineText:
    """The recogniser's answer for one line image. ``confidence`` is the mean over its characters (0 when empty).

    ``free`` is the reading without the charset, from the same run, where there was one.
    """

    text: str
    confidence: float
    characters: tuple[Character, ...] = ()
    free: LineText | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document: its text and where it stands.

    ``polygon`` holds four corners in reading order (top left, top right, bottom right, bottom left of the text);
    ``page`` counts from 1. ``confidence`` is the probability that the whole line is right where the model is
    calibrated, else the mean of its characters'. ``free_text`` is what the model reads without the charset, where
    that must be told (``conflicts``).
    """

    text: str
    confidence: float
    polygon: Polygon
    page: int
    characters: tuple[Character, ...] = ()
    needs_review: bool = False
    free_text: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Size in pixels of one page of the input; ``number`` counts from 1.

    ``lines_omitted``: lines that were found there and not read, because they are more than the limit.
    """

    number: int
    width: int
    height: int
    lines_omitted: int = 0


@dataclass(frozen=True, slots=True)
class ModelId:
    """Which weights answered: the model's name and the SHA-256 of the ONNX file (``digest``, ``sha256:…``)."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Document:
    """A whole reading: lines in reading order, the pages they stand on, the model, the time per stage."""

    lines: tuple[Line, ...]
    pages: tuple[Page, ...]
    model: ModelId
    timing_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The lines' text in reading order, one line each."""
        return "\n".join(line.text for line in self.lines)
