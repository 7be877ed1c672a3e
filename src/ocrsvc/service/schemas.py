"""Shapes of the answers, for the OpenAPI document. A test checks real answers against them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ocrsvc.formats import FORMATS
from ocrsvc.pages.text_layer import PdfText
from ocrsvc.pages.turns import TurnName
from ocrsvc.reading.reading import CharsetMode, Mode
from ocrsvc.results import BlockKind, Layout

_FORMAT: Any = Field(json_schema_extra={"enum": list(FORMATS)})


class Shape(BaseModel):
    """Base of all shapes; it forbids undocumented members."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class AlternativeShape(Shape):
    """One text that a line or character may be."""

    text: str
    confidence: float = Field(ge=0, le=1, description="Probability that this is the right text.")


class WordShape(Shape):
    """One word of a line: a run of characters without white space."""

    text: str
    confidence: float = Field(ge=0, le=1, description="Mean confidence of its characters.")
    polygon: list[tuple[float, float]] = Field(min_length=4, max_length=4, description="As that of a line.")


class CharacterShape(Shape):
    """One character of a line."""

    text: str
    confidence: float = Field(ge=0, le=1)
    start: float = Field(description="Where it begins, as a fraction of the line's length.")
    end: float = Field(description="Where it ends, as a fraction of the line's length.")
    polygon: list[tuple[float, float]] = Field(min_length=4, max_length=4, description="As that of a line.")
    alternatives: list[AlternativeShape] | None = Field(
        None,
        description="Only with n_best: what it may be, the most probable first, which is this character.",
    )


class LineShape(Shape):
    """One line of text."""

    text: str
    confidence: float = Field(
        ge=0,
        le=1,
        description=(
            "Probability that the whole line is right. Without a calibration, or with a charset, it is the mean "
            "confidence of the characters."
        ),
    )
    polygon: list[tuple[float, float]] = Field(
        min_length=4,
        max_length=4,
        description="Corners in pixels of the upright picture, clockwise from the top left of the text.",
    )
    page: int = Field(ge=1)
    needs_review: bool = Field(description="Whether a person should check this line.")
    source: Literal["pdf_text"] | None = Field(
        None, description="pdf_text if the line is taken from the text layer of a PDF; else absent."
    )
    model: str | None = Field(
        None, description="Model that read the line, if the model of the reading is a cascade; else absent."
    )
    charset_conflict: bool | None = Field(
        None,
        description="true if the charset left out a character or, in mode report, changed anything; else absent.",
    )
    free_text: str | None = Field(None, description="Text without the charset, if charset_conflict is true.")
    alternatives: list[AlternativeShape] | None = Field(
        None, description="Only with n_best: the most probable texts, best first; the first is text."
    )
    words: list[WordShape] | None = Field(None, description="Only with granularity=word.")
    characters: list[CharacterShape] | None = Field(None, description="Only with granularity=char.")


class CellShape(Shape):
    """One cell of a table."""

    row: int = Field(ge=0)
    column: int = Field(ge=0)
    row_span: int = Field(ge=1)
    column_span: int = Field(ge=1)
    text: str
    rows: list[list[int]] = Field(description="Its lines, row by row, by their places in lines.")


class TableShape(Shape):
    """Cells of a table."""

    row_count: int
    column_count: int
    cells: list[CellShape]


class BlockShape(Shape):
    """Part of a page; present with layout=rows, paragraphs or tables."""

    kind: BlockKind
    page: int = Field(ge=1)
    polygon: list[tuple[float, float]] = Field(min_length=4, max_length=4)
    lines: list[int] = Field(description="Its lines in reading order, by their places in lines, from 0.")
    rows: list[list[int]] = Field(description="The same, row by row.")
    table: TableShape | None = None


class PageShape(Shape):
    """One page of the input."""

    number: int = Field(ge=1)
    width: int
    height: int
    orientation: Literal[0, 90, 180, 270] = Field(
        description="Clockwise angle in degrees by which the page has to be turned to be upright."
    )
    lines_omitted: int | None = Field(
        None,
        ge=1,
        description="Number of lines found but not read, because of the server's limit; else absent.",
    )


class ModelIdShape(Shape):
    """Model and weights that gave the answer."""

    name: str
    digest: str = Field(description="SHA-256 of the weights.")


