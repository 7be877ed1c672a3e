"""Pages without text give none, and pages with text lose none of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import cv2
import pytest
import textless_pages
from drawings import RECEIPT, DrawnPage, Picture

from ocrsvc.reading.rating import are_text
from ocrsvc.reading.reader import Reader
from ocrsvc.results import LineText
from ocrsvc.settings import Settings


def png(picture: Picture) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    """A reader with the smaller models, which see more in noise than the others do."""
    made = Reader(Settings(model="crnn-fast", workers=1, deadline_seconds=600))
    await made.start(warm=False)
    yield made
    await made.close()


@pytest.mark.parametrize("kind", textless_pages.KINDS)
async def test_a_page_without_text_gives_none(reader: Reader, kind: str) -> None:
    for seed in (1, 2):
        document = await reader.read(png(textless_pages.page(kind, seed)))
        assert document.text == "", seed


async def test_a_page_with_text_keeps_its_lines(reader: Reader, draw_page: Callable[..., DrawnPage]) -> None:
    lines = (*RECEIPT, "7")
    document = await reader.read(png(draw_page(lines).image))
    assert len(document.lines) == len(lines)


def texts(*pairs: tuple[str, float]) -> list[LineText]:
    return [LineText(text, confidence) for text, confidence in pairs]


def test_noise_is_no_text_and_a_clear_line_shows_that_there_is_some() -> None:
    specks = texts(("∴", 0.76), (".", 0.93), ("0", 0.88), ("Oe0e0e", 0.66))
    assert not any(are_text(specks))
    assert are_text([*specks, *texts(("合计 37.20", 0.82), ("~", 0.4))]) == [
        True,
        True,
        True,
        True,
        True,
        False,
    ]
    assert are_text([]) == []


def test_a_short_line_alone_must_be_clearer() -> None:
    assert are_text(texts(("7", 0.95))) == [True]
    assert are_text(texts(("7", 0.85))) == [False]
    assert are_text(texts(("EXIT", 0.85))) == [True]
    assert are_text(texts(("---", 0.99))) == [False]


def test_a_word_may_be_less_clear() -> None:
    assert are_text(texts(("CONVERS!", 0.77), ("+)", 0.23))) == [True, False]
    assert are_text(texts(("CONVERS!", 0.6))) == [False]
    assert are_text(texts(("eeee0e0e", 0.77))) == [False]


def test_one_clear_character_among_unclear_lines_is_chance() -> None:
    assert are_text(texts(("中", 0.96), ("❿", 0.62), ("章", 0.66))) == [False] * 3
    assert are_text(texts(("8", 0.97), ("3", 0.95), ("~", 0.6))) == [True] * 3
    assert are_text(texts(("一", 0.95))) == [False]


def test_a_row_of_one_shape_is_an_ornament() -> None:
    assert not any(are_text(texts(("8", 0.99), ("0" * 30 + ",", 0.86), ("0o" * 12, 0.91))))
    assert are_text(texts(("10000000", 0.95))) == [True]


def test_what_a_charset_leaves_out_counts_too() -> None:
    bound = LineText("0", 0.3, free=LineText("出口", 0.97))
    assert are_text([bound]) == [True]
