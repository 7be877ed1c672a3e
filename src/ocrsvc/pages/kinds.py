"""The kinds of files that can be read: media types, suffixes and signatures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ocrsvc.errors import EmptyInput, UnsupportedMedia

# Media types of the supported kinds, for messages and for the service's description.
ACCEPTED: Mapping[str, str] = MappingProxyType(
    {
        "JPEG": "image/jpeg",
        "PNG": "image/png",
        "WebP": "image/webp",
        "BMP": "image/bmp",
        "GIF": "image/gif",
        "TIFF": "image/tiff",
        "AVIF": "image/avif",
        "HEIC": "image/heic",
        "PDF": "application/pdf",
    }
)
# Usual suffixes of the supported kinds.
SUFFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
        "PNG": (".png",),
        "WebP": (".webp",),
        "BMP": (".bmp",),
        "GIF": (".gif",),
        "TIFF": (".tif", ".tiff"),
        "AVIF": (".avif",),
        "HEIC": (".heic", ".heif"),
        "PDF": (".pdf",),
    }
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_MOST_BRANDS_BYTES = 256  # of the box ftyp; files have two to eight brands of 4 bytes
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
    if head[4:8] == b"ftyp" and (kind := _of_brands(data)) is not None:
        return kind
    if b"%PDF-" in data[:_PDF_SEARCH_BYTES]:
        return "PDF"
    raise UnsupportedMedia(
        f"The type of this file is not supported: send {', '.join([*ACCEPTED][:-1])} or PDF.",
        supported=list(ACCEPTED),
    )


def _of_brands(data: bytes) -> str | None:
    """Return the kind of a file of boxes (ISO/IEC 14496-12) by the brands that it is compatible with."""
    size = min(int.from_bytes(data[:4], "big"), _MOST_BRANDS_BYTES)
    brands = {data[8:12]} | {data[place : place + 4] for place in range(16, size - 3, 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIC" if brands & _HEIC_BRANDS else None