class FailureShape(BaseModel):
    """Problem document (RFC 9457) of a page or a job, which belongs to no single request."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/undecodable-image"])
    title: str = Field(examples=["Image cannot be decoded"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What was wrong, in plain language.")


class ProblemShape(FailureShape):
    """Problem document (RFC 9457). Further members depend on the problem, such as max_bytes, allowed, phase."""

    instance: str = Field(examples=["/api/ocr"])
    request_id: str


class FieldErrorShape(Shape):
    """Why a field has no value."""

    code: Literal["outside-page", "no-text", "no-value", "page-not-read", "bad-charset", "template-unmatched"]
    detail: str


class FieldShape(Shape):
    """The text of one region and, if it has a type, its value in normal form."""

    name: str
    page: int = Field(ge=1)
    polygon: list[tuple[float, float]] = Field(description="As of a line; empty if the region is nowhere.")
    text: str = Field(description="The lines of the region as read, separated by newlines.")
    value: str | None = Field(description="In the normal form of the type; without a type, the text.")
    valid: bool | None = Field(
        description="Whether the value passes the checks of its type and is sure; null without a type."
    )
    changed_from: str | None = Field(description="The text, if plain reading does not give the value.")
    margin: float | None = Field(
        description="Distance to the nearest other value in nats; null without a type."
    )
    confidence: float = Field(ge=0, le=1, description="The least of its lines'.")
    error: FieldErrorShape | None = Field(None, description="Why there is no value; else absent.")


class PageErrorShape(Shape):
    """A page that could not be read."""

    page: int = Field(ge=1)
    error: FailureShape


class ReadingShape(Shape):
    """Answer of POST /api/ocr in the format json."""

    text: str = Field(description="The lines in reading order, separated by newlines.")
    lines: list[LineShape]
    pages: list[PageShape]
    blocks: list[BlockShape] | None = Field(
        None, description="With layout=rows, paragraphs or tables: the parts of the pages in reading order."
    )
    model: ModelIdShape
    timing_ms: dict[str, float] = Field(description="Time of each stage in milliseconds.")
    request_id: str
    fields: list[FieldShape] | None = Field(None, description="Only with regions.")
    page_errors: list[PageErrorShape] | None = Field(
        None, description="Of the result of a job: the pages that could not be read; else absent."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "text": "发票号码 No. 24417",
                    "lines": [
                        {
                            "text": "发票号码 No. 24417",
                            "confidence": 0.9871,
                            "polygon": [[12, 8], [311, 9], [311, 41], [12, 40]],
                            "page": 1,
                            "needs_review": False,
                        }
                    ],
                    "pages": [{"number": 1, "width": 640, "height": 480, "orientation": 0}],
                    "model": {"name": "crnn", "digest": "sha256:5f0c..."},
                    "timing_ms": {"decode": 3.1, "detect": 88.2, "recognise": 12.9, "total": 104.6},
                    "request_id": "4be1a0c2d97f3e55",
                }
            ]
        }
    )


class BatchLineShape(Shape):
    """One line of POST /api/ocr/batch: a reading, or an error."""

    file: str
    index: int = Field(ge=0, description="Position of the file in the request.")
    text: str | None = None
    lines: list[LineShape] | None = None
    pages: list[PageShape] | None = None
    blocks: list[BlockShape] | None = None
    model: ModelIdShape | None = None
    timing_ms: dict[str, float] | None = None
    fields: list[FieldShape] | None = None
    error: ProblemShape | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "file": "a.png",
                    "index": 0,
                    "text": "12",
                    "pages": [{"number": 1, "width": 64, "height": 48, "orientation": 0}],
                    "model": {"name": "crnn", "digest": "sha256:5f0c..."},
                    "timing_ms": {"decode": 0.4, "total": 9.1},
                },
                {
                    "file": "notes.txt",
                    "index": 1,
                    "error": {
                        "type": "/problems/unsupported-media-type",
                        "title": "Unsupported media type",
                        "status": 415,
                        "detail": "The type of this file is not supported: send JPEG, PNG or PDF.",
                        "instance": "/api/ocr/batch",
                        "request_id": "4be1a0c2d97f3e55",
                    },
                },
            ]
        }
    )


class WeightsShape(Shape):
    """One file of weights."""

    digest: str
    bytes: int


class ModelShape(Shape):
    """One recogniser."""

    name: str
    default: bool
    architecture: str
    weights: dict[str, WeightsShape] = Field(
        description="By precision: int8, fp32. Of a cascade, those of its first model."
    )
    characters: int = Field(description="Number of different characters that the model can write.")
    licence: str
    origin: str
    scores: dict[str, Any]


class ModelsShape(Shape):
    """Answer of GET /api/models."""

    models: list[ModelShape]


class FormatShape(Shape):
    """One output format."""

    name: str = _FORMAT
    media_type: str
    suffix: str


class CharsetShape(Shape):
    """One named set of characters; ``characters`` is null where there are thousands."""

    name: str
    count: int
    characters: str | None


class LimitsShape(Shape):
    """Limits on one request."""

    max_body_bytes: int
    max_batch_bytes: int
    max_batch_files: int
    max_job_bytes: int
    max_job_pages: int
    max_image_pixels: int
    max_pages: int
    max_page_lines: int
    max_request_lines: int
    deadline_seconds: float


class DefaultsShape(Shape):
    """Values of parameters that a request leaves out."""

    mode: Mode
    model: str
    format: str = _FORMAT
    charset_mode: CharsetMode
    pdf_text: PdfText
    layout: Layout


class OptionsShape(Shape):
    """Answer of GET /api/options: all that a client needs to build a form."""

    version: str
    modes: list[Mode]
    models: list[str]
    formats: list[FormatShape]
    charset_modes: list[CharsetMode]
    orientations: list[TurnName]
    pdf_texts: list[PdfText] = Field(description="Uses of the text layer of a PDF.")
    layouts: list[Layout]
    charsets: list[CharsetShape]
    accepted_types: list[str] = Field(description="Media types of pictures, for a file picker.")
    accepted_suffixes: list[str]
    limits: LimitsShape
    defaults: DefaultsShape


class ProblemKindShape(Shape):
    """Answer of GET /problems/{slug}."""

    type: str
    title: str
    status: int
    description: str


class HealthShape(Shape):
    """Answer of a probe that succeeds."""

    status: Literal["alive", "ready", "started"]
    jobs: Literal["ok", "unavailable"] | None = Field(
        None, description="Of /readyz: whether jobs are taken; the log says why not."
    )
