"""OCRmyPDF with our plugin: scans of three pages, both ways to draw text, a page that lies, paperless-ngx's way."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from available import missing, model_name
from drawings import DrawnPage
from PIL import Image

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "ocrmypdf-ocrsvc" / "src"
USER_ARGUMENTS = re.compile(r"^PAPERLESS_OCR_USER_ARGS='(.+)'$", re.MULTILINE)

# What paperless-ngx 3.0 gives to OCRmyPDF without settings (construct_ocrmypdf_parameters in
# src/paperless/parsers/tesseract.py), but for "clean", which needs unpaper, and PDF/A.
PAPERLESS = """
import json, sys
import ocrmypdf

source, target, sidecar, user_arguments = sys.argv[1:]
arguments = {
    "input_file_or_options": source, "output_file": target, "use_threads": True, "jobs": 1,
    "language": "chi_sim+eng", "output_type": "pdf", "progress_bar": False, "deskew": True,
    "rotate_pages": True, "rotate_pages_threshold": 12.0, "sidecar": sidecar, "max_image_mpixels": 178.9,
}
ocrmypdf.ocr(**{**arguments, **json.loads(user_arguments)})
"""
PAGES = (
    ("采购合同", "本合同由双方于 2026 年签订。"),
    ("Invoice 24417", "合计 TOTAL 37.20", "谢谢惠顾"),
    ("第三页", "The end of the document"),
)


@pytest.fixture
def scan(draw_page: Callable[..., DrawnPage]) -> Callable[..., bytes]:
    """``scan(turned=(1,))`` -> a PDF of the pages as pictures at 150 dpi; those of ``turned`` lie on their side."""

    def drawn(pages: tuple[tuple[str, ...], ...] = PAGES, turned: tuple[int, ...] = ()) -> bytes:
        sheets = []
        for number, lines in enumerate(pages):
            sheet = Image.new("RGB", (1000, 600), "white")
            sheet.paste(Image.fromarray(draw_page(list(lines)).image[:, :, ::-1]), (40, 40))
            sheets.append(sheet.transpose(Image.Transpose.ROTATE_90) if number in turned else sheet)
        buffer = io.BytesIO()
        sheets[0].save(buffer, "PDF", resolution=150, save_all=True, append_images=sheets[1:])
        return buffer.getvalue()

    return drawn


def need(*programs: str) -> None:
    if importlib.util.find_spec("ocrmypdf") is None:
        missing("no OCRmyPDF: pip install 'ocrmypdf>=17'")
    for program in (*programs, "tesseract"):  # OCRmyPDF looks for Tesseract in any case
        if shutil.which(program) is None:
            missing(f"no {program}")


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "OCRSVC_MODEL": model_name()}


@pytest.fixture
def ocrmypdf(tmp_path: Path) -> Callable[..., list[str]]:
    """``ocrmypdf(content, *arguments)`` -> what pdftotext finds on each page of the output."""
    need("pdftotext")

    def run(content: bytes, *arguments: str) -> list[str]:
        source, target = tmp_path / "scan.pdf", tmp_path / "out.pdf"
        source.write_bytes(content)
        command = [sys.executable, "-m", "ocrmypdf", "--plugin", "ocrmypdf_ocrsvc", "--jobs", "2"]
        command += ["--output-type", "pdf", "-l", "chi_sim+eng", *arguments, str(source), str(target)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        shown = subprocess.run(["pdftotext", "-layout", str(target), "-"], capture_output=True, check=True)
        return shown.stdout.decode().split("\f")[:-1]

    return run


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("renderer", ["auto", "sandwich"])
def test_a_scan_gets_its_lines(
    scan: Callable[..., bytes], ocrmypdf: Callable[..., list[str]], renderer: str
) -> None:
    pages = ocrmypdf(scan(), "--pdf-renderer", renderer)
    assert len(pages) == len(PAGES)
    for page, lines in zip(pages, PAGES, strict=True):
        for line in lines:
            assert squeezed(line) in squeezed(page), (line, page)


def test_a_page_on_its_side_is_turned(scan: Callable[..., bytes], ocrmypdf: Callable[..., list[str]]) -> None:
    content = scan(PAGES[1:2], turned=(0,))
    (page,) = ocrmypdf(content, "--rotate-pages", "--pdf-renderer", "sandwich", "--use-threads")
    rows = [squeezed(row) for row in page.splitlines() if row.strip()]
    assert rows == [squeezed(line) for line in PAGES[1]]


def test_a_language_that_is_not_read_is_refused(
    scan: Callable[..., bytes], ocrmypdf: Callable[..., list[str]]
) -> None:
    with pytest.raises(AssertionError, match="rus"):
        ocrmypdf(scan(PAGES[:1]), "-l", "rus")


def test_paperless_ngx_reads_with_it_by_the_setting_of_the_page(
    scan: Callable[..., bytes], tmp_path: Path
) -> None:
    need()
    page = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    (setting,) = USER_ARGUMENTS.findall(page)
    source, target, sidecar = (tmp_path / name for name in ("scan.pdf", "archive.pdf", "sidecar.txt"))
    source.write_bytes(scan(PAGES[1:2], turned=(0,)))
    command = [sys.executable, "-c", PAPERLESS, *map(str, (source, target, sidecar)), setting]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [squeezed(row) for row in sidecar.read_text("utf-8").splitlines() if row.strip()] == [
        squeezed(line) for line in PAGES[1]
    ]
