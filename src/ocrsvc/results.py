"""Result types, from the text of a line to a whole document; all are frozen.

Every coordinate is in pixels of the original picture after its EXIF rotation, origin top left, x before y.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Point = tuple[float, float]
Polygon = tuple[Point, Point, Point, Point]
# The likely characters of one time step with their probabilities, the most probable first; "" is the CTC blank.
TimeStep = tuple[tuple[str, float], ...]
LineSource = Literal["recognised", "pdf_text"]  # read by the model, or taken from the text layer of a PDF


MOST_ALTERNATIVES = 5  # of a line or character; the fifth is the right text of 0.6 % of drawn lines


@dataclass(frozen=True, slots=True)
class Alternative:
    """What a line, or a character, may also say, and the probability of that."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Character:
    """One character decoded by CTC.

    ``start`` and ``end`` are fractions (0 to 1) of the line's width along its reading direction. ``confidence`` is the
    probability that it is right (``ocrsvc.models.calibration``) or, without a calibration, its CTC peak.
    ``alternatives``: what it may be, itself first; empty unless a reading asked for them (``n_best``). ``folded_peak``:
    the probability of all forms of the character (``ocrsvc.recognition.folding``), until the line is calibrated.
    """

    text: str
    confidence: float
    start: float
    end: float
    alternatives: tuple[Alternative, ...] = ()
    folded_peak: float | None = None


@dataclass(frozen=True, slots=True)
class TimeSteps:
    """What a recogniser saw in each time step of a line, left to right; a step is ``width_pixels`` wide."""

    steps: tuple[TimeStep, ...]
    width_pixels: int


@dataclass(frozen=True, slots=True)
class LineText:
    """Text of one line image. ``confidence`` is the mean over its characters (0 if empty) until it is calibrated.

    ``free``: the text without the charset, from the same run, if there was a charset. ``steps``: what the text was
    decoded from, if alternatives are wanted; ``alternatives``: the other texts that were found in them. Until it is
    calibrated, the confidence of an alternative of the line or of a character is its share of the doubt
    (``ocrsvc.recognition.alternatives``). ``model``: name of the model that read it, if a cascade did.
    """

    text: str
    confidence: float
    characters: tuple[Character, ...] = ()
    free: LineText | None = None
    steps: TimeSteps | None = None
    alternatives: tuple[Alternative, ...] = ()
    model: str | None = None

    @property
    def length(self) -> int:
        """Return the number of characters without white space."""
        return len("".join(self.text.split()))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document: its text and its position.

    ``polygon``: four corners in reading order (top left, top right, bottom right, bottom left of the text); ``page``
    counts from 1. ``confidence``: probability that the whole line is right or, without a calibration, the mean of its
    characters'. ``free_text``: the text without the charset, if there is a conflict (``conflicts``). ``alternatives``:
    the most probable texts, this one first; empty unless a reading asked for them (``n_best``). ``source``: where the
    text comes from; the confidence of a text that the file states is 1. ``model``: name of the model that read it, if a
    cascade did.
    """

    text: str
    confidence: float
    polygon: Polygon
    page: int
    characters: tuple[Character, ...] = ()
    needs_review: bool = False
    free_text: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    source: LineSource = "recognised"
    model: str | None = None

    @property
    def is_spelt(self) -> bool:
        """Return whether its characters, with their places, are those of its text."""
        return bool(self.characters) and "".join(each.text for each in self.characters) == self.text


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the input with its size in pixels; ``number`` counts from 1.

    ``orientation``: clockwise angle in degrees (0, 90, 180 or 270) by which the page as given, with this size, has to
    be turned to be upright. ``lines_omitted``: number of lines that were detected but not read, because of the limit.
    ``dpi``: resolution at which the page of a PDF was drawn; None for pictures.
    """

    number: int
    width: int
    height: int
    lines_omitted: int = 0
    orientation: int = 0
    dpi: float | None = None


@dataclass(frozen=True, slots=True)
class ModelId:
    """Identity of the weights: the model's name and the SHA-256 of the ONNX file (``digest``, ``sha256:…``)."""

    name: str
    digest: str


