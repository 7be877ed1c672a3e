"""State of one reading: the caller's options, the results so far, and the time spent in each stage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal

from ocrsvc.documents.rules import Rule
from ocrsvc.fields.region import Area, Region
from ocrsvc.fields.template import Template
from ocrsvc.pages.source import DocumentOptions, Pixels
from ocrsvc.pages.text_layer import PdfText, TextLayer
from ocrsvc.pages.turns import Turn
from ocrsvc.reading.cascade import Cascade
from ocrsvc.reading.lines import LineImage
from ocrsvc.reading.stage_log import StageLog
from ocrsvc.recognition.charsets import Charset
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import Block, Field, Layout, Line, ModelId, Page
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
    ``MOST_ALTERNATIVES``; 0 for none. ``orientation``: clockwise angle by which pages have to be turned to be upright;
    None to find it for each page. ``pdf_text``: use of the text layers of a PDF; ``password``: of a PDF.
    ``layout``: how the text is laid out; ``structured``: find the blocks of pages, whatever the layout.
    ``regions``: places whose text becomes a field; ``ignore``: places whose lines are left out; ``template``: both, for
    pages of one form.
    """

    mode: Mode = "auto"
    model: str | None = None
    charset: str | None = None
    pages: str | None = None
    deadline_seconds: float | None = None
    charset_mode: CharsetMode = "force"
    review_threshold: float | None = None
    n_best: int = 0
    orientation: Turn | None = None
    pdf_text: PdfText = "auto"
    password: str | None = field(default=None, repr=False)
    layout: Layout = "lines"
    structured: bool = False
    regions: tuple[Region, ...] = ()
    ignore: tuple[Area, ...] = ()
    template: Template | None = None

    @property
    def with_blocks(self) -> bool:
        """Return whether the lines are put together to blocks, for which the rules of tables are found as well."""
        return self.structured or self.layout in ("rows", "paragraphs", "tables")

    @property
    def document(self) -> DocumentOptions:
        """Return how a PDF is opened. A charset binds only the recogniser, and ``line`` is about the picture."""
        picture = self.mode == "line" or (self.charset is not None and self.pdf_text == "auto")
        return DocumentOptions(self.password, "never" if picture else self.pdf_text)

    @property
    def has_fields(self) -> bool:
        """Return whether regions are asked for."""
        return bool(self.regions or self.template)


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """Decoded page, with its ``pixels`` or, once they are found, its ``lines``; ``alone``: it is a single line.

    ``layer``: lines of a PDF that need not be read. ``rules``: ruled lines, in pixels of the upright page. ``kept``:
    the pixels, for regions in which no line was found.
    """

    page: Page
    pixels: Pixels | None
    lines: list[LineImage]
    alone: bool
    layer: TextLayer | None = None
    rules: tuple[Rule, ...] = ()
    kept: Pixels | None = None


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page with its lines and, if they are wanted, its blocks and the fields of regions."""

    page: Page
    lines: list[Line]
    blocks: tuple[Block, ...] = ()
    fields: Sequence[Field] = ()


@dataclass(slots=True)
class Tally:
    """What all pages of a reading count together: ``lines`` found so far; ``admitted``: some work was accepted."""

    lines: int = 0
    admitted: bool = False


@dataclass(slots=True)
class Reading:
    """State of one reading; ``spent_ms``, ``tally``, ``fonts`` and ``flow`` accumulate.

    Its pages share it, or have one each, with a deadline and times of its own and the same ``tally``,
    ``fonts`` and ``flow``. ``recogniser`` reads every line first, and a ``cascade`` some of them again. ``fonts``:
    whether the text layer is right in the fonts compared so far, one page at a time
    (``comparing``). ``page_numbers``: of all pages that are asked for. ``log``: of stages, if it is wanted.
    """

    options: ReadOptions
    recogniser: Recogniser
    charset: Charset | None
    deadline: float
    page_count: int = 1
    page_numbers: tuple[int, ...] = (1,)
    tally: Tally = field(default_factory=Tally)
    fonts: dict[str, bool] = field(default_factory=dict)
    comparing: asyncio.Lock = field(default_factory=asyncio.Lock)
    flow: Flow = field(default_factory=Flow)
    log: StageLog | None = None
    cascade: Cascade | None = None
    spent_ms: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "detect": 0.0, "recognise": 0.0}
    )

    @property
    def model(self) -> ModelId:
        """Return name and digest of the model as a whole."""
        return self.cascade.id if self.cascade else self.recogniser.id

    @property
    def auto(self) -> bool:
        """Return whether a page's shape decides if it is a single line.

        Never in a document of several pages, nor with regions or areas to ignore: those are places on a page.
        """
        places = self.options.has_fields or self.options.ignore
        return self.options.mode == "auto" and self.page_count == 1 and not places

    @property
    def wants_steps(self) -> bool:
        """Return whether the time steps of lines are needed, for alternatives or for values of a type."""
        return self.options.n_best > 0 or self.options.has_fields


class Timer(AbstractAsyncContextManager[None]):
    """Context manager that adds the wall time of its block to one stage of a reading."""

    def __init__(self, reading: Reading, stage: str) -> None:
        self._reading, self._stage = reading, stage

    async def __aenter__(self) -> None:
        self._begun = time.perf_counter()

    async def __aexit__(self, *error: object) -> None:
        ended = time.perf_counter()
        self._reading.spent_ms[self._stage] += (ended - self._begun) * 1000
        if self._reading.log is not None:
            self._reading.log.add(self._stage, self._begun, ended)
