"""Word documents: headings, paragraphs, lists and tables in Word's own styles, each page of the input on a new page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.headings import level, usual_height
from ocrsvc.formats.markup import plain
from ocrsvc.formats.reflow import cell_text, paragraph, without_bullet
from ocrsvc.results import Block, Document, Page, Table
from ocrsvc.text import is_list_item

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from docx.text.paragraph import Paragraph

_CHINESE_FACE = "SimSun"  # part of every Word for Windows and Mac; other programs replace it
_STYLES = ("Normal", "Heading 1", "Heading 2", "Heading 3")


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return ``document`` as a Word document; its title is the name of the input."""
    import docx  # heavy, and of no use to other formats

    word = docx.Document()
    word.core_properties.author = ""
    word.core_properties.title = plain(rendering.file or "")[:255]
    _set_chinese_face(word)
    for i, page in enumerate(document.pages):
        _begin(word, page, first=i == 0)
        blocks = document.blocks_of(page)
        usual = usual_height(blocks)
        for block in blocks:
            _write(word, block, usual)
    written = io.BytesIO()
    word.save(written)
    return written.getvalue()


def _set_chinese_face(word: WordDocument) -> None:
    """Let Chinese characters have a Chinese face; python-docx's template has a Japanese one."""
    from docx.oxml.ns import qn

    for name in _STYLES:
        fonts = word.styles[name].element.get_or_add_rPr().get_or_add_rFonts()
        fonts.attrib.pop(qn("w:eastAsiaTheme"), None)
        fonts.set(qn("w:eastAsia"), _CHINESE_FACE)


def _begin(word: WordDocument, page: Page, *, first: bool) -> None:
    """Begin a page: A4, on its side where the page of the input is wider than high."""
    from docx.enum.section import WD_ORIENT, WD_SECTION
    from docx.shared import Mm

    section = word.sections[0] if first else word.add_section(WD_SECTION.NEW_PAGE)
    wide = page.width > page.height
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = (Mm(297), Mm(210)) if wide else (Mm(210), Mm(297))
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(20)


def _write(word: WordDocument, block: Block, usual: float) -> None:
    if block.table is not None:
        _write_table(word, block.table)
        return
    lines = paragraph(block)
    if block.kind == "heading":
        word.add_heading(plain(" ".join(lines)), level(block, usual))
        return
    current: Paragraph | None = None
    for line in lines:
        bare = without_bullet(line) if is_list_item(line) else None
        if bare is not None:
            word.add_paragraph(plain(bare), "List Bullet")
            current = None
        elif current is None or is_list_item(line):
            current = word.add_paragraph(plain(line))
        else:  # such as the rows of an address
            current.add_run().add_break()
            current.add_run(plain(line))


def _write_table(word: WordDocument, table: Table) -> None:
    made = word.add_table(table.row_count, table.column_count, "Table Grid")
    places = [row.cells for row in made.rows]
    for cell in table.cells:
        first = places[cell.row][cell.column]
        first.text = plain(cell_text(cell))
        if cell.row_span > 1 or cell.column_span > 1:
            first.merge(places[cell.row + cell.row_span - 1][cell.column + cell.column_span - 1])
    word.add_paragraph()  # Word joins two tables that nothing separates


FORMAT = Format(
    "docx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".docx",
    render,
    structured=True,
    whole=True,
    binary=True,
)
