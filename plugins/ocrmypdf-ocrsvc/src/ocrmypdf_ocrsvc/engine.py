"""The OCR engine: hOCR and text-only PDFs of page images, and which way up a page is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pikepdf
from ocrmypdf.exceptions import SubprocessOutputError
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence
from PIL import Image

from ocrsvc import OCR, OcrError, Result, __version__, formats

NAME = "ocrsvc"

# Chinese and the languages in the Latin script whose letters the models have.
LANGUAGES = frozenset(
    (  # noqa: SIM905
        "chi_sim chi_tra eng afr cat dan deu est eus fin fra glg hrv hun isl ita lat nld nor pol por ron slk slv spa "
        "sqi swe"
    ).split()
)
_GRAFTED_FONT = "/F1"  # OCRmyPDF copies a font of this name from a text-only PDF, and no other
_SURE, _UNSURE = 15.0, 0.0  # in Tesseract's units; OCRmyPDF turns pages from 14
_LEAST_LINES = 2  # of a page whose way up is known
_POINTS_PER_INCH = 72.0
_DPI = 300.0  # of an image that does not say it


class OcrsvcEngine(OcrEngine):
    """Reads the page images of OCRmyPDF in its own worker threads or processes."""

    @staticmethod
    def version() -> str:
        """Return the version of ocrsvc."""
        return __version__

    @staticmethod
    def creator_tag(options: Any) -> str:
        """Return what PDFs name as their maker."""
        return f"ocrsvc {__version__}"

    def __str__(self) -> str:
        return f"ocrsvc {__version__}"

    @staticmethod
    def languages(options: Any) -> set[str]:
        """Return the languages that may be named with ``-l``, as Tesseract calls them."""
        return set(LANGUAGES)

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:
        """Return by how many degrees the page has to be turned clockwise; unsure of a page with next to no text."""
        result = _read(input_file, options)
        sure = _SURE if len(result.lines) >= _LEAST_LINES else _UNSURE
        return OrientationConfidence(result.pages[0].orientation, sure)

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:
        """Write hOCR and the text of a page image."""
        result = _read(input_file, options)
        output_hocr.write_text(result.to_hocr(), encoding="utf-8")
        output_text.write_text(result.text + "\n", encoding="utf-8")

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:
        """Write a PDF of the size of a page image with nothing but invisible text, and the text."""
        result = _read(input_file, options)
        content = formats.render("pdf", result.document, source=_blank(input_file))
        output_pdf.write_bytes(_with_grafted_font(content))
        output_text.write_text(result.text + "\n", encoding="utf-8")


def _read(image: Path, options: Any) -> Result:
    """Read a page image with as many threads as OCRmyPDF reads pages at once in this process.

    Its worker threads share a reader; its worker processes have one each, with one thread.
    """
    workers = max(1, options.jobs or 1) if options.use_threads else 1
    try:
        return OCR(workers=workers, decode_threads=1)(image, mode="page", structured=False)
    except OcrError as error:
        raise SubprocessOutputError(f"ocrsvc: {error.detail}") from error


def _blank(image: Path) -> bytes:
    """Return a PDF with one empty page that has the size of an image."""
    with Image.open(image) as opened:
        across, down = opened.info.get("dpi", (_DPI, _DPI))
        width, height = opened.size
    size = (width * _POINTS_PER_INCH / float(across), height * _POINTS_PER_INCH / float(down))
    buffer = io.BytesIO()
    with pikepdf.Pdf.new() as pdf:
        pdf.add_blank_page(page_size=size)
        pdf.save(buffer)
    return buffer.getvalue()


def _with_grafted_font(content: bytes) -> bytes:
    """Return a PDF of one page whose only font has the name that OCRmyPDF looks for."""
    buffer = io.BytesIO()
    with pikepdf.Pdf.open(io.BytesIO(content)) as pdf:
        page = pdf.pages[0]
        fonts = page.obj.get("/Resources", pikepdf.Dictionary()).get("/Font")
        if fonts is not None:
            (name,) = fonts.keys()
            page.contents_coalesce()
            text = page.obj.Contents.read_bytes().replace(f"{name} ".encode(), f"{_GRAFTED_FONT} ".encode())
            page.obj.Contents = pdf.make_stream(text)
            page.obj.Resources.Font = pikepdf.Dictionary({_GRAFTED_FONT: fonts[name]})
        else:
            page.obj.Contents = pdf.make_stream(b"")
        pdf.save(buffer)
    return buffer.getvalue()
