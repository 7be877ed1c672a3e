"""Tab-separated values in the twelve columns of Tesseract's ``tsv`` output, for programs that read that.

A page is a row of level 1, a line a row of level 4, and each word of it (``words``) a row of level 5. If the reading
has blocks, each is a row of level 2 and its paragraph one of level 3; else all lines of a page are in block 1 and
paragraph 1, without rows of their own. With characters, each is a row of level 6, which Tesseract does not have, with
the numbers of its word. ``conf`` is 0 to 100 for words and characters, -1 otherwise, as in
https://tesseract-ocr.github.io/tessdoc/Command-Line-Usage.html.
"""

from __future__ import annotations

from collections.abc import Iterator

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.words import bounds, polygon_of, words_of
from ocrsvc.results import Document, Line, Page, Polygon

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


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return a header row, then the rows of every page, UTF-8."""
    rows = ["\t".join(COLUMNS)]
    for page in document.pages:
        rows.append(_row(1, (page.number, 0, 0, 0, 0), (0, 0, page.width, page.height)))
        rows += _of_page(document, page, rendering)
    return ("\n".join(rows) + "\n").encode()


def _of_page(document: Document, page: Page, rendering: Rendering) -> Iterator[str]:
    for block_number, block in enumerate(document.blocks_of(page), start=1):
        if document.blocks:
            yield _row(2, (page.number, block_number, 0, 0, 0), _box(block.polygon))
            yield _row(3, (page.number, block_number, 1, 0, 0), _box(block.polygon))
        for line_number, line in enumerate(block.lines, start=1):
            yield from _of_line(line, (page.number, block_number, 1, line_number), rendering)


def _of_line(line: Line, place: tuple[int, int, int, int], rendering: Rendering) -> Iterator[str]:
    yield _row(4, (*place, 0), _box(line.polygon))
    for number, word in enumerate(words_of(line), start=1):
        yield _row(5, (*place, number), _box(word.polygon), word.confidence * 100, word.text)
        if rendering.characters:
            for one in word.characters:
                box = _box(polygon_of(line, one))
                yield _row(6, (*place, number), box, one.confidence * 100, one.text)


def _row(
    level: int,
    place: tuple[int, int, int, int, int],
    box: tuple[int, int, int, int],
    confidence: float = -1,
    text: str = "",
) -> str:
    conf = "-1" if confidence < 0 else f"{confidence:.2f}"
    return "\t".join([str(level), *map(str, place), *map(str, box), conf, text.translate(_SEPARATORS)])


def _box(polygon: Polygon) -> tuple[int, int, int, int]:
    left, top, right, bottom = bounds(polygon)
    return left, top, right - left, bottom - top


FORMAT = Format("tsv", "text/tab-separated-values; charset=utf-8", ".tsv", render)
