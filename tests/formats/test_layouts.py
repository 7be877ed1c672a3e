"""The text of a document in each layout, and its blocks in JSON."""

from __future__ import annotations

import json
from dataclasses import replace

from formats.structured_document import block, box, document, line, table

from ocrsvc.formats import jsonl_format, render
from ocrsvc.formats.json_blocks import from_records
from ocrsvc.formats.reflow import joined
from ocrsvc.results import Block, Document, Layout, Page
from ocrsvc.text import display_width

RECEIPT = [["苹果汁 Apple juice 1L", "12.50"], ["牛奶", "8.80"]]


def text(found: Document, layout: Layout) -> str:
    return render("text", replace(found, layout=layout)).decode()


def test_rows_keep_columns_apart() -> None:
    rows = tuple(
        (line(name, 0, 40 * i, 10 * display_width(name)), line(price, 400, 40 * i, 10 * len(price)))
        for i, (name, price) in enumerate(RECEIPT)
    )
    found = document(Block("paragraph", 1, box(0, 0, 460, 100), rows))
    first, second = text(found, "rows").splitlines()
    assert first == "苹果汁 Apple juice 1L" + " " * 19 + "12.50"
    assert display_width(first) - len("12.50") == display_width(second) - len("8.80") == 40
    assert text(found, "lines") == text(found, "raw") == "苹果汁 Apple juice 1L\n12.50\n牛奶\n8.80\n"


def test_a_table_in_each_layout() -> None:
    found = document(block("paragraph", line("title", 0, 0, 60)), table(RECEIPT))
    assert text(found, "paragraphs") == "title\n\n苹果汁 Apple juice 1L  12.50\n牛奶  8.80\n"
    assert (
        text(found, "tables")
        == "title\n\n| 苹果汁 Apple juice 1L | 12.50 |\n| --- | --- |\n| 牛奶 | 8.80 |\n"
    )
    assert text(found, "rows").splitlines()[1].split() == ["苹果汁", "Apple", "juice", "1L", "12.50"]


def test_rows_are_joined_as_they_were_before_the_paper_ended() -> None:
    assert joined(["报告显示公司", "在各个地区"]) == "报告显示公司在各个地区"
    assert joined(["the re-", "port of A-", "B"]) == "the report of A- B"
    assert joined(["two", "words"]) == "two words"
    assert joined(["", "a", ""]) == "a"
    assert joined([]) == ""


def test_json_has_blocks_with_the_places_of_lines() -> None:
    found = document(block("heading", line("title", 0, 0, 60)), table(RECEIPT))
    assert "blocks" not in json.loads(render("json", found))
    body = json.loads(render("json", replace(found, layout="tables")))
    heading, goods = body["blocks"]
    assert (heading["kind"], heading["lines"], heading["rows"]) == ("heading", [0], [[0]])
    assert goods["lines"] == [1, 2, 3, 4]
    assert goods["table"]["cells"][1] == {
        "row": 0,
        "column": 1,
        "row_span": 1,
        "column_span": 1,
        "text": "12.50",
        "rows": [[2]],
    }
    assert from_records(body["blocks"], found.lines) == found.blocks


def test_each_page_of_jsonl_has_its_own_blocks() -> None:
    first = document(block("paragraph", line("one", 0, 0, 60)))
    moved = replace(first.lines[0], page=2, text="two")
    second = Block("paragraph", 2, box(0, 0, 60, 20), ((moved,),))
    both = Document(
        (first.lines[0], moved),
        (Page(1, 9, 9), Page(2, 9, 9)),
        first.model,
        {},
        (*first.blocks, second),
        "rows",
    )
    records = [json.loads(each) for each in jsonl_format.render(both).splitlines()]
    assert [record["blocks"][0]["lines"] for record in records] == [[0], [0]]
    assert [record["text"] for record in records] == ["one", "two"]
