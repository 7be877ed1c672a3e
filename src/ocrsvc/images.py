"""Bytes to pages: pictures (JPEG, PNG, WebP, BMP, GIF, TIFF) and PDF as ``uint8 [H,W,3]`` BGR arrays.

The kind is sniffed from the bytes, never taken from the client's word, and every limit is checked on the
header before anything is decoded: a PNG of 30 000 x 30 000 white pixels is 2.6 MB long and 2.7 GB in memory.
"""

from __future__ import annotations

import io
import itertools
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ocrsvc.errors import (
    EmptyInput,
    InvalidParameter,
    TooManyPages,
    TooManyPixels,
    UndecodableImage,
    UnsupportedMedia,
    reason,
)

Pixels = NDArray[np.uint8]

# Kind -> media type of all that is read, for messages and for what the service says about itself.
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
_ORIENTATION = 0x0112  # EXIF tag
_PNG_DEPTH = (
    24  # where a PNG's header has the bits of a channel; OpenCV keeps 16 of alpha pictures: twice the memory
)
_MOST_SCANS = 100  # of a progressive JPEG; encoders write about ten
_MOST_DIRECTORIES = 10_001  # of a TIFF; max_pages is 10 000 at most
_MOST_RANGES_CHARACTERS = 4096  # of what selects pages
_LONGEST_SIDE = 100_000  # pixels; far above the longest screenshot
# A picture of which less than this share can be seen is shown on black if that is on average lighter than this.
_SEE_THROUGH, _LIGHT = 0.9, 170
_STRIP_PIXELS = 1_000_000  # that are composed at a time
_PDF_SEARCH_BYTES = 1024  # Acrobat accepts rubbish of this length before the header, and people send it


@dataclass(frozen=True, slots=True)
class Limits:
    """What one input may cost: pixels of each page, pages, the resolution at which PDF pages are drawn."""

    max_pixels: int = 64_000_000
    max_pages: int = 50
    pdf_dpi: int = 200


@dataclass(frozen=True, slots=True)
class PageImage:
    """One page, upright: ``pixels`` uint8 [H,W,3] BGR; ``number`` counts from 1."""

    number: int
    pixels: Pixels


class Source(Protocol):
    """An opened input whose pages are decoded one at a time, so that only a few are in memory."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the pages that were asked for, ascending, from 1."""

    @property
    def page_pixels(self) -> int:
        """About how many pixels a page has, as the header of the first says: what decoding it will hold."""

    def page(self, number: int) -> PageImage:
        """Decode one page (blocking). TooManyPixels, UndecodableImage."""

    def close(self) -> None:
        """Let go of the input."""


def sniff(data: bytes) -> str:
    """The kind of these bytes, a key of ``ACCEPTED``; EmptyInput if there are none, else UnsupportedMedia."""
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


def open_source(data: bytes, limits: Limits, pages: str | None = None) -> Source:
    """The input behind these bytes, its header checked against the limits, nothing decoded yet.

    ``pages`` selects pages, such as ``"1-3,7"`` or ``"5-"`` (default: all). Raises EmptyInput,
    UnsupportedMedia, UndecodableImage, TooManyPixels, TooManyPages; InvalidParameter for a wrong ``pages``.
    """
    kind = sniff(data)
    if kind == "PDF":
        from ocrsvc.pdf import PdfSource

        return PdfSource(data, limits, pages)
    if kind == "TIFF":
        return _TiffSource(data, limits, pages)
    return _PictureSource(data, kind, limits, pages)


def decode(data: bytes, limits: Limits, pages: str | None = None) -> Iterator[PageImage]:
    """All selected pages, one after the other; raises what ``open_source`` and ``Source.page`` raise."""
    source = open_source(data, limits, pages)
    try:
        for number in source.numbers:
            yield source.page(number)
    finally:
        source.close()


