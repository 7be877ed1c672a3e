"""Tab-separated values in the twelve columns of Tesseract's ``tsv`` output, for programs that read that.

A page is a row of level 1, a line a row of level 4, and each word of it (split at spaces, located by the recogniser's
character spans) a row of level 5; each page has one block and one paragraph. ``conf`` is 0 to 100 for words, -1
otherwise, as in https://tesseract-ocr.github.io/tessdoc/Command-Line-Usage.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.results import Character, Document, Line, Point, Polygon

COLUMNS = (
    "level",
    "page_num",
    "block_num",
    "par_num",
    "line_num",
    "word_num",
    "left",
    "top",
    "width",
    "height",
    "conf",
    "text",
)
_SEPARATORS = str.maketrans({"\t": " ", "\n": " ", "\r": " "})


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    confidence: float
    start: float
    end: float


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return a header row, then the rows of every page, UTF-8."""
    rows = ["\t".join(COLUMNS)]
    for page in document.pages:
        rows.append(_row(1, (page.number, 0, 0, 0, 0), (0, 0, page.width, page.height)))
        lines = [line for line in document.lines if line.page == page.number]
        for line_number, line in enumerate(lines, start=1):
            place = (page.number, 1, 1, line_number)
            rows.append(_row(4, (*place, 0), _box(line.polygon)))
            for word_number, word in enumerate(_words(line), start=1):
                box = _box(_part(line.polygon, word.start, word.end))
                rows.append(_row(5, (*place, word_number), box, word.confidence * 100, word.text))
    return ("\n".join(rows) + "\n").encode()


def _row(
    level: int,
    place: tuple[int, int, int, int, int],
    box: tuple[int, int, int, int],
    confidence: float = -1,
    text: str = "",
) -> str:
    conf = "-1" if confidence < 0 else f"{confidence:.2f}"
    return "\t".join([str(level), *map(str, place), *map(str, box), conf, text.translate(_SEPARATORS)])


def _words(line: Line) -> Iterator[_Word]:
    if not line.characters:
        if line.text.strip():
            yield _Word(line.text.strip(), line.confidence, 0.0, 1.0)
        return
    run: list[Character] = []
    for character in (*line.characters, None):
        if character is not None and not character.text.isspace():
            run.append(character)
        elif run:
            mean = sum(one.confidence for one in run) / len(run)
            yield _Word("".join(one.text for one in run), mean, run[0].start, run[-1].end)
            run = []


def _part(polygon: Polygon, start: float, end: float) -> Polygon:
    """Return the piece of ``polygon`` between two fractions of its reading direction."""
    top_left, top_right, bottom_right, bottom_left = polygon
    return (
        _between(top_left, top_right, start),
        _between(top_left, top_right, end),
        _between(bottom_left, bottom_right, end),
        _between(bottom_left, bottom_right, start),
    )


def _between(a: Point, b: Point, fraction: float) -> Point:
    return a[0] + (b[0] - a[0]) * fraction, a[1] + (b[1] - a[1]) * fraction


def _box(polygon: Polygon) -> tuple[int, int, int, int]:
    """Return left, top, width, height of the bounding box of ``polygon``, in whole pixels."""
    xs, ys = [point[0] for point in polygon], [point[1] for point in polygon]
    left, top = round(min(xs)), round(min(ys))
    return left, top, round(max(xs)) - left, round(max(ys)) - top


FORMAT = Format("tsv", "text/tab-separated-values; charset=utf-8", ".tsv", render)
