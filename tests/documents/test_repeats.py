"""Headers and footers of drawn documents: what repeats over pages, and what only looks like it."""

from __future__ import annotations

from dataclasses import replace

from ocrsvc.documents.page_structure import in_order, with_blocks
from ocrsvc.documents.repeats import with_repeats
from ocrsvc.results import Document, Line, ModelId, Page


def line(text: str, page: int, y: float, x: float = 100) -> Line:
    return Line(text, 0.9, ((x, y), (x + 300, y), (x + 300, y + 20), (x, y + 20)), page)


def document(count: int, header: str = "Annual report 2026", footer: str = "Page {}") -> Document:
    """Pages with a header, text of their own and a page number."""
    lines = []
    for page in range(1, count + 1):
        lines += [line(header, page, 30)] if header else []
        lines += [line(f"text {'abcdefgh'[page] * 9} {i}", page, 200 + 28 * i) for i in range(6)]
        lines += [line(footer.format(page), page, 1350)] if footer else []
    pages = tuple(Page(number, 1000, 1400) for number in range(1, count + 1))
    return with_blocks(Document(tuple(lines), pages, ModelId("m", "d")))


def test_headers_and_page_numbers_are_found() -> None:
    found = with_repeats(document(3))
    for page in found.pages:
        kinds = [block.kind for block in found.blocks_of(page)]
        assert kinds == ["header", "paragraph", "footer"]
    assert [b.lines[0].text for b in found.blocks if b.kind == "footer"] == ["Page 1", "Page 2", "Page 3"]
    assert found.lines == in_order(found.blocks)


def test_numbers_alone_are_page_numbers() -> None:
    found = with_repeats(document(2, footer="- {} -"))
    assert [b.lines[0].text for b in found.blocks if b.kind == "footer"] == ["- 1 -", "- 2 -"]


def test_one_page_repeats_nothing() -> None:
    alone = document(1)
    assert with_repeats(alone) is alone


def test_texts_that_differ_are_no_headers() -> None:
    lines = tuple(line(text, i, 30) for i, text in enumerate(("Introduction", "The third quarter"), start=1))
    found = with_repeats(with_blocks(replace(document(2), lines=lines)))
    assert {block.kind for block in found.blocks} == {"paragraph"}


def test_a_header_that_stands_close_to_the_text_is_taken_out_of_its_block() -> None:
    lines = tuple(
        each
        for page in (1, 2)
        for each in (line("Journal of rules", page, 100), line(f"{'ab'[page - 1] * 12} text", page, 126))
    )
    found = with_repeats(with_blocks(replace(document(2), lines=lines)))
    assert [block.kind for block in found.blocks] == ["header", "paragraph"] * 2


def test_without_blocks_nothing_changes() -> None:
    plain = replace(document(3), blocks=())
    assert with_repeats(plain) is plain
