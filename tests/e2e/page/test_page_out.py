"""Texts go out: files in every format with the corrections, archives, tables, and a text in its forms."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pdf_drawings
import pytest
from drawings import encode
from e2e.page.ocr_page import AskApi, Draw, OcrPage
from openpyxl import load_workbook
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import FilePayload, Route, expect

from ocrsvc.formats import FORMATS

pytestmark = pytest.mark.browser

ROWS = (("品名 Item", "单价 Price"), ("苹果 Apple", "12.50"), ("牛奶 Milk", "8.90"))


@pytest.fixture(scope="module")
def sheet(font_path: Path) -> FilePayload:
    """A ruled table of two columns below a heading."""
    image = Image.new("RGB", (640, 300), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(str(font_path), 26)
    draw.text((30, 15), "销售清单 Sales list", font=font, fill="black")
    edges, floors = (30, 320, 600), (70, 130, 190, 250)
    for x in edges:
        draw.line((x, floors[0], x, floors[-1]), fill="black", width=2)
    for y in floors:
        draw.line((edges[0], y, edges[-1], y), fill="black", width=2)
    for row, texts in enumerate(ROWS):
        for column, text in enumerate(texts):
            draw.text((edges[column] + 12, floors[row] + 12), text, font=font, fill="black")
    picture = encode(np.asarray(image)[:, :, ::-1].copy())
    return {"name": "sales.png", "mimeType": "image/png", "buffer": picture}


def correct(ocr: OcrPage, row: int, text: str) -> None:
    """Type another text into a row."""
    ocr.rows.nth(row).dblclick()
    field = ocr.page.locator(".row input.field")
    field.fill(text)
    field.press("Enter")


def save(ocr: OcrPage, name: str) -> tuple[str, bytes]:
    """The file on show in a format."""
    return ocr.download(["#download summary", f"#download [data-format={name}]"])


def pdf_text(content: bytes) -> str:
    """What poppler finds in a PDF."""
    done = subprocess.run(
        ["/usr/bin/pdftotext", "-layout", "-", "-"], input=content, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_every_format_is_offered_and_has_the_corrections(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt("my.receipt.png"))
    correct(ocr, 1, "梨汁 Pear 12.50")
    ocr.page.click("#download summary")
    offered = ocr.page.locator("#download [data-format]")
    expect(offered.first).to_have_text("Searchable PDF (.pdf)")
    names = offered.evaluate_all("all => all.map(each => each.dataset.format)")
    assert set(names) == {*FORMATS, "labels"} - {"jsonl"}
    ocr.page.click("#download summary")
    file_name, pdf = save(ocr, "pdf")
    assert file_name == "my.receipt.pdf"
    assert "梨汁 Pear" in pdf_text(pdf)
    assert "Apple" not in pdf_text(pdf)
    for name in ("markdown", "hocr", "tsv", "text", "json"):
        file_name, content = save(ocr, name)
        assert file_name == f"my.receipt{FORMATS[name].suffix}"
        assert {"梨汁", "Pear"} <= set(re.findall(r"[\u4e00-\u9fff]+|[A-Z][a-z]+", content.decode()))
        assert name == "json" or "Apple" not in content.decode()  # where "read" says what was there


def test_a_table_is_shown_copied_and_saved_with_its_corrections(ocr: OcrPage, sheet: FilePayload) -> None:
    ocr.read(sheet)
    place = next(at for at, text in enumerate(ocr.texts()) if "12.50" in text)
    correct(ocr, place, "13.75")
    ocr.page.select_option("#form", "tables")
    cells = ocr.page.locator(".text-view td")
    expect(cells).to_have_count(6)
    expect(cells.nth(3)).to_have_text("13.75")
    cells.nth(3).locator("span").click()
    expect(ocr.page.locator("polygon.selected")).to_have_count(1)
    ocr.page.click("#copy-table")
    expect(ocr.status).to_have_text("Copied 3 rows")
    assert ocr.clipboard().splitlines()[1].split("\t")[1] == "13.75"
    rich = ocr.page.evaluate(
        "navigator.clipboard.read().then(([entry]) => entry.getType('text/html')).then(blob => blob.text())"
    )
    assert rich.count("<td") == 6
    _, workbook = save(ocr, "xlsx")
    found = [[cell.value for cell in row] for row in load_workbook(io.BytesIO(workbook)).worksheets[0]]
    assert found[1][1] == 13.75
    ocr.page.locator(".text-line", has_text="13.75").dblclick()
    expect(ocr.page.locator(".row input.field")).to_have_value("13.75")  # back among the lines, to be edited


def test_rows_and_paragraphs_are_those_of_the_service(ocr: OcrPage, ask_api: AskApi) -> None:
    words = ["Long lines of running", "text that go on to the", "end of a line and then", "stop here."]
    content = pdf_drawings.pdf([pdf_drawings.PdfPage(pdf_drawings.column(words, size=14))])
    file: FilePayload = {"name": "text.pdf", "mimeType": "application/pdf", "buffer": content}
    ocr.read(file)
    for form in ("paragraphs", "rows"):
        ocr.page.select_option("#form", form)
        expect(ocr.page.locator(f".text-view.{form}")).to_be_visible()
        ocr.page.click("#copy-all")
        expect(ocr.status).to_have_text("Copied 4 lines")
        theirs = ask_api(file, format="text", layout=form).text.rstrip("\n")
        assert ocr.clipboard() == theirs
        ocr.page.evaluate("document.getElementById('status').textContent = ''")
    ocr.page.locator("#form").blur()
    for form in ("paragraphs", "tables", "compare", "lines"):
        ocr.key("v")
        expect(ocr.page.locator("#form")).to_have_value(form)
    expect(ocr.rows).to_have_count(4)


def test_a_form_that_has_to_be_fetched_gives_way_to_the_one_chosen_after_it(
    ocr: OcrPage, receipt: Draw
) -> None:
    held: list[Route] = []
    ocr.page.route("**/compare.js", lambda route: held.append(route))
    ocr.read(receipt())
    for _ in range(5):  # rows, paragraphs, tables, two models, lines again
        ocr.key("v")
    expect(ocr.page.locator("#form")).to_have_value("lines")
    with ocr.page.expect_response("**/compare.js"):
        held[0].continue_()
    ocr.page.wait_for_timeout(300)
    expect(ocr.page.locator("#form")).to_have_value("lines")
    expect(ocr.rows).to_have_count(3)


def test_all_documents_are_saved_in_one_archive(ocr: OcrPage, receipt: Draw) -> None:
    files = [receipt("a.png", ("收据 A",)), receipt("a.jpg", ("收据 B",))]
    ocr.read(*files)
    name, content = ocr.download(["#all-download summary", "[data-format=zip-markdown]"])
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert name == "ocr.zip"
    assert archive.namelist() == ["a.md", "a (2).md"]
    assert archive.testzip() is None
    assert "B" in archive.read("a (2).md").decode()


def test_a_file_that_cannot_be_written_is_named_in_the_archive(ocr: OcrPage, receipt: Draw) -> None:
    ocr.refusals_expected = True
    problem = {"type": "/problems/unmodifiable-pdf", "status": 422, "title": "PDF cannot be changed"}
    ocr.page.route("**/api/render?*", lambda route: route.fulfill(status=422, json=problem))
    ocr.read(receipt("a.png", ("收据 A",)), receipt("b.png", ("收据 B",)))
    _, content = ocr.download(["#all-download summary", "[data-format=zip-pdf]"])
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.namelist() == ["not-written.txt"]
    assert "a.png: pdf: PDF cannot be changed" in archive.read("not-written.txt").decode()


def test_page_xml_of_several_pages_is_one_file_a_page(ocr: OcrPage) -> None:
    sheets = [pdf_drawings.PdfPage(pdf_drawings.column([f"Page {n} of two"])) for n in (1, 2)]
    ocr.read({"name": "two.pdf", "mimeType": "application/pdf", "buffer": pdf_drawings.pdf(sheets)})
    correct(ocr, 0, "Page 1 corrected")
    ocr.page.click("#download summary")
    expect(ocr.page.locator("#download .menu-note")).to_contain_text("the PDF itself states")
    ocr.page.click("#download summary")
    name, content = save(ocr, "pagexml")
    assert name == "two.page.xml.zip"
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.namelist() == ["0001.page.xml", "0002.page.xml"]
    assert "Page 1 corrected" in archive.read("0001.page.xml").decode()
    assert "Page 2 of two" in archive.read("0002.page.xml").decode()
