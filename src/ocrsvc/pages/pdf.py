"""Renders PDF pages with PDFium, one at a time, never larger than the pixel limit."""

from __future__ import annotations

import ctypes
import threading
from math import ceil, sqrt
from typing import Any

import numpy as np
import pypdfium2 as pdfium

from ocrsvc.errors import TooManyPixels, UndecodableImage, reason
from ocrsvc.pages.source import (
    BYTES_PER_PIXEL,
    Allocate,
    Limits,
    PageImage,
    check_memory,
    check_size,
    fresh_bytes,
    select_pages,
)

_POINTS_PER_INCH = 72
_LOWEST_DPI = 36  # text is not legible at less
_DECODE_BYTES_PER_PIXEL = 6  # without the page's own pictures and fonts
# PDFium is not thread-safe, not even with one document for each thread: one lock for the whole process.
_LOCK = threading.Lock()


class PdfSource:
    """An opened PDF; see ``source.Source``."""

    def __init__(
        self, data: bytes, limits: Limits, pages: str | None, allocate: Allocate = fresh_bytes
    ) -> None:
        self._limits = limits
        self._allocate = allocate
        with _LOCK:
            try:
                self._document = pdfium.PdfDocument(data)
                self._document.init_forms()  # else the content of form fields is not drawn
                count = len(self._document)
            except pdfium.PdfiumError as error:
                locked = "assword" in str(error)
                what = "needs a password" if locked else f"cannot be opened: {reason(error)}"
                raise UndecodableImage(f"The PDF {what}.") from error
        if count < 1:
            self.close()
            raise UndecodableImage("The PDF has no pages.")
        try:
            self.numbers = select_pages(pages, count, limits.max_pages)
        except Exception:
            self.close()
            raise

    def decode_bytes(self, number: int) -> int:
        with _LOCK:
            try:
                width, height = self._document.get_page_size(number - 1)
            except pdfium.PdfiumError as error:
                raise UndecodableImage(
                    f"Page {number} of the PDF cannot be opened: {reason(error)}."
                ) from error
        scale = self._scale(number, width, height)
        return check_memory(_DECODE_BYTES_PER_PIXEL * _drawn(width, height, scale), self._limits)

    def page(self, number: int) -> PageImage:
        """Draw the page at ``pdf_dpi``, or at less if it would have more than ``max_pixels``.

        TooManyPixels if even 36 dpi exceed the limit, UndecodableImage for a damaged page.
        """
        with _LOCK:
            try:
                page = self._document[number - 1]
                try:
                    width, height = page.get_size()
                    bitmap = page.render(scale=self._scale(number, width, height), bitmap_maker=self._bitmap)
                    pixels = np.asarray(bitmap.to_numpy(), dtype=np.uint8)
                    bitmap.close()
                finally:
                    page.close()
            except pdfium.PdfiumError as error:
                raise UndecodableImage(
                    f"Page {number} of the PDF cannot be drawn: {reason(error)}."
                ) from error
        return PageImage(number, pixels)

    def _bitmap(self, width: int, height: int, **options: Any) -> pdfium.PdfBitmap:
        """Return a bitmap in memory from ``allocate``, which outlives the bitmap."""
        memory = self._allocate(width * height * BYTES_PER_PIXEL)
        buffer = (ctypes.c_ubyte * memory.nbytes).from_buffer(memory.data)
        return pdfium.PdfBitmap.new_native(width, height, buffer=buffer, **options)

    def close(self) -> None:
        with _LOCK:
            self._document.close()

    def _scale(self, number: int, width: float, height: float) -> float:
        if width <= 0 or height <= 0:
            raise UndecodableImage(f"Page {number} of the PDF has no size.")
        wanted = self._limits.pdf_dpi / _POINTS_PER_INCH
        most = min(self._limits.max_pixels, self._limits.max_decode_bytes // _DECODE_BYTES_PER_PIXEL)
        # Sides are rounded up, so this is the scale at which (width * scale + 1) * (height * scale + 1) = most.
        area, sides = width * height, width + height
        fitting = (sqrt(sides**2 + 4 * area * (most - 1)) - sides) / (2 * area)
        scale = min(wanted, fitting)
        if scale * _POINTS_PER_INCH < _LOWEST_DPI and _drawn(width, height, wanted) > most:
            raise TooManyPixels(
                f"Page {number} of the PDF is {width / 72:.0f}x{height / 72:.0f} inches: too large to draw.",
                max_pixels=most,
            )
        # Rounding up turns a page of 2.5e8 by 0.001 points into a row of 126 million pixels.
        check_size(ceil(width * scale), ceil(height * scale), self._limits)
        return scale


def _drawn(width: float, height: float, scale: float) -> int:
    """Return the pixels of a page of this size in points; PDFium rounds sides up."""
    return ceil(width * scale) * ceil(height * scale)
