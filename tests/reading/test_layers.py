"""Documents whose pages have text layers: what is taken from them, and what is read instead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from available import missing, model_name
from drawings import line_image
from pdf_drawings import HELVETICA, PdfPage, column, encrypted, jpeg_object, pdf, show, with_to_unicode

from ocrsvc.errors import PasswordRequired, WrongPassword
from ocrsvc.models.registry import Registry
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.settings import Settings

LINES = ("Invoice number 24417", "Total amount due 1,280.50 EUR", "Thank you for your order")
WRONG = {code: 97 + (code * 7) % 26 for code in range(33, 127)}  # letters for other letters
CYRILLIC = {code: 0x430 + code % 32 for code in range(33, 127)}


@pytest.fixture(scope="module")
def real() -> Settings:
    settings = Settings(model=model_name(), workers=1, detector_side_pixels=640)
    if settings.model not in Registry(settings).names():
        missing("no recogniser to read real text with: pip install --no-deps rapidocr, or train crnn")
    return settings


@pytest.fixture
async def reader(real: Settings) -> AsyncIterator[Reader]:
    made = Reader(real)
    await made.start(warm=False)
    yield made
    await made.close(5)


async def test_written_text_takes_no_detector(reader: Reader) -> None:
    pages = [PdfPage(column(LINES)), PdfPage(column(["The second page", "has other lines"]))]
    document = await reader.read(pdf(pages), ReadOptions(n_best=2))
    assert document.text.splitlines() == [*LINES, "The second page", "has other lines"]
    assert [line.page for line in document.lines] == [1, 1, 1, 2, 2]
    assert document.timing_ms["detect"] == 0
    for line in document.lines:
        assert (line.source, line.confidence, line.needs_review) == ("pdf_text", 1.0, False)
        assert "".join(each.text for each in line.characters) == line.text
        assert [each.text for each in line.alternatives] == [line.text]
    # Two lines of the one font were compared, none on the second page.
    assert reader.batcher.counters.rows == 2


async def test_always_and_never(reader: Reader) -> None:
    wrong = pdf([PdfPage(column(LINES))], with_to_unicode(WRONG))
    always = await reader.read(wrong, ReadOptions(pdf_text="always"))
    assert {line.source for line in always.lines} == {"pdf_text"}
    assert "nvoice" not in always.text
    assert reader.batcher.counters.batches == 0
    never = await reader.read(pdf([PdfPage(column(LINES))]), ReadOptions(pdf_text="never"))
    assert {line.source for line in never.lines} == {"recognised"}
    assert near(never.text) == near("".join(LINES))


@pytest.mark.parametrize("mapping", [WRONG, CYRILLIC], ids=["letters", "another script"])
async def test_a_wrong_table_of_characters_is_found_out(reader: Reader, mapping: dict[int, int]) -> None:
    data = pdf([PdfPage(column(LINES)), PdfPage(column(LINES))], with_to_unicode(mapping))
    document = await reader.read(data)
    assert {line.source for line in document.lines} == {"recognised"}
    assert near(document.text) == near("".join(LINES) * 2)


async def test_pages_of_a_mixed_document(reader: Reader, font_path: Path) -> None:
    drawn = line_image("图中文字 in the picture", font_path)
    height, width = drawn.shape[:2]
    first, resources = show(4, 100, 500, width / 2, height / 2)
    second, others = show(5, 0, 0, 600, 800)
    paper = np.full((1600, 1200, 3), 255, np.uint8)
    paper[300 : 300 + height, 200 : 200 + width] = drawn
    pages = [
        PdfPage(column(LINES)),
        PdfPage(column(LINES[:2]) + first + column(LINES[2:], top=300), resources=resources),
        PdfPage(second + column(["1mage with bad 0CR"], mode=3), resources=others),
    ]
    document = await reader.read(pdf(pages, [HELVETICA, jpeg_object(drawn), jpeg_object(paper)]))
    by_page = [[line for line in document.lines if line.page == number] for number in (1, 2, 3)]
    assert [line.text for line in by_page[0]] == list(LINES)
    assert [(near(line.text), line.source) for line in by_page[1]] == [
        (near(LINES[0]), "pdf_text"),
        (near(LINES[1]), "pdf_text"),
        ("图中文字inthepicture", "recognised"),
        (near(LINES[2]), "pdf_text"),
    ]
    (line,) = by_page[2]
    assert (near(line.text), line.source) == ("图中文字inthepicture", "recognised")
    # The scan is drawn as large as its picture, so the line is where it is in the picture.
    assert (document.pages[2].width, document.pages[2].height) == (1200, 1600)
    assert abs(line.polygon[0][0] - 208) < 12
    assert abs(line.polygon[0][1] - 308) < 12


@pytest.mark.parametrize("options", [{"charset": "digits"}, {"mode": "line"}])
async def test_a_charset_and_the_mode_line_are_about_the_picture(
    reader: Reader, options: dict[str, Any]
) -> None:
    data = pdf([PdfPage(column(["24417"], x=10, top=12), size=(80, 36))])
    document = await reader.read(data, ReadOptions(**options))
    assert [line.source for line in document.lines] == ["recognised"]
    assert near(document.text) == "24417"


async def test_the_limit_of_lines_counts_those_of_the_layer(real: Settings, font_path: Path) -> None:
    made = Reader(real.model_copy(update={"max_page_lines": 2}))
    await made.start(warm=False)
    drawn = line_image("in the picture", font_path)
    operators, resources = show(4, 100, 300, drawn.shape[1] / 2, drawn.shape[0] / 2)
    data = pdf([PdfPage(column(LINES) + operators, resources=resources)], [HELVETICA, jpeg_object(drawn)])
    document = await made.read(data)
    assert document.text.splitlines() == list(LINES[:2])
    assert document.pages[0].lines_omitted == 2
    await made.close(5)


async def test_a_password(reader: Reader) -> None:
    data = encrypted("open sesame")
    with pytest.raises(PasswordRequired):
        await reader.read(data)
    with pytest.raises(WrongPassword):
        await reader.read(data, ReadOptions(password="street"))  # noqa: S106
    options = ReadOptions(password="open sesame")  # noqa: S106
    assert (await reader.read(data, options)).text == "Secret text 42"
    assert "sesame" not in repr(options)


def near(text: str) -> str:
    return "".join(text.split()).replace("，", ",")
