"""Decodes bytes to pages: pictures of all kinds and PDF as ``uint8 [H,W,3]`` BGR arrays.

The kind is detected from the bytes, never from what the client says, and every limit is checked on the header before
anything is decoded: a PNG of 30 000 x 30 000 white pixels is 2.6 MB long and 2.7 GB in memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import cv2

from ocrsvc.pages.images import PictureSource, WebPSource
from ocrsvc.pages.kinds import sniff
from ocrsvc.pages.source import Allocate, DocumentOptions, Limits, PageImage, Source, fresh_bytes
from ocrsvc.pages.tiff import TiffSource

_QUICK = ("JPEG", "PNG")


def open_source(
    data: bytes,
    limits: Limits,
    pages: str | None = None,
    options: DocumentOptions | None = None,
    *,
    allocate: Allocate = fresh_bytes,
) -> Source:
    """Open an input and check its header against the limits; nothing is decoded yet.

    ``pages`` selects pages, such as ``"1-3,7"`` or ``"5-"`` (default: all). ``options``: those of a PDF. ``allocate``
    returns memory for a decoded page.
    Raises EmptyInput, UnsupportedMedia, UndecodableImage, TooManyPixels, TooManyPages; InvalidParameter for a
    wrong ``pages``.
    """
    kind = sniff(data)
    if kind == "PDF":
        from ocrsvc.pages.pdf import PdfSource  # imported here because the service process needs no PDFium

        return PdfSource(data, limits, pages, allocate, options or DocumentOptions())
    if kind == "TIFF":
        return TiffSource(data, limits, pages, allocate)
    if kind in ("AVIF", "HEIC"):
        from ocrsvc.pages.heif import HeifSource  # imported here because few pictures need its codecs

        return HeifSource(data, kind, limits, pages, allocate)
    if kind == "WebP":
        return WebPSource(data, limits, pages, allocate)
    return PictureSource(data, kind, limits, pages, allocate)


def open_quick(data: bytes, limits: Limits, pages: str | None = None) -> Source | None:
    """Open a JPEG or PNG that is decoded in well under a second, as ``open_source``; None for everything else."""
    if (kind := sniff(data)) not in _QUICK:
        return None
    source = PictureSource(data, kind, limits, pages)
    if source.quick:
        return source
    source.close()
    return None


def decode(
    data: bytes, limits: Limits, pages: str | None = None, options: DocumentOptions | None = None
) -> Iterator[PageImage]:
    """Yield the selected pages one by one; raises as ``open_source`` and ``Source.page``."""
    source = open_source(data, limits, pages, options)
    try:
        for number in source.numbers:
            source.decode_bytes(number)
            yield source.page(number)
    finally:
        source.close()


def quieten() -> None:
    """Stop OpenCV and Pillow from writing about damaged pictures to standard error, in this whole process."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
