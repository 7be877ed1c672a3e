"""Searchable PDFs of whole documents, read by the real models: what was read is what other programs find."""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from available import model_name
from drawings import Picture, page_image, to_bgr
from formats.pdf_reading import check, finds, pixels_of, text_of
from pdf_drawings import HELVETICA, PdfPage, column, jpeg_object, pdf, show
from PIL import Image, ImageDraw

from ocrsvc.formats import Rendering, find
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document
from ocrsvc.settings import Settings

pytestmark = pytest.mark.timeout(300)

PARAGRAPHS = (
    "中华人民共和国国家标准信息技术",
    "中文编码字符集 GB 18030-2022",
    "The quick brown fox jumps over",
    "the lazy dog and reads the news.",
    "合同编号 HT-2026-0417 签订日期 2026年11月27日",
    "甲方：上海好又多超市有限公司",
    "Invoice No. 24417 Total 1,280.50",
    "乙方应当在三十日内支付全部货款。",
)
TABLE = (
    ("品名", "数量", "金额"),
    ("苹果汁", "12", "37.20"),
    ("全麦面包", "3", "26.40"),
    ("合计 Total", "15", "63.60"),
)
KINDS = 5
_DPI = 150


def table(font_path: Path) -> Picture:
    """A page with a ruled table."""
    from drawings import load_font

    canvas = Image.new("RGB", (900, 460), "white")
    pen, font = ImageDraw.Draw(canvas), load_font(font_path, 34)
    for row, cells in enumerate(TABLE):
        for place, text in enumerate(cells):
            box = (40 + 270 * place, 30 + 100 * row, 310 + 270 * place, 130 + 100 * row)
            pen.rectangle(box, outline="black", width=2)
            pen.text((box[0] + 24, box[1] + 26), text, fill="black", font=font)
    return to_bgr(canvas)


def pages_of(count: int, font_path: Path) -> Iterator[Picture | None]:
    """Pictures of pages, and None for a page of text that the PDF states itself."""
    for number in range(count):
        kind = number % KINDS
        lines = [PARAGRAPHS[(number + row) % len(PARAGRAPHS)] for row in range(6)]
        if kind == 0:
            yield page_image(font_path, lines, width=1000).image
        elif kind == 1:
            yield table(font_path)
        elif kind == 2:
            yield None
        elif kind == 3:
            yield page_image(font_path, lines, width=1000, angle=0.7).image
        else:
            yield np.ascontiguousarray(np.rot90(page_image(font_path, lines, width=1000).image, 2))


def mixed_document(count: int, font_path: Path) -> bytes:
    """A PDF of scans, a turned scan, tables and pages with text of their own."""
    objects, pages = [HELVETICA], []
    for number, picture in enumerate(pages_of(count, font_path)):
        if picture is None:
            pages.append(PdfPage(column([f"Own text of page {number + 1}", "stays as it is"])))
            continue
        objects.append(jpeg_object(picture))
        size = (picture.shape[1] * 72 // _DPI, picture.shape[0] * 72 // _DPI)
        operators, resources = show(2 + len(objects), 0, 0, *size)
        pages.append(PdfPage(operators, size, resources, b"/Rotate 90" if number % 10 == 3 else b""))
    return pdf(pages, objects)


async def read(data: bytes) -> Document:
    reader = Reader(Settings(model=model_name(), deadline_seconds=3600))
    await reader.start(warm=False)
    try:
        return await reader.read(data, ReadOptions(mode="page"))
    finally:
        await reader.close()


def found_share(document: Document, made: bytes, folder: Path) -> float:
    """The share of the characters that were read that pdftotext finds, in the order of the lines on each page."""
    pages = text_of(made, folder).split("\f")
    found = wanted = 0
    for page in document.pages:
        own = "".join("".join(line.text.split()) for line in document.lines if line.page == page.number)
        text = "".join(pages[page.number - 1].split())
        # Where each character of the one is in the other; a line that is moved as a whole still counts.
        for line in (line for line in document.lines if line.page == page.number):
            squeezed = "".join(line.text.split())
            match = difflib.SequenceMatcher(None, text, squeezed, autojunk=False)
            found += len(squeezed) if squeezed in text else sum(b.size for b in match.get_matching_blocks())
        wanted += len(own)
    return found / max(1, wanted)


async def check_document(data: bytes, folder: Path) -> tuple[Document, bytes, float]:
    document = await read(data)
    made = find("pdf").render(document, Rendering(source=data))
    check(made, folder)
    for page in document.pages:
        assert np.array_equal(pixels_of(data, folder, page.number), pixels_of(made, folder, page.number))
        words = {
            word
            for line in document.lines
            if line.page == page.number and line.source == "recognised"
            for word in re.findall("[\u4e00-\u9fff]{2,}", line.text)
        }
        assert all(finds(made, sorted(words), page.number)), page.number
    return document, made, found_share(document, made, folder)


async def test_a_mixed_document(font_path: Path, tmp_path: Path) -> None:
    document, made, share = await check_document(mixed_document(KINDS, font_path), tmp_path)
    assert share >= 0.995
    assert {line.source for line in document.lines} == {"recognised", "pdf_text"}
    assert text_of(made, tmp_path).count("Own text of page 3") == 1
    # English words are apart, Chinese ones are not.
    assert "国家标准信息技术" in text_of(made, tmp_path)
    assert re.search(r"quick brown fox", text_of(made, tmp_path))


async def test_a_scanned_tiff(font_path: Path, tmp_path: Path) -> None:
    first, second = (
        Image.fromarray(each[:, :, ::-1]).convert("1")
        for each in (page_image(font_path, PARAGRAPHS[:3]).image, table(font_path))
    )
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=[second], compression="group4", dpi=(150, 150))
    document = await read(buffer.getvalue())
    made = find("pdf").render(document, Rendering(source=buffer.getvalue()))
    check(made, tmp_path)
    assert found_share(document, made, tmp_path) >= 0.995
    assert finds(made, ["苹果汁", "全麦面包"], 2) == [True, True]
