"""Word documents, opened again with python-docx and compared."""

from __future__ import annotations

import io
from dataclasses import replace

import docx
from docx.document import Document as WordDocument
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from formats.structured_document import block, document, line, table

from ocrsvc.formats import render
from ocrsvc.results import Document, Page


def opened(found: Document, file: str | None = None) -> WordDocument:
    return docx.Document(io.BytesIO(render("docx", found, file=file)))


def styled(word: WordDocument) -> list[tuple[str, str]]:
    return [(each.style.name if each.style else "", each.text) for each in word.paragraphs]


def test_headings_and_paragraphs_have_words_own_styles() -> None:
    text = block(
        "paragraph",
        line("A paragraph that is broken by the width of paper and di-", 0, 100, 600),
        line("vided at its end", 0, 128, 170),
    )
    word = opened(document(block("heading", line("价目表", 0, 0, 150, 40)), text), "prices.png")
    assert styled(word) == [
        ("Heading 1", "价目表"),
        ("Normal", "A paragraph that is broken by the width of paper and divided at its end"),
    ]
    assert (word.core_properties.title, word.core_properties.author) == ("prices.png", "")


def test_items_with_bullets_are_a_list_and_numbered_ones_keep_their_numbers() -> None:
    texts = ("• first", "• second", "3. third")
    items = [line(text, 0, 28 * i, 300) for i, text in enumerate(texts)]
    assert styled(opened(document(block("paragraph", *items)))) == [
        ("List Bullet", "first"),
        ("List Bullet", "second"),
        ("Normal", "3. third"),
    ]


def test_an_address_keeps_its_rows_in_one_paragraph() -> None:
    texts = ("Ronald Rice", "6519 Cascada", "Austin")
    rows = [line(text, 0, 28 * i, 12 * len(text)) for i, text in enumerate(texts)]
    assert styled(opened(document(block("paragraph", *rows)))) == [("Normal", "\n".join(texts))]


def test_tables_have_their_texts_and_spans() -> None:
    spans = {(0, 0): (1, 2), (1, 0): (2, 1)}
    found = document(table([["both", ""], ["left", "1.50"], ["", "=2+2"]], spans=spans), table([["a", "b"]]))
    first, second = opened(found).tables
    texts = [[cell.text for cell in row.cells] for row in first.rows]
    assert texts == [["both", "both"], ["left", "1.50"], ["left", "=2+2"]], (
        "a merged cell is seen at each place"
    )
    assert first.cell(0, 0)._tc is first.cell(0, 1)._tc
    assert first.style is not None
    assert first.style.name == "Table Grid"
    assert [cell.text for cell in second.rows[0].cells] == ["a", "b"]


def test_each_page_begins_a_page_and_lies_as_the_input_does() -> None:
    one, two = block("paragraph", line("one", 0, 0, 50)), block("paragraph", line("two", 0, 0, 50))
    pages = (Page(1, 900, 1200), Page(2, 1200, 900))
    word = opened(replace(document(one, replace(two, page=2)), pages=pages))
    assert [each.orientation for each in word.sections] == [WD_ORIENT.PORTRAIT, WD_ORIENT.LANDSCAPE]
    widths = [(each.page_width or 0) < (each.page_height or 0) for each in word.sections]
    assert widths == [True, False]
    texts = [[each.text for each in section.iter_inner_content()] for section in word.sections]  # type: ignore[union-attr]
    assert [[text for text in own if text] for own in texts] == [["one"], ["two"]]


def test_chinese_text_has_a_chinese_face() -> None:
    word = opened(document(block("heading", line("标题", 0, 0, 90))))
    for name in ("Normal", "Heading 1", "Heading 3"):
        fonts = word.styles[name].element.rPr.rFonts
        assert fonts.get(qn("w:eastAsia")) == "SimSun"
        assert fonts.get(qn("w:eastAsiaTheme")) is None


def test_characters_that_xml_has_not_are_replaced() -> None:
    word = opened(document(block("paragraph", line("a\x00b\x0bc", 0, 0, 90))), "bad\x01name")
    assert styled(word) == [("Normal", "a\ufffdb\ufffdc")]
    assert word.core_properties.title == "bad\ufffdname"


def test_a_document_without_text_is_an_empty_one() -> None:
    word = opened(document())
    assert styled(word) == []
    assert len(word.sections) == 1
