"""A Result in every format, drawn, and in a notebook."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pikepdf
import pytest
from available import model_name
from drawings import DrawnPage

from ocrsvc import OCR, Result
from ocrsvc.errors import InvalidParameter, UnknownFormat


@pytest.fixture(scope="module")
def ocr() -> Iterator[OCR]:
    with OCR(model=model_name(), workers=2) as engine:
        yield engine


@pytest.fixture(scope="module")
def page(draw_page: Callable[..., DrawnPage]) -> DrawnPage:
    return draw_page(["发票号码 12345678", "Total amount 99.50"], size=32)


@pytest.fixture(scope="module")
def result(ocr: OCR, page: DrawnPage) -> Result:
    return ocr(page.image, mode="page")


def test_it_has_the_text_and_its_lines(result: Result) -> None:
    assert result.text.splitlines() == ["发票号码 12345678", "Total amount 99.50"]
    assert str(result) == result.text
    assert [line.text for line in result.lines] == result.text.splitlines()
    assert result.pages[0].number == 1
    assert result.blocks
    assert result.fields == ()
    assert result.model.name == model_name()
    assert result.timing_ms["total"] > 0


def test_it_becomes_every_format(result: Result, tmp_path: Path) -> None:
    assert json.loads(result.to_json()) == json.loads(json.dumps(result.to_dict()))
    assert "characters" in result.to_dict(granularity="char")["lines"][0]
    for text in (result.to_markdown(), result.to_csv(), result.to_hocr(), result.to_alto()):
        assert "12345678" in text
    with pikepdf.open(result.to_pdf(tmp_path / "a.pdf")) as pdf:
        assert len(pdf.pages) == 1
    assert result.to_xlsx(tmp_path / "a.xlsx").read_bytes()[:2] == b"PK"
    assert result.save(tmp_path / "a.txt").read_text("utf-8").splitlines() == result.text.splitlines()
    assert result.save(tmp_path / "a.md").read_text("utf-8") == result.to_markdown()
    assert "<PcGts" in result.save(tmp_path / "a.page.xml").read_text("utf-8")
    with pytest.raises(UnknownFormat, match=r"\.docm.*\.json"):
        result.save(tmp_path / "a.docm")


def test_the_lines_are_outlined_where_they_are(result: Result, page: DrawnPage) -> None:
    drawn = result.draw()
    assert drawn.shape == page.image.shape
    changed = (drawn != page.image).any(axis=2)
    for line in result.lines:
        inside = np.zeros(changed.shape, np.uint8)
        cv2.fillPoly(inside, [np.array(line.polygon).round().astype(np.int32)], (1,))
        near = cv2.dilate(inside, np.ones((7, 7), np.uint8)) - cv2.erode(inside, np.ones((7, 7), np.uint8))
        assert changed[near > 0].mean() > 0.1  # the outline
        changed[near > 0] = False
    assert not changed.any()
    with pytest.raises(InvalidParameter, match="Page 2 was not read; there are 1"):
        result.draw(2)


def test_a_page_of_a_pdf_is_drawn_in_its_own_size(ocr: OCR, result: Result, tmp_path: Path) -> None:
    again = ocr(result.to_pdf(tmp_path / "a.pdf"))
    assert again.draw().shape[:2] == (again.pages[0].height, again.pages[0].width)
    assert "12345678" in again.text


def test_a_notebook_shows_the_page_and_the_text(ocr: OCR, draw_page: Callable[..., DrawnPage]) -> None:
    class Names(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []
            self.cells: list[str] = []

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag != "img":
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_data(self, data: str) -> None:
            self.cells.append(data)

    result = ocr(draw_page(["<b>1 & 2", "OK"], size=32).image, mode="page")
    parser = Names()
    parser.feed(result._repr_html_())
    assert not parser.open
    assert [line.text for line in result.lines] == [cell for cell in parser.cells if cell in result.text]
    picture = cv2.imdecode(np.frombuffer(result._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert max(picture.shape) <= 1000
