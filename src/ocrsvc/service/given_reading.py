"""A reading that a client sends back to have it written in another format, perhaps corrected by a person.

What it may be is checked here: a reading comes from anywhere, and the formats take what the service itself has read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from ocrsvc.errors import InvalidParameter, reason
from ocrsvc.formats.json_blocks import from_records
from ocrsvc.results import BlockKind, Character, Document, Layout, Line, LineSource, ModelId, Page
from ocrsvc.text import nearest

MOST_LINES = 200_000
_MOST_PAGES = 10_000
_MOST_TEXT_CHARACTERS = 10_000  # of a line
_MOST_TABLE_PLACES = 1_000_000  # rows by columns: formats write each of them
_MOST_DISTINCT_CHARACTERS = 60_000  # a font of a PDF has 65 535 numbers for them
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a line has no others

_IGNORING = ConfigDict(extra="ignore")  # what the answers have besides, and what a client notes in them


def _on_one_line(text: str) -> str:
    return _BREAKS.sub(" ", text)


Text = Annotated[str, Field(max_length=_MOST_TEXT_CHARACTERS), AfterValidator(_on_one_line)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Corner = tuple[Coordinate, Coordinate]
Number = Annotated[int, Field(ge=1, le=1_000_000)]
Place = Annotated[int, Field(ge=0, lt=MOST_LINES)]
Places = Annotated[list[list[Place]], Field(max_length=MOST_LINES)]


@dataclass(frozen=True, slots=True)
class _Character:
    __pydantic_config__: ClassVar[ConfigDict] = _IGNORING

    text: Text
    confidence: Share
    start: Coordinate
    end: Coordinate


@dataclass(frozen=True, slots=True)
class _Line:
    __pydantic_config__: ClassVar[ConfigDict] = _IGNORING

    text: Text
    polygon: tuple[Corner, Corner, Corner, Corner]
    page: Number
    confidence: Share = 1.0
    needs_review: bool = False
    source: LineSource = "recognised"
    characters: Annotated[list[_Character], Field(max_length=_MOST_TEXT_CHARACTERS)] = field(
        default_factory=list
    )

    @property
    def line(self) -> Line:
        """The line; its characters are left out if they do not spell its text, as after a correction."""
        characters = tuple(
            Character(each.text, each.confidence, each.start, each.end) for each in self.characters
        )
        line = Line(
            self.text,
            self.confidence,
            self.polygon,
            self.page,
            characters,
            self.needs_review,
            source=self.source,
        )
        return line if line.is_spelt else replace(line, characters=())


@dataclass(frozen=True, slots=True)
class _Page:
    __pydantic_config__: ClassVar[ConfigDict] = _IGNORING

    number: Number
    width: Number
    height: Number
    orientation: Literal[0, 90, 180, 270] = 0


@dataclass(frozen=True, slots=True)
class _Cell:
    __pydantic_config__: ClassVar[ConfigDict] = _IGNORING

    row: Place
    column: Place
    rows: Places
    row_span: Number = 1
    column_span: Number = 1


@dataclass(frozen=True, slots=True)
class _Table:
    __pydantic_config__: ClassVar[ConfigDict] = _IGNORING

    row_count: Number
    column_count: Number
    cells: list[_Cell]

    def __post_init__(self) -> None:
        if self.row_count * self.column_count > _MOST_TABLE_PLACES:
            raise ValueError(f"a table has at most {_MOST_TABLE_PLACES} places")
        taken: set[tuple[int, int]] = set()
        for cell in self.cells:
            bottom, right = cell.row + cell.row_span, cell.column + cell.column_span
            if bottom > self.row_count or right > self.column_count:
                raise ValueError("a cell is not in its table")
            if len(taken) + cell.row_span * cell.column_span > _MOST_TABLE_PLACES:
                raise ValueError("cells overlap")
            own = {(row, column) for row in range(cell.row, bottom) for column in range(cell.column, right)}
            if own & taken:
                raise ValueError("cells overlap")
            taken |= own


@dataclass(frozen=True, slots=True)
class _Block:
    __pydantic_config__: ClassVar[ConfigDict] = _IGNORING

    kind: BlockKind
    page: Number
    polygon: tuple[Corner, Corner, Corner, Corner]
    rows: Places
    table: _Table | None = None


@dataclass(frozen=True, slots=True)
class _Model:
    __pydantic_config__: ClassVar[ConfigDict] = _IGNORING

    name: Annotated[str, Field(max_length=200)] = ""
    digest: Annotated[str, Field(max_length=200)] = ""


@dataclass(frozen=True, slots=True)
class _Reading:
    __pydantic_config__: ClassVar[ConfigDict] = _IGNORING

    lines: Annotated[list[_Line], Field(max_length=MOST_LINES)]
    pages: Annotated[list[_Page], Field(min_length=1, max_length=_MOST_PAGES)]
    blocks: Annotated[list[_Block], Field(max_length=MOST_LINES)] = field(default_factory=list)
    model: _Model = _Model()

    def __post_init__(self) -> None:
        numbers = [page.number for page in self.pages]
        if len(set(numbers)) < len(numbers):
            raise ValueError("two pages have the same number")
        if {line.page for line in self.lines} - set(numbers):
            raise ValueError("a line is on a page that is not there")
        if len(set().union(*(line.text for line in self.lines))) > _MOST_DISTINCT_CHARACTERS:
            raise ValueError("there are too many different characters")
        if not self.blocks:
            return
        placed = [place for block in self.blocks for row in block.rows for place in row]
        if sorted(placed) != list(range(len(self.lines))):
            raise ValueError("each line must be in one of the blocks")
        for block in self.blocks:
            mine = {place for row in block.rows for place in row}
            if not all(block.rows) or any(self.lines[place].page != block.page for place in mine):
                raise ValueError("a block has an empty row, or a line of another page")
            cells = block.table.cells if block.table else []
            if any(place not in mine for cell in cells for row in cell.rows for place in row):
                raise ValueError("a cell has a line that its block has not")


@dataclass(frozen=True, slots=True)
class GivenReading:
    """JSON as the format json and the result of a job have it, not looked at yet.

    ``structured``: the format is made of blocks. ``layout``: how the text is laid out.
    """

    content: bytes
    structured: bool
    layout: Layout

    def document(self) -> Document:
        """Return the reading as a document; InvalidParameter says where it is wrong."""
        try:
            content = from_json(self.content)
        except ValueError as error:
            raise InvalidParameter(f"result: it is no JSON: {reason(error)}.", place="result") from None
        _check_members(content)
        try:
            given = _adapter().validate_python(content)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(step) for step in ("result", *details["loc"]))
            why = details["msg"].removeprefix("Value error, ").rstrip(".")
            raise InvalidParameter(f"{place[:200]}: {why[:200]}.", place=place) from None
        del content
        lines = tuple(line.line for line in given.lines)
        records = [asdict(block) for block in given.blocks]
        document = Document(
            lines,
            tuple(Page(each.number, each.width, each.height, 0, each.orientation) for each in given.pages),
            ModelId(given.model.name, given.model.digest),
            blocks=from_records(records, lines),
            layout=self.layout,
        )
        if not document.blocks and (self.structured or self.layout in ("rows", "paragraphs", "tables")):
            # Imported here, because numpy takes longer than writing most readings, which come with their blocks.
            from ocrsvc.documents.page_structure import with_blocks
            from ocrsvc.documents.repeats import with_repeats

            return with_repeats(with_blocks(document))
        return document


# What answers have besides the members that count. A test compares them with the shapes of the answers, which are not
# imported: numpy, which comes with them, takes longer than writing most readings.
BESIDES: Mapping[str, tuple[str, ...]] = {
    "result": ("text", "timing_ms", "request_id", "fields", "page_errors"),
    "lines": ("charset_conflict", "free_text", "alternatives", "words", "model"),
    "pages": ("lines_omitted",),
    "blocks": ("lines",),
}
_PARTS: Mapping[str, Any] = {"lines": _Line, "pages": _Page, "blocks": _Block}
_LIKENESS = 0.8  # of a member to the one that it is taken for: notes of clients have names of their own


def _check_members(content: Any) -> None:
    """Raise InvalidParameter for a member that is nearly one that counts: a correction would be lost.

    Others are ignored, because clients note things in a reading.
    """
    if not isinstance(content, dict):
        return
    _check_object(content, "result", known_members("result"))
    for name in _PARTS:
        known, parts = known_members(name), content.get(name)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict) and not part.keys() <= known:
                _check_object(part, f"result.{name}.{index}", known)


def known_members(part: str) -> frozenset[str]:
    """Return the members that answers have in a part of a reading."""
    return frozenset((*(each.name for each in fields(_PARTS.get(part, _Reading))), *BESIDES[part]))


def _check_object(given: Mapping[str, Any], place: str, known: frozenset[str]) -> None:
    for name in sorted(given.keys() - known):
        near = nearest(name, sorted(known), _LIKENESS)
        if near is not None and near not in given:
            place = f"{place}.{name[:40]}"
            raise InvalidParameter(f"{place}: there is no such member (is {near} meant?).", place=place)


@cache
def _adapter() -> TypeAdapter[_Reading]:
    return TypeAdapter(_Reading)
