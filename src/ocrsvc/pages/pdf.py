"""Renders PDF pages with PDFium, one at a time, never larger than the pixel limit."""

from __future__ import annotations

import ctypes
import threading
from math import ceil, sqrt
from typing import Any

import numpy as np
import pypdfium2 as pdfium

from ocrsvc.errors import PasswordRequired, TooManyPixels, UndecodableImage, WrongPassword, reason
from ocrsvc.pages import pdf_objects, pdf_repair, pdf_text
from ocrsvc.pages.source import (
    BYTES_PER_PIXEL,
    Allocate,
    DocumentOptions,
    Limits,
    PageImage,
    check_memory,
    check_size,
    fresh_bytes,
    select_pages,
)

_POINTS_PER_INCH = 72
_LOWEST_DPI = 36  # text is not legible at less
# Bounds of the resolution at which a scan is drawn, which is that of its picture: one stored at less than the first is
# drawn larger, as recognisers want it, and more than the second only takes time.
_LOWEST_SCAN_DPI, _HIGHEST_SCAN_DPI = 72, 300
_PAGES_AT_ONCE = 32  # drawn before the document is opened again, because PDFium keeps what it has parsed
_DECODE_BYTES_PER_PIXEL = 6  # without the page's own pictures and fonts
# PDFium is not thread-safe, not even with one document for each thread: one lock for the whole process.
_LOCK = threading.Lock()


class PdfSource:
    """An opened PDF; see ``source.Source``."""

    def __init__(
        self,
        data: bytes,
        limits: Limits,
        pages: str | None,
        allocate: Allocate = fresh_bytes,
        options: DocumentOptions = DocumentOptions(),  # noqa: B008  (it is frozen)
    ) -> None:
        self._limits = limits
        self._allocate = allocate
        self._text = options.pdf_text
        self._data, self._password = data, options.password
        self._loaded: tuple[int, _LoadedPage] | None = None
        self._pages_drawn = 0
        with _LOCK:
            try:
                self._document = self._open_or_repair()
                count = len(self._document)
            except pdfium.PdfiumError as error:
                raise _not_opened(error, options.password) from None
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
            page = self._page(number)
            scale = self._scale(number, page)
        return check_memory(_DECODE_BYTES_PER_PIXEL * _drawn(page.width, page.height, scale), self._limits)

    def page(self, number: int) -> PageImage:
        """Draw the page at ``pdf_dpi``, or a scan at its own resolution, or at less to have ``max_pixels``.

        TooManyPixels if even 36 dpi exceed the limit, UndecodableImage for a damaged page.
        """
        with _LOCK:
            try:
                if self._pages_drawn == _PAGES_AT_ONCE:
                    self._open_again()
                self._pages_drawn += 1
                loaded = self._page(number)
                scale = self._scale(number, loaded)
                bitmap = loaded.page.render(scale=scale, bitmap_maker=self._bitmap)
                pixels = np.asarray(bitmap.to_numpy(), dtype=np.uint8)
                bitmap.close()
                text = pdf_text.layer_of(loaded.page.raw, pixels, loaded.objects, self._text, scale=scale)
            except pdfium.PdfiumError as error:
                raise UndecodableImage(
                    f"Page {number} of the PDF cannot be drawn: {reason(error)}."
                ) from error
            finally:
                self._close_page()
        return PageImage(number, pixels, text=text, dpi=scale * _POINTS_PER_INCH)

    def close(self) -> None:
        with _LOCK:
            self._close_page()
            self._document.close()

    def _open_or_repair(self) -> pdfium.PdfDocument:
        try:
            return self._open()
        except pdfium.PdfiumError as error:
            if (
                _is_about_password(error)
                or (written := pdf_repair.repaired(self._data, self._password)) is None
            ):
                raise
            self._data, self._password = written, None
            return self._open()

    def _open(self) -> pdfium.PdfDocument:
        document = pdfium.PdfDocument(self._data, password=self._password)
        document.init_forms()  # else the content of form fields is not drawn
        return document

    def _open_again(self) -> None:
        """Give back what PDFium has kept of the pages so far, which may be as much as the file."""
        self._close_page()
        self._document.close()
        self._document = self._open()
        self._pages_drawn = 0

    def _page(self, number: int) -> _LoadedPage:
        """Return a page, which stays loaded until it is drawn or another one is wanted."""
        if self._loaded is None or self._loaded[0] != number:
            self._close_page()
            try:
                self._loaded = number, _LoadedPage(self._document[number - 1])
            except pdfium.PdfiumError as error:
                raise UndecodableImage(
                    f"Page {number} of the PDF cannot be opened: {reason(error)}."
                ) from error
        return self._loaded[1]

    def _close_page(self) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded[1].page.close()

    def _bitmap(self, width: int, height: int, **options: Any) -> pdfium.PdfBitmap:
        """Return a white bitmap in memory from ``allocate``, which outlives the bitmap."""
        memory = self._allocate(width * height * BYTES_PER_PIXEL)
        memory[:] = 255
        buffer = (ctypes.c_ubyte * memory.nbytes).from_buffer(memory.data)
        return _WhiteBitmap.new_native(width, height, buffer=buffer, **options)

    def _scale(self, number: int, page: _LoadedPage) -> float:
        width, height = page.width, page.height
        if width <= 0 or height <= 0:
            raise UndecodableImage(f"Page {number} of the PDF has no size.")
        wanted = self._dpi(page) / _POINTS_PER_INCH
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
        return float(scale)

    def _dpi(self, page: _LoadedPage) -> float:
        usual = float(self._limits.pdf_dpi)
        scanned = pdf_objects.scan_dpi(page.objects, page.width, page.height)
        if scanned is None:
            return usual
        return min(max(scanned, _LOWEST_SCAN_DPI), max(usual, _HIGHEST_SCAN_DPI))


class _WhiteBitmap(pdfium.PdfBitmap):  # type: ignore[misc]  # pypdfium2 has no types
    """A bitmap that is white already: PDFium fills three bytes a pixel one by one, in half the time of a drawing."""

    def fill_rect(self, color: Any, left: int, top: int, width: int, height: int) -> None:
        """Do nothing."""


class _LoadedPage:
    """A parsed page, its size in points, and what it consists of."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self.page = page
        self.width: float
        self.height: float
        self.width, self.height = page.get_size()
        self.objects = pdf_objects.inspect(page.raw)


def _not_opened(error: pdfium.PdfiumError, password: str | None) -> UndecodableImage:
    """Return why a PDF cannot be opened, without the password, which must not appear in messages or logs."""
    if not _is_about_password(error):
        return UndecodableImage(f"The PDF cannot be opened: {reason(error)}.")
    if password is None:
        return PasswordRequired("The PDF needs a password: send it as the parameter password.")
    return WrongPassword("The password does not open the PDF.")


def _is_about_password(error: pdfium.PdfiumError) -> bool:
    return "assword" in str(error)


def _drawn(width: float, height: float, scale: float) -> int:
    """Return the pixels of a page of this size in points; PDFium rounds sides up."""
    return ceil(width * scale) * ceil(height * scale)
