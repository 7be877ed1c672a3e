"""State of one reading: the caller's options, the results so far, and the time spent in each stage."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal

from ocrsvc.pages.source import Pixels
from ocrsvc.reading.lines import LineImage
from ocrsvc.recognition.charsets import Charset
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import Page
from ocrsvc.scheduling.fairness import Flow

Mode = Literal["auto", "line", "page"]
CharsetMode = Literal["force", "report"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options for reading one input.

    ``mode``: ``line`` treats the picture as one line, ``page`` finds the lines, ``auto`` decides by the shape.
    ``pages`` selects pages of a document, such as ``1-3,7``; ``model`` and ``charset`` default to the service's
    model and all of its characters; ``deadline_seconds`` can only be shorter than the service's.
    ``charset_mode``: which lines also get the text without the charset, as ``free_text``: with ``force``, lines where
    the charset left out a character; with ``report``, all lines that it changed.
    ``review_threshold``: a line with a lower confidence ``needs_review``; default: the setting, or else the model's
    calibrated threshold. ``n_best``: number of alternatives of each line and character, at most
    ``MOST_ALTERNATIVES``; 0 for none.
    """

    mode: Mode = "auto"
    model: str | None = None
    charset: str | None = None
    pages: str | None = None
    deadline_seconds: float | None = None
    charset_mode: CharsetMode = "force"
    review_threshold: float | None = None
    n_best: int = 0


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """Decoded page, with its ``pixels`` or, once they are found, its ``lines``; ``alone``: it is a single line."""

    page: Page
    pixels: Pixels | None
    lines: list[LineImage]
    alone: bool


@dataclass(slots=True)
class Tally:
    """What all pages of a reading count together: ``lines`` found so far; ``admitted``: some work was accepted."""

    lines: int = 0
    admitted: bool = False


@dataclass(slots=True)
class Reading:
    """State of one reading; ``spent_ms``, ``tally`` and ``flow`` accumulate.

    Its pages share it, or have one each, with a deadline and times of its own and the same ``tally`` and ``flow``.
    """

    options: ReadOptions
    recogniser: Recogniser
    charset: Charset | None
    deadline: float
    page_count: int = 1
    tally: Tally = field(default_factory=Tally)
    flow: Flow = field(default_factory=Flow)
    spent_ms: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "detect": 0.0, "recognise": 0.0}
    )

    @property
    def auto(self) -> bool:
        """Return whether a page's shape decides if it is a single line; never in a document of several pages."""
        return self.options.mode == "auto" and self.page_count == 1


class Timer(AbstractAsyncContextManager[None]):
    """Context manager that adds the wall time of its block to one stage of a reading."""

    def __init__(self, reading: Reading, stage: str) -> None:
        self._spent, self._stage = reading.spent_ms, stage

    async def __aenter__(self) -> None:
        self._begun = time.perf_counter()

    async def __aexit__(self, *error: object) -> None:
        self._spent[self._stage] += (time.perf_counter() - self._begun) * 1000
