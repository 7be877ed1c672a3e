"""Inspects the structure of files without decoding them, and refuses files that would keep a codec busy for ever."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from ocrsvc.errors import TooManyPages, UndecodableImage

_MOST_SCANS = 100  # most scans of a progressive JPEG; encoders write about ten
_MOST_DIRECTORIES = 10_001  # refused from here on; max_pages is at most 10 000
_WEBP_HEADER = 12  # RIFF, size, WEBP
_MOST_CHUNKS = 20_000  # inspected in a WebP; EXIF data follow all frames of an animation
_KEY_FRAME = b"\x9d\x01\x2a"  # precedes the size of a lossy picture
_ANIMATION, _EXIF, _ALPHA = 0x02, 0x08, 0x10  # flags of VP8X


@dataclass(frozen=True, slots=True)
class WebPHeader:
    """Header of a WebP; ``exif`` is empty without such a chunk."""

    width: int
    height: int
    alpha: bool
    animated: bool
    exif: bytes


def count_scans(data: bytes) -> int:
    """Return the number of scans of a JPEG, each of which passes over all pixels; UndecodableImage for too many.

    Counting 0xFFDA suffices: inside a scan, 0xFF is never followed by 0xDA.
    """
    scans = data.count(b"\xff\xda")
    if scans > _MOST_SCANS:
        raise UndecodableImage(f"The JPEG picture has {scans} scans; at most {_MOST_SCANS} are read.")
    return scans


def count_directories(data: bytes) -> int:
    """Return the number of pages of a TIFF or BigTIFF from its chain of directories; Pillow's count is quadratic.

    UndecodableImage for a file without a directory, TooManyPages for ``_MOST_DIRECTORIES`` or more.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    # Formats of the entry count and of offsets, size of an entry, position of the first directory's offset.
    count, entry, offset, first = ("Q", 20, "Q", 8) if big else ("H", 12, "I", 4)
    seen: set[int] = set()
    try:
        (position,) = struct.unpack_from(order + offset, data, first)
        while position and position not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(position)
            (entries,) = struct.unpack_from(order + count, data, position)
            (position,) = struct.unpack_from(
                order + offset, data, position + struct.calcsize(order + count) + entries * entry
            )
    except struct.error as error:
        if not seen:
            raise UndecodableImage("The TIFF is damaged or incomplete: it has no directory.") from error
    if len(seen) >= _MOST_DIRECTORIES:
        raise TooManyPages(f"The TIFF has {_MOST_DIRECTORIES} pages or more.", max_pages=_MOST_DIRECTORIES)
    return len(seen)


def check_png(data: bytes) -> None:
    """Raise UndecodableImage unless all chunks up to IEND are present and match their checksums."""
    view, position = memoryview(data), 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        (expected,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(view[position + 4 : end - 4]) != expected:
            raise UndecodableImage(f"The PNG picture is damaged: wrong check sum of chunk {kind!r}.")
        if kind == b"IEND":
            return
        position = end
    raise UndecodableImage("The PNG picture is incomplete.")


def webp_header(data: bytes) -> WebPHeader:
    """Read the header of a WebP (RFC 9649); UndecodableImage if it is damaged.

    Pillow would create its animation decoder, which takes 8 bytes a pixel before any limit is checked.
    """
    chunks = _riff_chunks(data)
    try:
        if (extended := chunks.get(b"VP8X")) is not None:
            flags = extended[0]
            width = 1 + int.from_bytes(extended[4:7], "little")
            height = 1 + int.from_bytes(extended[7:10], "little")
            exif = bytes(chunks.get(b"EXIF", b"")) if flags & _EXIF else b""
            return WebPHeader(width, height, bool(flags & _ALPHA), bool(flags & _ANIMATION), exif)
        if (lossless := chunks.get(b"VP8L")) is not None and lossless[0] == 0x2F:
            (bits,) = struct.unpack_from("<I", lossless, 1)
            return WebPHeader(
                1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1), False, b""
            )
        if (lossy := chunks.get(b"VP8 ")) is not None and bytes(lossy[3:6]) == _KEY_FRAME:
            width, height = struct.unpack_from("<HH", lossy, 6)
            return WebPHeader(width & 0x3FFF, height & 0x3FFF, False, False, b"")
    except (struct.error, IndexError):
        pass
    raise UndecodableImage("The WebP picture has a damaged or incomplete header.")


def _riff_chunks(data: bytes) -> dict[bytes, memoryview]:
    """Return the first chunk of each kind; the last one may be truncated."""
    view, position = memoryview(data), _WEBP_HEADER
    found: dict[bytes, memoryview] = {}
    for _ in range(_MOST_CHUNKS):
        if position + 8 > len(data):
            break
        kind = bytes(view[position : position + 4])
        (size,) = struct.unpack_from("<I", data, position + 4)
        found.setdefault(kind, view[position + 8 : position + 8 + size])
        position += 8 + size + size % 2
    return found
