"""What follows each line in Umi-OCR's answers: line breaks, spaces, or nothing between Chinese characters."""

from __future__ import annotations

import pytest

from ocrsvc.compat.umi_text import PARSERS, Parser, layout_of, text_blocks, text_of
from ocrsvc.results import Block, Document, Line, ModelId, Page, Polygon


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def line(text: str, left: float, top: float, width: float | None = None) -> Line:
    wide = 20.0 * len(text) if width is None else width
    return Line(text, 0.9, box(left, top, left + wide, top + 20), 1)


def document(*rows: tuple[Line, ...]) -> Document:
    lines = tuple(each for row in rows for each in row)
    block = Block("paragraph", 1, box(0, 0, 400, 400), rows)
    return Document(lines, (Page(1, 400, 400),), ModelId("crnn", "sha256:00"), blocks=(block,))


PARAGRAPH = document(
    (line("这是一个很长的自然段它在纸的右边换行了", 0, 0),),
    (line("所以两行应该接在一起中间没有空格也没换", 0, 30),),
    (line("行。", 0, 60),),
)
RECEIPT = document(
    (line("牛奶", 0, 0), line("15.90", 300, 0)), (line("TOTAL", 20, 30), line("37.20", 300, 30))
)


def read(document: Document, parser: Parser) -> str:
    return text_of(text_blocks(document, parser))


def test_a_paragraph_is_one_line_unless_line_breaks_are_wanted() -> None:
    whole = "".join(each.text for each in PARAGRAPH.lines)
    assert read(PARAGRAPH, "multi_para") == whole
    assert read(PARAGRAPH, "single_para") == whole
    assert read(PARAGRAPH, "multi_none") == whole
    assert read(PARAGRAPH, "multi_line") == PARAGRAPH.text
    assert read(PARAGRAPH, "none") == PARAGRAPH.text


def test_lines_side_by_side_are_kept_on_one_line() -> None:
    assert read(RECEIPT, "single_line") == "牛奶 15.90\nTOTAL 37.20"
    assert read(RECEIPT, "single_none") == "牛奶 15.90 TOTAL 37.20"


def test_code_keeps_its_indentation() -> None:
    code = document((line("if x:", 0, 0, 50),), (line("return y", 40, 30, 80),))
    assert read(code, "single_code") == "if x:\n    return y"


def test_a_block_has_what_the_documentation_lists() -> None:
    first = text_blocks(RECEIPT, "multi_line")[0]
    assert first == {
        "text": "牛奶",
        "score": 0.9,
        "box": [[0, 0], [40, 0], [40, 20], [0, 20]],
        "end": " ",
    }


@pytest.mark.parametrize("parser", PARSERS)
def test_every_parser_takes_a_page_without_text(parser: Parser) -> None:
    assert text_blocks(Document((), (Page(1, 9, 9),), ModelId("crnn", "")), parser) == []
    assert layout_of(parser) in ("raw", "paragraphs", "rows")
