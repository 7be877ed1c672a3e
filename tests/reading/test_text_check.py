"""Which lines of a text layer are compared with the picture, and what counts as a contradiction."""

from __future__ import annotations

import pytest

from ocrsvc.pages.text_layer import TextLayer, TextLine
from ocrsvc.reading.text_check import contradicts, sample
from ocrsvc.results import LineText

LATIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.,")


def line(text: str, font: str = "a") -> TextLine:
    return TextLine(text, ((0, 0), (9, 0), (9, 9), (0, 9)), ((0.0, 1.0),) * len(text), font)


def test_each_font_is_sampled_once_and_the_commonest_twice() -> None:
    lines = [line(f"ordinary line number {i} of the text", "a") for i in range(9)]
    lines += [
        line("a heading of its own", "b"),
        line("code = 42", "c"),
        line("x", "d"),
        line("unchecked", ""),
    ]
    found = sample(TextLayer(tuple(lines)), {})
    assert [each.font for each in found] == ["a", "a", "b", "c"]
    assert [each.font for each in sample(TextLayer(tuple(lines)), {"a": True, "c": False})] == ["b"]
    assert sample(TextLayer(tuple(lines)), {"a": True, "b": True, "c": True}) == []


def test_at_most_four_lines_are_read_for_a_page() -> None:
    lines = tuple(line("some words in a font", f"font {i}") for i in range(20))
    assert len(sample(TextLayer(lines), {})) == 4


@pytest.mark.parametrize(
    ("said", "seen", "confidence", "expected"),
    [
        ("Total 42.50", "Total 42.50", 0.99, False),
        ("Total 42.50", "TOTAL 42,50", 0.99, False),
        ("Total 42.50", "gsgzm xtuer", 0.99, True),
        ("Total 42.50", "gsgzm xtuer", 0.3, False),  # a guess
        ("Total 42.50", "", 0.0, False),
        ("Привет мир", "Tp1Bet M1p", 0.7, False),  # letters that the recogniser lacks
        ("Привет мир", "Total 42.50", 0.99, True),
        ("Привет мир", "H", 0.99, False),
    ],
)
def test_a_contradiction_is_sure_and_plain(said: str, seen: str, confidence: float, expected: bool) -> None:
    assert contradicts(line(said), LineText(seen, confidence), LATIN) is expected