Row = tuple[Line, ...]  # lines side by side, left to right
Layout = Literal["lines", "rows", "paragraphs", "tables", "raw"]
"""How a text is laid out: line by line, rows kept together, paragraphs, or paragraphs and tables; raw: as found."""
BlockKind = Literal["paragraph", "heading", "table", "header", "footer", "footnote"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table; ``row`` and ``column`` count from 0, ``rows`` are its lines, row by row."""

    row: int
    column: int
    row_span: int = 1
    column_span: int = 1
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of a table by row, then by column; no two of them overlap, and an empty place may have none."""

    row_count: int
    column_count: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Part of a page: its bounds, and its lines in reading order, row by row.

    ``header`` and ``footer`` are lines at the edge of the page that repeat over pages. A ``table`` also has its cells.
    """

    kind: BlockKind
    page: int
    polygon: Polygon
    rows: tuple[Row, ...]
    table: Table | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """Return the lines in reading order."""
        return tuple(line for row in self.rows for line in row)


@dataclass(frozen=True, slots=True)
class FieldError:
    """Why a field has no value: a ``code`` for programs, and a sentence for people."""

    code: Literal["outside-page", "no-text", "no-value", "page-not-read", "bad-charset", "template-unmatched"]
    detail: str


@dataclass(frozen=True, slots=True)
class Field:
    """Text of one region of a page and, if the region has a type, its value in normal form.

    ``polygon``: where the region is, as of a line; empty if it is nowhere. ``valid``: the value passes the checks of
    its type and is far enough from all others; None without a type, when the value is the text. ``changed_from``: the
    text, if plain reading does not give the value. ``margin``: distance of the value to the nearest other one in nats,
    None without a type. ``confidence``: the least of its lines'.
    """

    name: str
    page: int
    polygon: Polygon | tuple[()]
    text: str = ""
    value: str | None = None
    valid: bool | None = None
    changed_from: str | None = None
    margin: float | None = None
    confidence: float = 0.0
    error: FieldError | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """Result of one input: lines in reading order, their pages, the model, the time of each stage.

    ``blocks``: the parts of the pages in reading order, each line in exactly one; empty unless a reading asked for
    them. ``layout``: how its text is to be laid out; formats with a form of their own ignore it.
    ``fields``: the values of the regions that a reading asked for, page after page.
    """

    lines: tuple[Line, ...]
    pages: tuple[Page, ...]
    model: ModelId
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    layout: Layout = "lines"
    fields: tuple[Field, ...] = ()

    @property
    def text(self) -> str:
        """Return the text of the lines in reading order, one line each."""
        return "\n".join(line.text for line in self.lines)

    def blocks_of(self, page: Page) -> tuple[Block, ...]:
        """Return the blocks of a page; without any, one paragraph that has each line as a row."""
        if self.blocks:
            return tuple(block for block in self.blocks if block.page == page.number)
        rows = tuple((line,) for line in self.lines if line.page == page.number)
        if not rows:
            return ()
        corners = [corner for (line,) in rows for corner in line.polygon]
        left, right = min(x for x, _ in corners), max(x for x, _ in corners)
        top, bottom = min(y for _, y in corners), max(y for _, y in corners)
        return (
            Block(
                "paragraph", page.number, ((left, top), (right, top), (right, bottom), (left, bottom)), rows
            ),
        )


def joined(documents: Sequence[Document]) -> Document:
    """Return one document of at least one, page after page; the times of their stages are added up."""
    spent: dict[str, float] = {}
    for document in documents:
        for stage, spent_ms in document.timing_ms.items():
            spent[stage] = spent.get(stage, 0.0) + spent_ms
    return Document(
        tuple(line for document in documents for line in document.lines),
        tuple(page for document in documents for page in document.pages),
        documents[0].model,
        spent,
        tuple(block for document in documents for block in document.blocks),
        documents[0].layout,
        tuple(field for document in documents for field in document.fields),
    )
