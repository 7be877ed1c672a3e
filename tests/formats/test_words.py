"""Words and characters of a line, and where json, jsonl and tsv have them."""

from __future__ import annotations

import json

import pytest

from ocrsvc.formats import render
from ocrsvc.formats.words import bounds, polygon_of, words_of
from ocrsvc.results import Character, Document, Line, ModelId, Page, Polygon

BOX: Polygon = ((0.0, 0.0), (100.0, 0.0), (100.0, 20.0), (0.0, 20.0))
DOWNWARDS: Polygon = ((20.0, 0.0), (20.0, 100.0), (0.0, 100.0), (0.0, 0.0))


def line(text: str, polygon: Polygon = BOX) -> Line:
    step = 1 / len(text)
    spelt = (Character(one, 0.5 + 0.1 * i, i * step, (i + 1) * step) for i, one in enumerate(text))
    return Line(text, 0.9, polygon, 1, tuple(spelt))


def test_a_word_is_a_run_without_white_space() -> None:
    words = list(words_of(line("发票No 1  ")))
    assert [word.text for word in words] == ["发票No", "1"]
    assert words[0].confidence == pytest.approx(0.65)
    assert [bounds(word.polygon) for word in words] == [(0, 0, 50, 20), (62, 0, 75, 20)]
    assert words[0].characters == line("发票No 1  ").characters[:4]


def test_a_line_that_runs_downwards_is_cut_across() -> None:
    down = line("上下", DOWNWARDS)
    assert [polygon_of(down, one) for one in down.characters] == [
        ((20, 0), (20, 50), (0, 50), (0, 0)),
        ((20, 50), (20, 100), (0, 100), (0, 50)),
    ]


def test_a_line_without_characters_is_one_word() -> None:
    (word,) = words_of(Line(" a b ", 0.5, BOX, 1))
    assert (word.text, word.polygon, word.confidence, word.characters) == ("a b", BOX, 0.5, ())
    assert not list(words_of(Line("  ", 0.5, BOX, 1)))


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_json_has_words_or_characters_if_they_are_asked_for(name: str) -> None:
    read = Document((line("发票 1"),), (Page(1, 100, 20),), ModelId("crnn", "sha256:ab"))

    def first(granularity: str) -> dict[str, object]:
        content = render(name, read, granularity=granularity)  # type: ignore[arg-type]
        found: dict[str, object] = json.loads(content)["lines"][0]
        return found

    assert not {"words", "characters"} & first("line").keys()
    assert first("word")["words"] == [
        {"text": "发票", "confidence": 0.55, "polygon": [[0, 0], [50, 0], [50, 20], [0, 20]]},
        {"text": "1", "confidence": 0.8, "polygon": [[75, 0], [100, 0], [100, 20], [75, 20]]},
    ]
    assert "characters" not in first("word")
    assert "words" not in first("char")


def test_tsv_has_characters_if_they_are_asked_for() -> None:
    read = Document((line("发票 1"),), (Page(1, 100, 20),), ModelId("crnn", "sha256:ab"))
    assert render("tsv", read, granularity="word") == render("tsv", read)
    rows = [row.split("\t") for row in render("tsv", read, granularity="char").decode().splitlines()[1:]]
    assert [(row[0], row[5], row[11]) for row in rows[2:]] == [
        ("5", "1", "发票"),
        ("6", "1", "发"),
        ("6", "1", "票"),
        ("5", "2", "1"),
        ("6", "2", "1"),
    ]
    assert rows[3][6:11] == ["0", "0", "25", "20", "50.00"]
