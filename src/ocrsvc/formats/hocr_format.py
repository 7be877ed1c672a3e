"""hOCR 1.2 (kba.github.io/hocr-spec): XHTML with boxes in its titles, for programs that read what Tesseract writes.

Pages, areas, paragraphs, lines and words, with characters (``ocrx_cinfo``) if they are asked for. The titles have the
properties that Tesseract writes: ``bbox``, ``baseline`` or ``textangle``, ``x_wconf``, ``x_conf``.
"""

from __future__ import annotations

from collections.abc import Iterator

from ocrsvc import __version__
from ocrsvc.formats import markup
from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.words import Word, bounds, polygon_of, words_of
from ocrsvc.results import Character, Document, Line, Page, Polygon

_SIDEWAYS_DEGREES = 45.0  # a baseline is given up to this slope, an angle above it

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
 <head>
  <title>{title}</title>
  <meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
  <meta name="ocr-system" content="ocrsvc {version}"/>
  <meta name="ocr-capabilities" content="{capabilities}"/>
 </head>
 <body>
"""
_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word"


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return the document as XHTML in UTF-8."""
    head = _HEAD.format(
        title=markup.text(rendering.file or ""),
        version=markup.text(__version__),
        capabilities=_CAPABILITIES + (" ocrx_cinfo" if rendering.characters else ""),
    )
    pages = "".join(piece for page in document.pages for piece in _page(document, page, rendering))
    return f"{head}{pages} </body>\n</html>\n".encode()


def _page(document: Document, page: Page, rendering: Rendering) -> Iterator[str]:
    file = (rendering.file or "").replace("\\", "").replace('"', "")
    title = f'image "{file}"; bbox 0 0 {page.width} {page.height}; ppageno {page.number - 1}'
    yield f'  <div class="ocr_page" id="page_{page.number}" title="{markup.text(title)}">\n'
    lines = 0
    for number, block in enumerate(document.blocks_of(page), start=1):
        name, title = f"{page.number}_{number}", _box(block.polygon)
        yield f'   <div class="ocr_carea" id="block_{name}" title="{title}">\n'
        yield f'    <p class="ocr_par" id="par_{name}" title="{title}">\n'
        for line in block.lines:
            lines += 1
            yield from _line(line, f"{page.number}_{lines}", rendering)
        yield "    </p>\n   </div>\n"
    yield "  </div>\n"


def _line(line: Line, name: str, rendering: Rendering) -> Iterator[str]:
    yield f'     <span class="ocr_line" id="line_{name}" title="{_box(line.polygon)}; {_run(line.polygon)}">'
    for number, word in enumerate(words_of(line), start=1):
        yield "\n      " + _word(line, word, f"{name}_{number}", rendering)
    yield "\n     </span>\n"


def _word(line: Line, word: Word, name: str, rendering: Rendering) -> str:
    title = f"{_box(word.polygon)}; x_wconf {round(word.confidence * 100)}"
    content = markup.text(word.text)
    if rendering.characters and word.characters:
        content = "".join(_character(line, one) for one in word.characters)
    return f'<span class="ocrx_word" id="word_{name}" title="{title}">{content}</span>'


def _character(line: Line, one: Character) -> str:
    title = f"x_bboxes {_numbers(polygon_of(line, one))}; x_conf {one.confidence * 100:.2f}"
    return f'<span class="ocrx_cinfo" title="{title}">{markup.text(one.text)}</span>'


def _run(polygon: Polygon) -> str:
    """Return how the text of a line runs: its ``baseline`` within its box or, if it is turned, its ``textangle``."""
    angle = markup.angle_degrees(polygon)
    if abs(angle) > _SIDEWAYS_DEGREES:
        return f"textangle {angle % 360:.4g}"
    (_, _, (right, right_y), (left, left_y)) = polygon
    slope = (right_y - left_y) / (right - left) if right > left else 0.0
    box_left, _, _, box_bottom = bounds(polygon)
    return f"baseline {slope:.4g} {left_y + slope * (box_left - left) - box_bottom:.4g}"


def _box(polygon: Polygon) -> str:
    return f"bbox {_numbers(polygon)}"


def _numbers(polygon: Polygon) -> str:
    return " ".join(map(str, (max(0, side) for side in bounds(polygon))))


FORMAT = Format("hocr", "text/vnd.hocr+html; charset=utf-8", ".hocr", render, structured=True, whole=True)
