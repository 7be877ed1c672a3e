"""The text of a document in its layout: lines, rows, paragraphs, or paragraphs and tables."""

from __future__ import annotations

from ocrsvc.formats import row_text
from ocrsvc.formats.reflow import paragraph
from ocrsvc.formats.table_text import grid, markdown
from ocrsvc.results import Block, Document


def text_of(document: Document) -> str:
    """Return the text of a document as its ``layout`` says, without a newline at the end."""
    if document.layout in ("lines", "raw"):
        return document.text
    if document.layout == "rows":
        return "\n".join(row_text.texts(document))
    tables = document.layout == "tables"
    blocks = [block for page in document.pages for block in document.blocks_of(page)]
    return "\n\n".join(_text(block, tables=tables) for block in blocks)


def _text(block: Block, *, tables: bool) -> str:
    if block.table is None:
        return "\n".join(paragraph(block))
    if tables:
        return markdown(block.table)
    return "\n".join("  ".join(text for text in row if text) for row in grid(block.table) if any(row))