def quieten() -> None:
    """Stop OpenCV and Pillow from writing about damaged pictures to standard error, in this whole process."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def select_pages(pages: str | None, count: int, max_pages: int) -> tuple[int, ...]:
    """The page numbers of ``"1-3,7"`` in a document of ``count`` pages, ascending, each once; all for None.

    InvalidParameter for another syntax or a page that is not there, TooManyPages for more than ``max_pages``.
    """
    spans = [(1, count)] if pages is None or not pages.strip() else _spans(pages, count)
    ranges, end = [], 0
    for first, last in spans:
        ranges.append(range(max(first, end + 1), last + 1))
        end = max(end, last)
    if sum(map(len, ranges)) > max_pages:
        raise TooManyPages(
            f"More pages than the limit of {max_pages}: select some, such as pages=1-{max_pages}.",
            max_pages=max_pages,
            page_count=count,
        )
    return tuple(itertools.chain.from_iterable(ranges))


def _spans(pages: str, count: int) -> list[tuple[int, int]]:
    """First and last page of each part of ``"1-3,7"``, sorted."""
    if len(pages) > _MOST_RANGES_CHARACTERS:
        raise InvalidParameter(
            f"pages has {len(pages)} characters; at most {_MOST_RANGES_CHARACTERS} are taken.",
            parameter="pages",
        )
    spans = set()
    for part in pages.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:(-)\s*(\d{1,9})?\s*)?", part)
        if match is None:
            raise InvalidParameter(
                f"pages must look like 1-3,7 or 5-, not {pages[:80]!r}.", parameter="pages"
            )
        first = int(match[1])
        last = int(match[3]) if match[3] else count if match[2] else first
        if not 1 <= first <= last or last > count:
            raise InvalidParameter(
                f"pages {part.strip()!r} is not within 1-{count}, the pages of this document.",
                parameter="pages",
                page_count=count,
            )
        spans.add((first, last))
    return sorted(spans)


def check_size(width: int, height: int, limits: Limits) -> None:
    """UndecodableImage for a picture without pixels, TooManyPixels for one above the limit."""
    if width < 1 or height < 1:
        raise UndecodableImage(f"The picture has no pixels: it is {width}x{height}.")
    if width * height > limits.max_pixels:
        raise TooManyPixels(
            f"The picture has {width}x{height} pixels; at most {limits.max_pixels:,} in all are read.",
            max_pixels=limits.max_pixels,
            width=width,
            height=height,
        )
    if max(width, height) > _LONGEST_SIDE:
        raise TooManyPixels(
            f"The picture has {width}x{height} pixels; at most {_LONGEST_SIDE:,} on a side are read.",
            max_side_pixels=_LONGEST_SIDE,
            width=width,
            height=height,
        )


class _PictureSource:
    """One picture; of an animation the first frame."""

    def __init__(self, data: bytes, kind: str, limits: Limits, pages: str | None) -> None:
        self._data, self._kind = data, kind
        if kind == "JPEG":
            _check_scans(data)
        # The plugins are called by name, not through Image.open: only these formats are ever tried, and
        # Pillow's own pixel limit (a warning, then an error of another kind) stays out of the way of ours.
        plugin: Callable[[io.BytesIO], ImageFile.ImageFile] = {
            "JPEG": JpegImagePlugin.JpegImageFile,
            "PNG": PngImagePlugin.PngImageFile,
            "WebP": WebPImagePlugin.WebPImageFile,
            "BMP": BmpImagePlugin.BmpImageFile,
            "GIF": GifImagePlugin.GifImageFile,
        }[kind]
        self._header = _open(plugin, data, kind)
        check_size(*self._header.size, limits)
        self.page_pixels = self._header.size[0] * self._header.size[1]
        self.numbers = select_pages(pages, 1, limits.max_pages)

    def page(self, number: int) -> PageImage:
        try:
            pixels = self._fast()
            if pixels is None:
                pixels = to_bgr(self._header)
            pixels = _upright(pixels, self._orientation())
        except UndecodableImage:
            raise
        except Exception as error:  # codecs raise whatever they like on damaged bytes
            raise UndecodableImage(
                f"The {self._kind} picture is damaged or incomplete: {reason(error)}."
            ) from error
        return PageImage(number, pixels)

    def close(self) -> None:
        self._header.close()

    def _fast(self) -> Pixels | None:
        """Decoded by OpenCV, twice as fast as Pillow; None where Pillow must do it.

        Native codecs report damage on standard error, Pillow never does: PNG is checked before, OpenCV's
        BMP reader is not used, and of a JPEG libjpeg says one line at most.
        """
        if self._kind == "PNG":
            _check_png(self._data)
        mode = self._header.mode
        plain = mode in ("RGB", "L", "I;16") and "transparency" not in self._header.info
        deep = self._kind == "PNG" and mode == "RGBA" and self._data[_PNG_DEPTH] == 16
        if self._kind in ("GIF", "BMP") or deep or not (plain or mode == "RGBA"):
            return None
        # A scan is decoded as gray first: OpenCV would hold it in colour twice.
        flags = cv2.IMREAD_GRAYSCALE if mode == "L" else cv2.IMREAD_COLOR if plain else cv2.IMREAD_UNCHANGED
        flags |= cv2.IMREAD_IGNORE_ORIENTATION if plain else 0
        decoded = cv2.imdecode(np.frombuffer(self._data, dtype=np.uint8), flags)
        if decoded is None or decoded.dtype != np.uint8 or decoded.shape[:2] != self._header.size[::-1]:
            return None
        if decoded.ndim == 3 and decoded.shape[2] == 4:
            return _composed(np.asarray(decoded, dtype=np.uint8))
        if decoded.ndim == 2:
            return _converted(np.asarray(decoded, dtype=np.uint8), cv2.COLOR_GRAY2BGR)
        return np.asarray(decoded, dtype=np.uint8)

    def _orientation(self) -> int:
        # Asking Pillow without this test would decode a whole PNG in search of a chunk behind its pixels.
        if "exif" not in self._header.info:
            return 1
        try:
            return int(self._header.getexif().get(_ORIENTATION, 1))
        except Exception:  # damaged EXIF is no reason not to read the picture
            return 1


class _TiffSource:
    """A TIFF of one or more pages."""

    def __init__(self, data: bytes, limits: Limits, pages: str | None) -> None:
        self._limits = limits
        # A page is chosen and then decoded, both on the one picture: two threads would read each other's page.
        self._lock = threading.Lock()
        self._image = _open(TiffImagePlugin.TiffImageFile, data, "TIFF")
        check_size(*self._image.size, limits)
        self.page_pixels = self._image.size[0] * self._image.size[1]
        self.numbers = select_pages(pages, _count_directories(data), limits.max_pages)

    def page(self, number: int) -> PageImage:
        try:
            with self._lock:
                self._image.seek(number - 1)
                check_size(*self._image.size, self._limits)
                return PageImage(number, to_bgr(self._image))  # Pillow turns a TIFF upright by itself
        except (UndecodableImage, TooManyPixels):
            raise
        except Exception as error:
            raise UndecodableImage(
                f"Page {number} of the TIFF is damaged or incomplete: {reason(error)}."
            ) from error

    def close(self) -> None:
        with self._lock:
            self._image.close()


def to_bgr(image: Image.Image) -> Pixels:
    """Any Pillow picture as ``uint8 [H,W,3]`` BGR: alpha composed, deep and float pixels scaled to 8 bits."""
    if image.mode.startswith("I;16"):
        deep = np.asarray(image)
        return _converted((deep >> 8).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, high = values.min(), values.max()
        gray = ((values - low) * (255 / (high - low)) if high > low else values * 0).astype(np.uint8)
        return _converted(gray, cv2.COLOR_GRAY2BGR)
    if image.mode in ("1", "L") and not image.has_transparency_data:
        return _converted(np.asarray(image.convert("L")), cv2.COLOR_GRAY2BGR)
    if image.has_transparency_data:
        return _composed(_converted(np.asarray(image.convert("RGBA")), cv2.COLOR_RGBA2BGRA))
    return _converted(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)


def _converted(pixels: NDArray[np.uint8], code: int) -> Pixels:
    return np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)


def _open(plugin: Callable[[io.BytesIO], ImageFile.ImageFile], data: bytes, kind: str) -> ImageFile.ImageFile:
    try:
        return plugin(io.BytesIO(data))
    except Exception as error:  # plugins raise SyntaxError, struct.error, OSError, ... on damaged headers
        raise UndecodableImage(
            f"The {kind} picture has a damaged or incomplete header: {reason(error)}."
        ) from error


def _composed(bgra: NDArray[np.uint8]) -> Pixels:
    """Composite on white, as a browser shows a picture on a page; what is light itself on black.

    White letters on a transparent ground, made for a dark page, would be gone on a white one.
    """
    color, alpha = bgra[:, :, :3], bgra[:, :, 3]
    if alpha.min(initial=255) == 255:
        return np.ascontiguousarray(color)
    seen = cv2.mean(alpha)[0] / 255
    shown = cv2.multiply(cv2.cvtColor(bgra, cv2.COLOR_BGRA2GRAY), alpha, scale=1 / 255)
    light = cv2.mean(shown)[0] > _LIGHT * seen
    ground = np.uint16(0 if light and 0 < seen < _SEE_THROUGH else 255)
    page = np.empty(color.shape, np.uint8)
    strip = max(
        1, _STRIP_PIXELS // max(1, bgra.shape[1])
    )  # as a whole the 16-bit arrays are six times the picture
    for rows in (slice(top, top + strip) for top in range(0, bgra.shape[0], strip)):
        cover = alpha[rows, :, np.newaxis].astype(np.uint16)
        page[rows] = (color[rows] * cover + ground * (255 - cover) + 127) // 255
    return page


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo the EXIF orientation (1 to 8; others mean upright)."""
    if orientation in (5, 6, 7, 8):
        pixels = np.transpose(pixels, (1, 0, 2))
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _check_scans(data: bytes) -> None:
    """UndecodableImage for a JPEG of so many scans that decoding it would not end: each goes over all pixels.

    Inside a scan the byte before 0xDA is never 0xFF.
    """
    scans = data.count(b"\xff\xda")
    if scans > _MOST_SCANS:
        raise UndecodableImage(f"The JPEG picture has {scans} scans; at most {_MOST_SCANS} are read.")


def _count_directories(data: bytes) -> int:
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


def _check_png(data: bytes) -> None:
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
