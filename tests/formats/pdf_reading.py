"""What readers of PDFs make of a file: poppler's text and pixels, PDFium's places of characters, and qpdf's checks."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from available import missing
from drawings import Picture
from PIL import Image


def text_of(data: bytes, folder: Path, *options: str) -> str:
    """The text that poppler's pdftotext finds."""
    return run("pdftotext", *options, saved(data, folder), "-").decode()


def pixels_of(
    data: bytes,
    folder: Path,
    page: int = 1,
) -> Picture:
    """A page as poppler draws it, RGB, at 100 dpi."""
    number = str(page)
    out = folder / "drawn"
    run("pdftoppm", "-r", "100", "-f", number, "-l", number, "-singlefile", saved(data, folder), str(out))
    with Image.open(out.with_suffix(".ppm")) as drawn:
        return np.asarray(drawn)


def drawn_by_pdfium(data: bytes, width: int) -> Picture:
    """The first page as PDFium draws it, RGB, this wide; poppler enlarges pictures by a pixel."""
    document = pdfium.PdfDocument(data)
    page = document[0]
    drawn = page.render(scale=(width - 0.01) / page.get_width()).to_numpy()[:, :, ::-1].copy()
    document.close()
    return np.asarray(drawn, dtype=np.uint8)


def check(data: bytes, folder: Path, *options: str) -> None:
    """Fail unless qpdf finds no mistake and gives no warning."""
    run("qpdf", "--check", *options, saved(data, folder))


def saved(data: bytes, folder: Path) -> str:
    path = folder / "read.pdf"
    path.write_bytes(data)
    return str(path)


def run(*command: str) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        missing(f"{command[0]} is not installed")
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout


def placed(
    data: bytes, size: tuple[int, int], page: int = 1, password: str | None = None
) -> list[tuple[str, tuple[float, float]]]:
    """Each character that PDFium finds, with its centre in pixels of the page shown at this size."""
    document = pdfium.PdfDocument(data, password=password)
    shown = document[page - 1]
    text = shown.get_textpage()
    found = []
    for index in range(text.count_chars()):
        code = raw.FPDFText_GetUnicode(text.raw, index)
        if raw.FPDFText_IsGenerated(text.raw, index) or not chr(code).strip():
            continue
        box = raw.FS_RECTF()
        assert raw.FPDFText_GetLooseCharBox(text.raw, index, box)
        x, y = ctypes.c_int(), ctypes.c_int()
        middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        # In hundredths of a pixel, because the function returns whole numbers.
        assert raw.FPDF_PageToDevice(shown.raw, 0, 0, size[0] * 100, size[1] * 100, 0, *middle, x, y)
        found.append((chr(code), (x.value / 100, y.value / 100)))
    document.close()
    return found


def finds(data: bytes, words: list[str], page: int = 1) -> list[bool]:
    """Whether PDFium's search finds each of the words on a page."""
    document = pdfium.PdfDocument(data)
    text = document[page - 1].get_textpage()
    found = [text.search(word, match_case=True).get_next() is not None for word in words]
    document.close()
    return found
