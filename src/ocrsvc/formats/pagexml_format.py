"""PAGE XML of 2019-07-15 (PRImA), which tools for transcription and layout analysis exchange: one page a file.

Blocks are regions in reading order, those of tables with a region for each cell. Words, and characters as ``Glyph`` if
they are asked for, have their own outlines. A line without any word is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ocrsvc import __version__
from ocrsvc.errors import InvalidParameter
from ocrsvc.formats import markup
from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.words import Word, bounds, polygon_of, words_of
from ocrsvc.results import Block, Cell, Document, Line, Page, Polygon

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_TYPES = {"heading": "heading", "header": "header", "footer": "footer", "footnote": "footnote"}


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return the only page of ``document`` as XML in UTF-8; raises InvalidParameter if it has several."""
    if len(document.pages) != 1:
        raise InvalidParameter(
            f"A file of PAGE XML holds one page and the document has {len(document.pages)}:"
            " choose one with pages, or ask for alto.",
            place="format",
        )
    (page,) = document.pages
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    angle = page.orientation if page.orientation <= 180 else page.orientation - 360
    pieces = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<PcGts xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:schemaLocation="{NAMESPACE} {NAMESPACE}/pagecontent.xsd">\n',
        f" <Metadata>\n  <Creator>ocrsvc {markup.text(__version__)}</Creator>\n"
        f"  <Created>{now}</Created>\n  <LastChange>{now}</LastChange>\n"
        f"  <Comments>{markup.text(document.model.name)} {document.model.digest}</Comments>\n </Metadata>\n",
        f' <Page imageFilename="{markup.text(rendering.file or "")}"'
        f' imageWidth="{page.width}" imageHeight="{page.height}"'
        + (f' orientation="{angle}"' if angle else "")
        + ">\n",
        *_regions(document, page, rendering),
        " </Page>\n</PcGts>\n",
    ]
    return "".join(pieces).encode()


def _regions(document: Document, page: Page, rendering: Rendering) -> Iterator[str]:
    """Yield the reading order and the regions of a page."""
    blocks = [block for block in document.blocks_of(page) if _with_words(block.lines)]
    if not blocks:
        return
    yield '  <ReadingOrder>\n   <OrderedGroup id="order">\n'
    for number in range(len(blocks)):
        yield f'    <RegionRefIndexed index="{number}" regionRef="region_{number + 1}"/>\n'
    yield "   </OrderedGroup>\n  </ReadingOrder>\n"
    for number, block in enumerate(blocks, start=1):
        if block.table is not None:
            yield from _table(block, f"region_{number}", rendering)
            continue
        kind = _TYPES.get(block.kind, "paragraph") if document.blocks else ""
        head = f' type="{kind}"' if kind else ""
        yield from _region(block.lines, f"region_{number}", head, _coords(block.polygon), "", rendering)


def _table(block: Block, name: str, rendering: Rendering) -> Iterator[str]:
    table = block.table
    if table is None:
        return
    yield f'  <TableRegion id="{name}" rows="{table.row_count}" columns="{table.column_count}">\n'
    yield f"   {_coords(block.polygon)}\n"
    for number, cell in enumerate(table.cells, start=1):
        lines = [line for row in cell.rows for line in row]
        if _with_words(lines):
            yield from _region(lines, f"{name}_{number}", "", _coords(_hull(lines)), _role(cell), rendering)
    yield "  </TableRegion>\n"


def _role(cell: Cell) -> str:
    return (
        f'<Roles><TableCellRole rowIndex="{cell.row}" columnIndex="{cell.column}"'
        f' rowSpan="{cell.row_span}" colSpan="{cell.column_span}"/></Roles>'
    )


def _region(
    lines: Sequence[Line], name: str, head: str, coords: str, roles: str, rendering: Rendering
) -> Iterator[str]:
    yield f'  <TextRegion id="{name}"{head}>\n   {coords}{roles}\n'
    texts = []
    for number, (line, words) in enumerate(_with_words(lines), start=1):
        yield from _line(line, words, f"{name}_line_{number}", rendering)
        texts.append(line.text)
    yield f"   {_text(chr(10).join(texts))}\n  </TextRegion>\n"


def _with_words(lines: Sequence[Line]) -> list[tuple[Line, tuple[Word, ...]]]:
    return [(line, words) for line in lines if (words := tuple(words_of(line)))]


def _line(line: Line, words: Sequence[Word], name: str, rendering: Rendering) -> Iterator[str]:
    yield f'   <TextLine id="{name}"{_direction(line.polygon)}>\n    {_coords(line.polygon)}'
    yield f'<Baseline points="{_points(line.polygon[3], line.polygon[2])}"/>\n'
    for number, word in enumerate(words, start=1):
        yield f'    <Word id="{name}_word_{number}">{_coords(word.polygon)}'
        for place, one in enumerate(word.characters if rendering.characters else (), start=1):
            yield (
                f'<Glyph id="{name}_word_{number}_glyph_{place}">{_coords(polygon_of(line, one))}'
                f"{_text(one.text, one.confidence)}</Glyph>"
            )
        yield f"{_text(word.text, word.confidence)}</Word>\n"
    yield f"    {_text(line.text, line.confidence)}\n   </TextLine>\n"


def _text(said: str, confidence: float | None = None) -> str:
    sure = "" if confidence is None else f' conf="{confidence:.4f}"'
    return f"<TextEquiv{sure}><Unicode>{markup.text(said)}</Unicode></TextEquiv>"


def _hull(lines: Sequence[Line]) -> Polygon:
    """Return the bounding box of lines."""
    boxes = [bounds(line.polygon) for line in lines]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _coords(polygon: Polygon) -> str:
    return f'<Coords points="{_points(*polygon)}"/>'


def _points(*points: tuple[float, float]) -> str:
    """Return corners in whole pixels; the schema has no negative ones."""
    return " ".join(f"{max(0, round(x))},{max(0, round(y))}" for x, y in points)


def _direction(polygon: Polygon) -> str:
    up = markup.runs_up(polygon)
    return "" if up is None else f' readingDirection="{"bottom-to-top" if up else "top-to-bottom"}"'


# The media type that OCR-D uses; PRImA has registered none.
FORMAT = Format("pagexml", "application/vnd.prima.page+xml", ".page.xml", render, structured=True, whole=True)
