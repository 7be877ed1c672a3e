"""The formats: what each one writes, byte for byte where others parse it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from ocrsvc.errors import UnknownFormat
from ocrsvc.formats import FORMATS, jsonl_format, of_file, render
from ocrsvc.results import Alternative, Character, Document, Line, ModelId, Page


def spell(text: str) -> tuple[Character, ...]:
    """Return one character a letter, evenly spread over the line."""
    step = 1 / len(text)
    return tuple(Character(one, 0.5 + 0.1 * i, i * step, (i + 1) * step) for i, one in enumerate(text))


@pytest.fixture
def document() -> Document:
    first = Line(
        "发票 No", 0.87654321, ((0.04, 0.0), (100.0, 0.0), (100.0, 20.0), (0.0, 20.0)), 1, spell("发票 No")
    )
    second = Line("a\tb", 0.5, ((10.0, 30.0), (50.0, 30.0), (50.0, 44.0), (10.0, 44.0)), 2)
    pages = (Page(1, 120, 60), Page(2, 90, 50))
    return Document((first, second), pages, ModelId("crnn", "sha256:ab"), {"decode": 1.23456})


@pytest.fixture
def blank() -> Document:
    return Document((), (Page(1, 8, 9),), ModelId("crnn", "sha256:ab"), {})


def test_text_is_the_lines(document: Document, blank: Document) -> None:
    assert render("text", document).decode() == "发票 No\na\tb\n"
    assert render("text", blank) == b""


def test_json_has_the_promised_members(document: Document) -> None:
    assert json.loads(render("json", document, request_id="r1")) == {
        "text": "发票 No\na\tb",
        "lines": [
            {
                "text": "发票 No",
                "confidence": 0.8765,
                "polygon": [[0.0, 0.0], [100.0, 0.0], [100.0, 20.0], [0.0, 20.0]],
                "page": 1,
                "needs_review": False,
            },
            {
                "text": "a\tb",
                "confidence": 0.5,
                "polygon": [[10.0, 30.0], [50.0, 30.0], [50.0, 44.0], [10.0, 44.0]],
                "page": 2,
                "needs_review": False,
            },
        ],
        "pages": [
            {"number": 1, "width": 120, "height": 60, "orientation": 0},
            {"number": 2, "width": 90, "height": 50, "orientation": 0},
        ],
        "model": {"name": "crnn", "digest": "sha256:ab"},
        "timing_ms": {"decode": 1.23},
        "request_id": "r1",
    }


def test_json_tells_what_was_left_out_of_a_page(document: Document) -> None:
    cut = replace(document.pages[0], lines_omitted=7)
    for name in ("json", "jsonl"):
        written = render(name, replace(document, pages=(cut, document.pages[1]))).splitlines()
        first, second = [page for line in written for page in json.loads(line)["pages"]]
        assert first["lines_omitted"] == 7
        assert "lines_omitted" not in second


def test_json_tells_doubts_and_conflicts_of_a_line(document: Document) -> None:
    first, second = document.lines
    doubtful = replace(first, needs_review=True), replace(second, needs_review=True, free_text="a b")
    for name in ("json", "jsonl"):
        written = render(name, replace(document, lines=doubtful)).splitlines()
        lines = [line for row in written for line in json.loads(row)["lines"]]
        assert [line["needs_review"] for line in lines] == [True, True]
        assert "charset_conflict" not in lines[0]
        assert "free_text" not in lines[0]
        assert (lines[1]["charset_conflict"], lines[1]["free_text"]) == (True, "a b")
    for name in ("text", "tsv"):
        assert render(name, replace(document, lines=doubtful)) == render(name, document)


def test_json_keeps_chinese_readable(document: Document) -> None:
    assert "发票" in render("json", document).decode()


def test_characters_show_only_when_asked_for(document: Document) -> None:
    asked = json.loads(render("json", document, granularity="char"))["lines"]
    assert "".join(one["text"] for one in asked[0]["characters"]) == "发票 No"
    assert asked[0]["characters"][1] == {
        "text": "票",
        "confidence": 0.6,
        "start": 0.2,
        "end": 0.4,
        "polygon": [[20.0, 0.0], [40.0, 0.0], [40.0, 20.0], [20.0, 20.0]],
    }
    assert asked[1]["characters"] == []
    assert "characters" not in json.loads(render("json", document))["lines"][0]


def test_alternatives_show_where_a_reading_has_them(document: Document) -> None:
    first, second = document.lines
    one, *others = first.characters
    doubtful = replace(one, alternatives=(Alternative("发", 0.5), Alternative("友", 0.41234)))
    texts = (Alternative("发票 No", 0.87654321), Alternative("友票 No", 0.1))
    asked = replace(first, characters=(doubtful, *others), alternatives=texts)
    for name in ("json", "jsonl"):
        written = render(name, replace(document, lines=(asked, second)), granularity="char")
        lines = [line for row in written.splitlines() for line in json.loads(row)["lines"]]
        assert lines[0]["alternatives"] == [
            {"text": "发票 No", "confidence": 0.8765},
            {"text": "友票 No", "confidence": 0.1},
        ]
        assert lines[0]["characters"][0]["alternatives"] == [
            {"text": "发", "confidence": 0.5},
            {"text": "友", "confidence": 0.4123},
        ]
        assert "alternatives" not in lines[0]["characters"][1]
        assert "alternatives" not in lines[1]
    for name in ("text", "tsv"):
        assert render(name, replace(document, lines=(asked, second))) == render(name, document)


def test_jsonl_is_one_line_a_page_that_starts_with_the_file(document: Document) -> None:
    written = render("jsonl", document, file="票.png")
    assert written.endswith(b"\n")
    rows = [json.loads(row) for row in written.splitlines()]
    assert [list(row)[:3] for row in rows] == [["file", "page", "page_count"]] * 2
    assert [(row["file"], row["page"], row["page_count"]) for row in rows] == [
        ("票.png", 1, 2),
        ("票.png", 2, 2),
    ]
    assert [row["text"] for row in rows] == ["发票 No", "a\tb"]
    assert [[page["number"] for page in row["pages"]] for row in rows] == [[1], [2]]


def test_jsonl_error_line() -> None:
    line = jsonl_format.render_error("a.png", {"status": 415, "title": "Unsupported media type"})
    assert json.loads(line) == {"file": "a.png", "error": {"status": 415, "title": "Unsupported media type"}}


def test_nan_is_refused(blank: Document) -> None:
    broken = Document((), blank.pages, blank.model, {"decode": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        render("json", broken)


def test_tsv_reads_as_tesseract_writes(document: Document) -> None:
    rows = list(csv.DictReader(io.StringIO(render("tsv", document).decode()), delimiter="\t"))
    assert [row["level"] for row in rows] == ["1", "4", "5", "5", "1", "4", "5"]
    words = [row for row in rows if row["level"] == "5"]
    assert [row["text"] for row in words] == ["发票", "No", "a b"]
    assert [row["word_num"] for row in words] == ["1", "2", "1"]
    assert [row["page_num"] for row in words] == ["1", "1", "2"]
    # "发票" covers the first two of five characters of a line 100 pixels wide
    assert [words[0][key] for key in ("left", "top", "width", "height")] == ["0", "0", "40", "20"]
    assert [words[1][key] for key in ("left", "top", "width", "height")] == ["60", "0", "40", "20"]
    assert words[0]["conf"] == "55.00"
    assert {row["conf"] for row in rows if row["level"] != "5"} == {"-1"}


def test_tsv_of_a_blank_page_is_the_page(blank: Document) -> None:
    assert render("tsv", blank).decode().splitlines()[1:] == ["1\t1\t0\t0\t0\t0\t0\t0\t8\t9\t-1\t"]


def test_every_format_is_described() -> None:
    names = "text json jsonl tsv markdown csv xlsx docx hocr alto pagexml pdf"
    assert list(FORMATS) == names.split()
    for name, entry in FORMATS.items():
        assert entry.name == name
        assert "/" in entry.media_type
        assert entry.suffix.startswith(".")


def test_a_renderer_needs_nothing_but_the_document(document: Document) -> None:
    for entry in FORMATS.values():
        if not entry.needs_source:
            assert entry.render(replace(document, pages=document.pages[:1]))


def test_unknown_format_says_what_there_is(document: Document) -> None:
    with pytest.raises(
        UnknownFormat,
        match=r"'rtf'.*text, json, jsonl, tsv, markdown, csv, xlsx, docx, hocr, alto, pagexml, pdf",
    ):
        render("rtf", document)


def test_the_format_of_a_file_is_that_of_its_longest_suffix() -> None:
    for each in FORMATS.values():
        for name in (f"a{each.suffix}", f"a.b{each.suffix}", f"A{each.suffix.upper()}"):
            assert of_file(name) is each
        assert of_file(each.suffix) is not each  # a hidden file without a suffix
    assert of_file("a.rtf") is None
