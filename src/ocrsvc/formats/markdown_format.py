"""Markdown (CommonMark with tables of GitHub): headings, paragraphs, lists, tables; HTML for tables with spans."""

from __future__ import annotations

import re
from statistics import median

from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.reflow import paragraph
from ocrsvc.formats.table_text import markdown
from ocrsvc.results import Block, Document, Line
from ocrsvc.text import is_list_item

_LEVELS = ((1.8, "# "), (1.45, "## "), (0.0, "### "))  # least height of a heading relative to most text
_MARKED = re.compile(r"([\\`*_<\[\]])")
_BULLET = re.compile(r"^\s*[-–—•·●○■□▪◦*✓➢]\s*(?=\S)")
_BLOCK_MARK = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|>|\+(?=\s)|-(?=\s|-|$)|=+$|~~~)")


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return ``document`` as Markdown in UTF-8, blocks separated by blank lines."""
    parts = []
    for page in document.pages:
        blocks = document.blocks_of(page)
        heights = [_height(line) for b in blocks for line in b.lines for _ in range(1 + len(line.text) // 8)]
        usual = median(heights) if heights else 1.0
        parts += [_block(block, usual) for block in blocks]
    return ("\n\n".join(parts) + "\n").encode() if parts else b""


def _block(block: Block, usual: float) -> str:
    if block.table is not None:
        return markdown(block.table, escape)
    lines = paragraph(block)
    if block.kind == "heading":
        ratio = median(_height(line) for line in block.lines) / max(1e-6, usual)
        return next(mark for least, mark in _LEVELS if ratio >= least) + escape(" ".join(lines))
    text = ""
    for i, line in enumerate(lines):
        item = is_list_item(line)
        if i:
            text += "\n" if item else "\\\n"  # a line break that is to stay needs a mark
        text += "- " + escape(_BULLET.sub("", line)) if item and _BULLET.match(line) else _begun(escape(line))
    return text


def escape(text: str) -> str:
    """Return a text in which no character means anything to Markdown within a line."""
    return _MARKED.sub(r"\\\1", text)


def _begun(text: str) -> str:
    """Return a line of text that does not begin like a heading, a quotation, a rule or an item."""
    return _BLOCK_MARK.sub(r"\1\\\2", text)


def _height(line: Line) -> float:
    (ax, ay), (bx, by) = line.polygon[0], line.polygon[3]
    return float(((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5)


FORMAT = Format("markdown", "text/markdown; charset=utf-8", ".md", render, structured=True)
