"""The kinds of files that can be read: media types, suffixes and signatures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ocrsvc.errors import EmptyInput, UnsupportedMedia

# Kind -> media type.
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
# Kind -> usual suffixes.
SUFFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
        "PNG": (".png",),
        "WebP": (".webp",),
        "BMP": (".bmp",),
        "GIF": (".gif",),
        "TIFF": (".tif", ".tiff"),
        "PDF": (".pdf",),
    }
)
_PDF_SEARCH_BYTES = 1024  # Acrobat accepts rubbish of this length before the header, and people send it


def sniff(data: bytes) -> str:
    """Return the kind of these bytes, a key of ``ACCEPTED``; EmptyInput if there are none, else UnsupportedMedia."""
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
    # Two letters alone would take any text that begins with BM: the reserved fields must be zero too.
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "BMP"
    if b"%PDF-" in data[:_PDF_SEARCH_BYTES]:
        return "PDF"
    raise UnsupportedMedia(
        f"These bytes are of no kind that can be read: send {', '.join([*ACCEPTED][:-1])} or PDF.",
        supported=list(ACCEPTED),
    )
