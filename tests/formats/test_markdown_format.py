"""Markdown of documents with blocks, character by character."""

from __future__ import annotations

import pytest
from formats.structured_document import block, document, line, table

from ocrsvc.formats import render
from ocrsvc.results import Document


def markdown(found: Document) -> str:
    return render("markdown", found).decode()


def test_headings_paragraphs_and_tables() -> None:
    heading = block("heading", line("Prices", 0, 0, 150, 40))
    text = block("paragraph", line("A paragraph that is broken by the width of paper and di-", 0, 100, 600))
    text = block("paragraph", *text.lines, line("vided at its end", 0, 128, 170))
    found = markdown(document(heading, text, table([["goods", "price"], ["a|b", "1.50"]])))
    assert found == (
        "# Prices\n\n"
        "A paragraph that is broken by the width of paper and divided at its end\n\n"
        "| goods | price |\n| --- | --- |\n| a\\|b | 1.50 |\n"
    )


def test_spans_make_html() -> None:
    found = markdown(document(table([["both <b>", ""], ["1", "2"]], spans={(0, 0): (1, 2)})))
    assert found == (
        '<table>\n<tr><td colspan="2">both &lt;b&gt;</td></tr>\n<tr><td>1</td><td>2</td></tr>\n</table>\n'
    )


def test_items_of_lists_keep_their_lines() -> None:
    items = [line(text, 0, 28 * i, 300) for i, text in enumerate(("• first", "• second", "3. third"))]
    assert markdown(document(block("paragraph", *items))) == "- first\n- second\n3. third\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("# no heading", "\\# no heading"),
        ("> no quotation", "\\> no quotation"),
        ("a*b_c`d", "a\\*b\\_c\\`d"),
        ("<script>", "\\<script>"),
        ("[a](b)", "\\[a\\](b)"),
        ("===", "\\==="),
        ("- 97 -", "\\- 97 -"),
    ],
)
def test_text_never_means_anything_to_markdown(text: str, written: str) -> None:
    assert markdown(document(block("paragraph", line(text, 0, 0, 100)))) == written + "\n"


def test_an_address_keeps_its_rows() -> None:
    rows = [
        line(text, 0, 28 * i, 12 * len(text))
        for i, text in enumerate(("Ronald Rice", "6519 Cascada", "Austin"))
    ]
    assert markdown(document(block("paragraph", *rows))) == "Ronald Rice\\\n6519 Cascada\\\nAustin\n"


def test_a_blank_page_is_empty() -> None:
    assert markdown(document()) == ""
