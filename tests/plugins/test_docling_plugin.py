"""docling's own converter with our engine: found at its entry point, cells in place, parts of pages, a service."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from available import missing
from code_blocks import blocks_of
from drawings import DrawnPage
from PIL import Image

pytestmark = pytest.mark.timeout(600)

PAGE = Path(__file__).parents[2] / "plugins" / "docling-ocrsvc" / "README.md"
BLOCKS = blocks_of(PAGE)
HEADING, TEXT = "采购合同", ("本合同由双方于 2026 年签订。", "The seller agrees")
MARKDOWN = f"## {HEADING}\n\n{' '.join(TEXT)}"
PLACES = ((40, 40), (40, 240))  # left and top of the heading and of the text, in pixels
POINTS_PER_PIXEL = 72 / 150  # of the PDF

COMMAND = re.compile(r"^docling (convert .+)$", re.MULTILINE)
# Converts a file in several ways, and another one with docling's command (without its usual backend of PDFs, which is
# 30 MB more); prints what came of each, with the cells of its pages in points from the top.
CONVERT = """
import json, sys
import docling_stand_ins
from docling.cli.main import app
from page_programs import printed
from docling.backend.pypdfium2_backend import PyPdfiumDocumentBackend
from docling.datamodel.base_models import InputFormat
from docling.datamodel.pipeline_options import OcrMode, PdfPipelineOptions
from docling.document_converter import DocumentConverter, ImageFormatOption, PdfFormatOption
from docling.models.factories import get_ocr_factory

def convert(path, mode, arguments):
    engines = get_ocr_factory(allow_external_plugins=True)
    ocr = engines.create_options(kind="ocrsvc", mode=OcrMode[mode], **arguments)
    options = PdfPipelineOptions(allow_external_plugins=True, generate_parsed_pages=True, ocr_options=ocr)
    converter = DocumentConverter(format_options={
        InputFormat.PDF: PdfFormatOption(pipeline_options=options, backend=PyPdfiumDocumentBackend),
        InputFormat.IMAGE: ImageFormatOption(pipeline_options=options),
    })
    try:
        done = converter.convert(path, raises_on_error=False)
    except Exception as error:
        return {"raised": str(error)}
    cells = [(cell.text, cell.rect.to_bounding_box(), page.size.height) for page in done.pages for cell in page.cells]
    return {
        "status": done.status.name,
        "markdown": done.document.export_to_markdown(),
        "score": done.confidence.ocr_score,
        "errors": [each.error_message for each in done.errors],
        "cells": [[text, box.to_top_left_origin(height).as_tuple()] for text, box, height in cells],
    }

given = json.load(sys.stdin)
try:
    app([*given["command"], "--pdf-backend", "pypdfium2"])
except SystemExit as done:
    assert not done.code
json.dump({
    "page": printed(given["page"]),
    "ways": {way: convert(*job) for way, job in given["ways"].items()},
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def sheet(draw_page: Callable[..., DrawnPage]) -> Image.Image:
    """A page with a heading and a text."""
    page = Image.new("RGB", (1000, 600), "white")
    for lines, place in zip(([HEADING], list(TEXT)), PLACES, strict=True):
        page.paste(Image.fromarray(draw_page(lines).image[:, :, ::-1]), place)
    return page


@pytest.fixture(scope="module")
def converted(
    sheet: Image.Image,
    samples: Path,
    program: Callable[..., str],
    service_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What docling makes of the page, by the name of the way; all in one process, which takes long to start."""
    if importlib.util.find_spec("torch") is None:
        missing("docling's converter needs torch: make setup-train")
    folder = tmp_path_factory.mktemp("scans")
    sheet.save(folder / "scan.png")
    sheet.save(folder / "scan.pdf", resolution=150)
    ways = {
        "pdf": ("scan.pdf", "FULL_PAGE", {}),
        "picture": ("scan.png", "FULL_PAGE", {}),
        "service": ("scan.png", "FULL_PAGE", {"url": service_url, "lang": ["iso:zh-CN", "en"]}),
        "language": ("scan.png", "FULL_PAGE", {"lang": ["iso:ru"]}),
        "model": ("scan.png", "FULL_PAGE", {"model": "no-such-model"}),
        "blocks": ("scan.png", "LAYOUT_REGIONS", {}),
    }
    if importlib.util.find_spec("scipy") is None:
        del ways["blocks"]
    jobs = {way: (str(folder / name), mode, arguments) for way, (name, mode, arguments) in ways.items()}
    (command,) = COMMAND.findall(PAGE.read_text("utf-8"))
    given = json.dumps({"page": [block.code for block in BLOCKS], "command": command.split(), "ways": jobs})
    done: dict[str, Any] = json.loads(
        program([sys.executable, "-c", CONVERT], "docling-ocrsvc", "docling", given=given, cwd=samples)
    )
    return {**done["ways"], "page": done["page"]}


def test_the_programs_of_the_page_print_what_they_shall(converted: dict[str, Any]) -> None:
    assert BLOCKS
    for block, output in zip(BLOCKS, converted["page"], strict=True):
        assert block.word in output


def test_doclings_command_writes_the_document(converted: dict[str, Any], samples: Path) -> None:
    assert converted
    assert "合计 TOTAL 37.20" in (samples / "scan.md").read_text("utf-8")


def test_a_scan_is_a_document_with_cells_in_their_places(converted: dict[str, Any]) -> None:
    for way, pixel in (("pdf", POINTS_PER_PIXEL), ("picture", 1.0)):
        done = converted[way]
        assert (done["status"], done["errors"]) == ("SUCCESS", [])
        assert done["markdown"] == MARKDOWN
        assert 0.9 < done["score"] <= 1
        assert [text for text, _ in done["cells"]] == [HEADING, *TEXT]
        for (_, box), place in zip(done["cells"][:2], PLACES, strict=True):
            left, top, right, bottom = (value / pixel for value in box)
            assert place[0] <= left <= place[0] + 60
            assert place[1] <= top <= place[1] + 70
            assert right - left > 2 * (bottom - top) > 40


def test_blocks_are_read_one_by_one_and_stay_in_their_places(converted: dict[str, Any]) -> None:
    """docling's default for pages with text of their own; it finds the blocks with SciPy."""
    if "blocks" not in converted:
        pytest.skip("docling needs SciPy to read blocks, which is 140 MB: pip install scipy")
    whole, parts = converted["picture"], converted["blocks"]
    assert parts["markdown"] == MARKDOWN
    for (_, box), (_, part) in zip(whole["cells"], parts["cells"], strict=True):
        assert box == pytest.approx(part, abs=3)


def test_a_service_reads(converted: dict[str, Any]) -> None:
    assert converted["service"]["markdown"] == MARKDOWN


def test_a_language_that_the_models_lack_is_refused(converted: dict[str, Any]) -> None:
    assert "ocrsvc has no model for the OCR language 'iso:ru-Cyrl'" in converted["language"]["raised"]


def test_what_cannot_be_read_is_an_error_of_the_conversion(converted: dict[str, Any]) -> None:
    assert converted["model"]["status"] == "PARTIAL_SUCCESS"
    assert "no-such-model" in converted["model"]["errors"][0]
