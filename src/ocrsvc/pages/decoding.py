"""Decodes bytes to pages: pictures (JPEG, PNG, WebP, BMP, GIF, TIFF) and PDF as ``uint8 [H,W,3]`` BGR arrays.

The kind is detected from the bytes, never from what the client says, and every limit is checked on the header before
anything is decoded: a PNG of 30 000 x 30 000 white pixels is 2.6 MB long and 2.7 GB in memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import cv2

from ocrsvc.errors import EmptyInput, UnsupportedMedia
from ocrsvc.pages.images import PictureSource, WebPSource
from ocrsvc.pages.source import Allocate, Limits, PageImage, Source, fresh_bytes
from ocrsvc.pages.tiff import TiffSource

# Media types of the supported kinds, for messages and for the service's description.
ACCEPTED: Mapping[str, str] = MappingProxyType(
    {
        "JPEG": "image/jpeg",
        "PNG": "image/png",
        "WebP": "image/webp",
        "BMP": "image/bmp",
        "GIF": "image/gif",
        "TIFF": "image/tiff",
        "PDF": "application/pdf",
    }
)
_QUICK = ("JPEG", "PNG")
_PDF_SEARCH_BYTES = 1024  # Acrobat accepts so many bytes before the header, and such files occur


def sniff(data: bytes) -> str:
    """Return the kind of these bytes, a key of ``ACCEPTED``; raises EmptyInput or UnsupportedMedia."""
    if not data:
        raise EmptyInput("There are no bytes to read: send a picture or a PDF.")
    head = data[:16]
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "TIFF"
    # The reserved fields must be zero too, because any text may begin with BM.
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "BMP"
    if b"%PDF-" in data[:_PDF_SEARCH_BYTES]:
        return "PDF"
    raise UnsupportedMedia(
        f"These bytes are of no kind that can be read: send {', '.join([*ACCEPTED][:-1])} or PDF.",
        supported=list(ACCEPTED),
    )


def open_source(
    data: bytes, limits: Limits, pages: str | None = None, *, allocate: Allocate = fresh_bytes
) -> Source:
    """Open an input and check its header against the limits; nothing is decoded yet.

    ``pages`` selects pages, such as ``"1-3,7"`` or ``"5-"`` (default: all). ``allocate`` returns memory for a decoded
    page. Raises EmptyInput, UnsupportedMedia, UndecodableImage, TooManyPixels, TooManyPages; InvalidParameter for a
    wrong ``pages``.
    """
    kind = sniff(data)
    if kind == "PDF":
        from ocrsvc.pages.pdf import PdfSource  # imported here because the service process needs no PDFium

        return PdfSource(data, limits, pages, allocate)
    if kind == "TIFF":
        return TiffSource(data, limits, pages, allocate)
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


def decode(data: bytes, limits: Limits, pages: str | None = None) -> Iterator[PageImage]:
    """Yield the selected pages one by one; raises as ``open_source`` and ``Source.page``."""
    source = open_source(data, limits, pages)
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
