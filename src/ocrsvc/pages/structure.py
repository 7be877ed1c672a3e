"""The structure of a file, walked without decoding it: what would take a codec for ever is refused here."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from ocrsvc.errors import TooManyPages, UndecodableImage

_MOST_SCANS = 100  # of a progressive JPEG; encoders write about ten
_MOST_DIRECTORIES = 10_001  # of a TIFF; max_pages is 10 000 at most
_WEBP_HEADER = 12  # RIFF, size, WEBP
_MOST_CHUNKS = 20_000  # of a WebP that are looked at; the EXIF data stand behind all frames of an animation
_KEY_FRAME = b"\x9d\x01\x2a"  # what stands before the size of a lossy picture
_ANIMATION, _EXIF, _ALPHA = 0x02, 0x08, 0x10  # flags of VP8X


@dataclass(frozen=True, slots=True)
class WebPHeader:
    """What a WebP says about itself; ``exif`` is empty without such a chunk."""

    width: int
    height: int
    alpha: bool
    animated: bool
    exif: bytes


def count_scans(data: bytes) -> int:
    """The scans of a JPEG, each of which goes over all pixels; UndecodableImage for so many that it would not end.

    Inside a scan the byte before 0xDA is never 0xFF.
    """
    scans = data.count(b"\xff\xda")
    if scans > _MOST_SCANS:
        raise UndecodableImage(f"The JPEG picture has {scans} scans; at most {_MOST_SCANS} are read.")
    return scans


def count_directories(data: bytes) -> int:
    """The pages of a TIFF or BigTIFF, by its chain of directories alone; Pillow's count takes the square of them.

    UndecodableImage for a file without one, TooManyPages for more than any document has.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    # Of a directory: how many entries, their size, where the next one is; and where the file says the first is.
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
    """UndecodableImage unless the chunks up to IEND are there and hold what their check sums say."""
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

    Pillow would make its animation decoder here, which takes 8 bytes a pixel before any limit is checked.
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
    """The first chunk of each kind, the last one perhaps cut off."""
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
