"""ALTO 4 (loc.gov/standards/alto), the XML of libraries and archives: pages, blocks, lines, words, in pixels.

Words are ``String``, with characters as ``Glyph`` if they are asked for. A line without any word has no place in ALTO
and is left out. The kinds of blocks, if the reading has them, are tags.
"""

from __future__ import annotations

from collections.abc import Iterator

from ocrsvc import __version__
from ocrsvc.formats import markup
from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.words import Word, bounds, polygon_of, words_of
from ocrsvc.results import Block, Document, Line, Page, Polygon

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return the document as XML in UTF-8."""
    pieces = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<alto xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:schemaLocation="{NAMESPACE} {_SCHEMA}" SCHEMAVERSION="4.4">\n',
        *_description(document, rendering),
        *_tags(document),
        " <Layout>\n",
        *(piece for page in document.pages for piece in _page(document, page, rendering)),
        " </Layout>\n</alto>\n",
    ]
    return "".join(pieces).encode()


def _description(document: Document, rendering: Rendering) -> Iterator[str]:
    yield " <Description>\n  <MeasurementUnit>pixel</MeasurementUnit>\n"
    if rendering.file is not None:
        yield (
            f"  <sourceImageInformation><fileName>{markup.text(rendering.file)}</fileName>"
            "</sourceImageInformation>\n"
        )
    yield (
        '  <Processing ID="ocr">\n'
        "   <processingCategory>contentGeneration</processingCategory>\n"
        f"   <processingStepSettings>{markup.text(document.model.name)} {document.model.digest}"
        "</processingStepSettings>\n"
        "   <processingSoftware><softwareName>ocrsvc</softwareName>"
        f"<softwareVersion>{markup.text(__version__)}</softwareVersion></processingSoftware>\n"
        "  </Processing>\n </Description>\n"
    )


def _tags(document: Document) -> Iterator[str]:
    kinds = sorted({block.kind for block in document.blocks})
    if kinds:
        tags = "".join(f'<StructureTag ID="kind_{kind}" LABEL="{kind}"/>' for kind in kinds)
        yield f" <Tags>{tags}</Tags>\n"


def _page(document: Document, page: Page, rendering: Rendering) -> Iterator[str]:
    yield (
        f'  <Page ID="page_{page.number}" PHYSICAL_IMG_NR="{page.number}"'
        f' WIDTH="{page.width}" HEIGHT="{page.height}">\n'
        f'   <PrintSpace HPOS="0" VPOS="0" WIDTH="{page.width}" HEIGHT="{page.height}">\n'
    )
    for number, block in enumerate(document.blocks_of(page), start=1):
        yield from _block(block, f"{page.number}_{number}", tagged=bool(document.blocks), rendering=rendering)
    yield "   </PrintSpace>\n  </Page>\n"


def _block(block: Block, name: str, *, tagged: bool, rendering: Rendering) -> Iterator[str]:
    lines = [(line, words) for line in block.lines if (words := tuple(words_of(line)))]
    if not lines:
        return
    tag = f' TAGREFS="kind_{block.kind}"' if tagged else ""
    yield f'    <TextBlock ID="block_{name}"{tag} {_box(block.polygon)}>\n'
    for number, (line, words) in enumerate(lines, start=1):
        yield from _line(line, words, f"{name}_{number}", rendering)
    yield "    </TextBlock>\n"


def _line(line: Line, words: tuple[Word, ...], name: str, rendering: Rendering) -> Iterator[str]:
    baseline = _points(line.polygon[3], line.polygon[2])
    yield f'     <TextLine ID="line_{name}" {_box(line.polygon)} BASELINE="{baseline}"{_direction(line.polygon)}>\n'
    yield _shape(line.polygon, "      ")
    for number, word in enumerate(words, start=1):
        if number > 1:
            yield "      <SP/>\n"
        yield from _word(line, word, f"{name}_{number}", rendering)
    yield "     </TextLine>\n"


def _word(line: Line, word: Word, name: str, rendering: Rendering) -> Iterator[str]:
    yield (
        f'      <String ID="word_{name}" {_box(word.polygon)} CONTENT="{markup.text(word.text)}"'
        f' WC="{word.confidence:.4f}"'
    )
    shape = _shape(word.polygon, "       ")
    glyphs = word.characters if rendering.characters else ()
    glyphs = tuple(one for one in glyphs if len(one.text) == 1)  # as the schema wants
    if not shape and not glyphs:
        yield "/>\n"
        return
    yield ">\n" + shape
    for number, one in enumerate(glyphs, start=1):
        yield (
            f'       <Glyph ID="glyph_{name}_{number}" {_box(polygon_of(line, one))}'
            f' CONTENT="{markup.text(one.text)}" GC="{one.confidence:.4f}"/>\n'
        )
    yield "      </String>\n"


def _box(polygon: Polygon) -> str:
    left, top, right, bottom = bounds(polygon)
    return f'HPOS="{left}" VPOS="{top}" WIDTH="{right - left}" HEIGHT="{bottom - top}"'


def _shape(polygon: Polygon, indent: str) -> str:
    """Return the element of a polygon that its box does not describe; empty for others."""
    if markup.is_straight(polygon):
        return ""
    return f'{indent}<Shape><Polygon POINTS="{_points(*polygon)}"/></Shape>\n'


def _points(*points: tuple[float, float]) -> str:
    return " ".join(f"{round(x)},{round(y)}" for x, y in points)


def _direction(polygon: Polygon) -> str:
    up = markup.runs_up(polygon)
    return "" if up is None else f' BASEDIRECTION="{"btt" if up else "ttb"}"'


# Not application/xml, which browsers accept and would then get.
FORMAT = Format("alto", "application/alto+xml", ".xml", render, structured=True, whole=True)
