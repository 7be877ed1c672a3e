"""Markdown (CommonMark with tables of GitHub): headings, paragraphs, lists, tables; HTML for tables with spans."""

from __future__ import annotations

import re

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.headings import level, usual_height
from ocrsvc.formats.reflow import paragraph, without_bullet
from ocrsvc.formats.table_text import markdown
from ocrsvc.results import Block, Document
from ocrsvc.text import is_list_item

_MARKED = re.compile(r"([\\`*_<\[\]])")
_BLOCK_MARK = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|>|\+(?=\s)|-(?=\s|-|$)|=+$|~~~)")


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return ``document`` as Markdown in UTF-8, blocks separated by blank lines."""
    parts = []
    for page in document.pages:
        blocks = document.blocks_of(page)
        usual = usual_height(blocks)
        parts += [_block(block, usual) for block in blocks]
    return ("\n\n".join(parts) + "\n").encode() if parts else b""


def _block(block: Block, usual: float) -> str:
    if block.table is not None:
        return markdown(block.table, escape)
    lines = paragraph(block)
    if block.kind == "heading":
        return "#" * level(block, usual) + " " + escape(" ".join(lines))
    text = ""
    for i, line in enumerate(lines):
        item = is_list_item(line)
        if i:
            text += "\n" if item else "\\\n"  # a line break that is to stay needs a mark
        bare = without_bullet(line) if item else None
        text += _begun(escape(line)) if bare is None else "- " + escape(bare)
    return text


def escape(text: str) -> str:
    """Return a text in which no character means anything to Markdown within a line."""
    return _MARKED.sub(r"\\\1", text)


def _begun(text: str) -> str:
    """Return a line of text that does not begin like a heading, a quotation, a rule or an item."""
    return _BLOCK_MARK.sub(r"\1\\\2", text)


FORMAT = Format("markdown", "text/markdown; charset=utf-8", ".md", render, structured=True)
