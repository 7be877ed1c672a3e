"""One reading on its way: what its caller wants, what is known of it so far, where its time went."""

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
    """How to read one input.

    ``mode``: ``line`` takes a picture for one line, ``page`` looks for lines, ``auto`` decides by its shape.
    ``pages`` selects pages of a document, such as ``1-3,7``; ``model`` and ``charset`` default to the service's
    model and all of its characters; ``deadline_seconds`` can only be shorter than the service's.
    ``charset_mode``: which lines also get the reading without the charset, as ``free_text``: ``force`` those of which
    the charset left out a character, ``report`` all that it changed.
    ``review_threshold`` is the confidence below which a line ``needs_review``: by default the setting, then the
    one that the model was calibrated for.
    """

    mode: Mode = "auto"
    model: str | None = None
    charset: str | None = None
    pages: str | None = None
    deadline_seconds: float | None = None
    charset_mode: CharsetMode = "force"
    review_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """A decoded page: first its ``pixels``, then its ``lines``; where it is one line ``alone``, at once that line."""

    page: Page
    pixels: Pixels | None
    lines: list[LineImage]
    alone: bool


@dataclass(slots=True)
class Reading:
    """What is the same for all pages of one reading; ``spent_ms``, ``lines`` and ``flow`` grow on the way."""

    options: ReadOptions
    recogniser: Recogniser
    charset: Charset | None
    deadline: float
    page_count: int = 1
    lines: int = 0  # on the pages that were looked at
    flow: Flow = field(default_factory=Flow)
    admitted: bool = False
    spent_ms: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "detect": 0.0, "recognise": 0.0}
    )

    @property
    def auto(self) -> bool:
        """Whether a page's shape decides if it is one line alone: not in a document of many."""
        return self.options.mode == "auto" and self.page_count == 1


class Timer(AbstractAsyncContextManager[None]):
    """Adds the wall time of its block to one stage of a request."""

    def __init__(self, reading: Reading, stage: str) -> None:
        self._spent, self._stage = reading.spent_ms, stage

    async def __aenter__(self) -> None:
        self._begun = time.perf_counter()

    async def __aexit__(self, *error: object) -> None:
        self._spent[self._stage] += (time.perf_counter() - self._begun) * 1000
