"""Text blocks of Umi-OCR (docs/http/api_ocr.md): each line of text with the string that follows it, its ``end``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from ocrsvc.formats.reflow import joined, row_groups, row_text
from ocrsvc.formats.row_text import texts as row_texts
from ocrsvc.formats.row_text import visual_rows
from ocrsvc.results import Document, Layout, Line, Row

# Several columns or one; lines put together to paragraphs, kept, put together to one line, or indented.
Parser = Literal[
    "multi_para",
    "multi_line",
    "multi_none",
    "single_para",
    "single_line",
    "single_none",
    "single_code",
    "none",
]
PARSERS: tuple[str, ...] = get_args(Parser)


def layout_of(parser: Parser) -> Layout:
    """Return our layout that orders lines as a parser does."""
    if parser == "none":
        return "raw"
    return "paragraphs" if parser.startswith("multi") else "rows"


def text_blocks(document: Document, parser: Parser) -> list[dict[str, Any]]:
    """Return ``data``: text, score, four corners and end of each line."""
    return [
        {
            "text": text,
            "score": round(line.confidence, 4),
            "box": [[round(x), round(y)] for x, y in line.polygon],
            "end": end,
        }
        for line, text, end in _ended(document, parser)
    ]


def text_of(blocks: Sequence[dict[str, Any]]) -> str:
    """Return the text of blocks, without the end of the last one."""
    return "".join(block["text"] + block["end"] for block in blocks[:-1]) + "".join(
        block["text"] for block in blocks[-1:]
    )


def _ended(document: Document, parser: Parser) -> Iterator[tuple[Line, str, str]]:
    if parser == "none":
        yield from ((line, line.text, "\n") for line in document.lines)
        return
    rows = _rows(document, parser)
    indents = _indents(document) if parser == "single_code" else [""] * len(rows)
    for number, (row, ends) in enumerate(rows):
        following = rows[number + 1][0] if number + 1 < len(rows) else ()
        end = _joint(row, following) if parser.endswith("_none") or not ends else "\n"
        for i, line in enumerate(row):
            indent = "" if i else indents[number]
            yield line, indent + line.text, " " if i + 1 < len(row) else end


def _rows(document: Document, parser: Parser) -> list[tuple[Row, bool]]:
    """Return the rows of all pages in order, and whether each is the last of a line of text."""
    rows: list[tuple[Row, bool]] = []
    for page in document.pages:
        for block in document.blocks_of(page):
            visual = visual_rows(block) if parser.startswith("single") else list(block.rows)
            last = set(range(len(visual)))
            if parser.endswith("_para") and block.table is None:
                last = {group[-1] for group in row_groups(block)}
            rows += [(row, number in last) for number, row in enumerate(visual)]
    return rows


def _joint(row: Row, following: Row) -> str:
    """Return what stands between two rows of one line of text: a space between words, nothing in Chinese."""
    if not following:
        return "\n"
    first, second = row_text(row).strip(), row_text(following).strip()
    return " " if f"{first} {second}" == joined([first, second]) else ""


def _indents(document: Document) -> list[str]:
    texts = row_texts(document)
    return [text[: len(text) - len(text.lstrip(" "))] for text in texts]
