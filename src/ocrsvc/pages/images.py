"""Sources of one page: JPEG, PNG, WebP, BMP, and the first frame of an animation."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from ocrsvc.errors import OcrError, UndecodableImage, reason
from ocrsvc.pages import opencv, structure
from ocrsvc.pages.colours import TURNED, pillow_bytes, to_bgr, upright
from ocrsvc.pages.source import (
    Allocate,
    Limits,
    PageImage,
    Pixels,
    check_memory,
    check_size,
    fresh_bytes,
    select_pages,
)

_ORIENTATION = 0x0112  # EXIF tag
_PNG_DEPTH = 24  # offset of the bits per channel in a PNG's header
# Peak bytes a pixel of OpenCV and the following steps (measured). Turning copies a picture; a progressive JPEG keeps
# all its coefficients.
_COLOR_BYTES, _COPY_BYTES, _COEFFICIENT_BYTES, _ALPHA_BYTES = 4, 3, 3, 10
_REDUCTIONS = (1, 2, 4, 8)  # by which libjpeg can decode smaller, within its transform
_WEBP_BYTES, _WEBP_ALPHA_BYTES, _ANIMATION_BYTES = 8, 10, 27  # peak bytes a pixel, with libwebp's buffers
# Most pixels to decode in a thread, well under a second; those of a JPEG count once for each scan.
_QUICK_PIXELS = 24_000_000


class PictureSource:
    """A picture of any kind except TIFF and WebP; see ``source.Source``."""

    def __init__(
        self, data: bytes, kind: str, limits: Limits, pages: str | None, allocate: Allocate = fresh_bytes
    ) -> None:
        self._data, self._kind, self._limits, self._allocate = data, kind, limits, allocate
        self._scans = structure.count_scans(data) if kind == "JPEG" else 1
        # The plugins are called directly, not through Image.open, so that only these formats are tried and Pillow's
        # own pixel limit (a warning, then an error of another kind) does not interfere with ours.
        plugin: Callable[[io.BytesIO], ImageFile.ImageFile] = {
            "JPEG": JpegImagePlugin.JpegImageFile,
            "PNG": PngImagePlugin.PngImageFile,
            "BMP": BmpImagePlugin.BmpImageFile,
            "GIF": GifImagePlugin.GifImageFile,
        }[kind]
        self._header = open_header(plugin, data, kind)
        check_size(*self._header.size, limits)
        self._pixel_count = self._header.size[0] * self._header.size[1]
        self._reduction = self._least_reduction()
        self.quick = self._fast and self._pixel_count * max(1, self._scans) <= _QUICK_PIXELS
        self.numbers = select_pages(pages, 1, limits.max_pages)

    def decode_bytes(self, number: int) -> int:
        return check_memory(self._bytes(self._reduction), self._limits)

    def page(self, number: int) -> PageImage:
        try:
            pixels = self._decoded() if self._fast else None
            if pixels is None and self._reduction == 1:
                pixels = to_bgr(self._header, self._allocate)
            if pixels is None:
                raise UndecodableImage("The JPEG picture is damaged.")
            orientation = self._orientation()
            pixels = upright(pixels, orientation)
        except UndecodableImage:
            raise
        except Exception as error:  # codecs raise many kinds of errors on damaged bytes
            raise UndecodableImage(
                f"The {self._kind} picture is damaged or incomplete: {reason(error)}."
            ) from error
        width, height = self._header.size
        full_size = (height, width) if orientation in TURNED else (width, height)
        return PageImage(number, pixels, full_size if self._reduction > 1 else None)

    def close(self) -> None:
        self._header.close()

    def _bytes(self, reduction: int) -> int:
        """Return the peak memory of decoding at this reduction."""
        header, smaller = self._header, self._pixel_count // reduction**2
        if not self._fast:
            return pillow_bytes(header) * self._pixel_count
        if header.mode == "RGBA":
            return _ALPHA_BYTES * self._pixel_count
        coefficients = _COEFFICIENT_BYTES * self._pixel_count if self._scans > 1 else 0
        turned = _COPY_BYTES * smaller if "exif" in header.info else 0
        return _COLOR_BYTES * smaller + max(coefficients, turned)

    def _least_reduction(self) -> int:
        """Return the least reduction at which a JPEG fits the memory limit; 1 if none does."""
        if self._kind == "JPEG" and self._fast:
            for reduction in _REDUCTIONS:
                if self._bytes(reduction) <= self._limits.max_decode_bytes:
                    return reduction
        return 1

    @property
    def _plain(self) -> bool:
        return self._header.mode in ("RGB", "L", "I;16") and "transparency" not in self._header.info

    @property
    def _fast(self) -> bool:
        """Return whether OpenCV decodes it, twice as fast as Pillow; not RGBA of 16 bits, which it keeps at 16 bits."""
        mode = self._header.mode
        deep = self._kind == "PNG" and mode == "RGBA" and self._data[_PNG_DEPTH] == 16
        return self._kind in ("JPEG", "PNG") and not deep and (self._plain or mode == "RGBA")

    def _decoded(self) -> Pixels | None:
        """Decode with OpenCV; None if it cannot.

        Native codecs report damage on standard error, Pillow does not. So PNG is checked before, OpenCV's BMP reader is
        not used, and for a JPEG libjpeg writes at most one line.
        """
        if self._kind == "PNG":
            structure.check_png(self._data)
        width, height = (-(-side // self._reduction) for side in self._header.size)
        return opencv.decode(
            self._data,
            (width, height),
            alpha=not self._plain,
            reduction=self._reduction,
            allocate=self._allocate,
        )

    def _orientation(self) -> int:
        # Without this test Pillow would decode a whole PNG in search of a chunk behind its pixels.
        return orientation_of(self._header.getexif) if "exif" in self._header.info else 1


class WebPSource:
    """A WebP or the first frame of its animation; see ``source.Source``."""

    def __init__(
        self, data: bytes, limits: Limits, pages: str | None, allocate: Allocate = fresh_bytes
    ) -> None:
        self._data, self._limits, self._allocate = data, limits, allocate
        self._header = structure.webp_header(data)
        check_size(self._header.width, self._header.height, limits)
        self.numbers = select_pages(pages, 1, limits.max_pages)

    def decode_bytes(self, number: int) -> int:
        header = self._header
        still = _WEBP_ALPHA_BYTES if header.alpha else _WEBP_BYTES
        each = _ANIMATION_BYTES if header.animated else still
        return check_memory(each * header.width * header.height, self._limits)

    def page(self, number: int) -> PageImage:
        header = self._header
        try:
            pixels = None
            if not header.animated:
                pixels = opencv.decode(
                    self._data, (header.width, header.height), alpha=header.alpha, allocate=self._allocate
                )
            if pixels is None:
                with WebPImagePlugin.WebPImageFile(io.BytesIO(self._data)) as image:
                    check_size(*image.size, self._limits)
                    pixels = to_bgr(image, self._allocate)
            return PageImage(number, upright(pixels, orientation_of(self._exif)))
        except Exception as error:
            raise UndecodableImage(f"The WebP picture is damaged or incomplete: {reason(error)}.") from error

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def _exif(self) -> Image.Exif:
        exif = Image.Exif()
        exif.load(self._header.exif)  # accepts empty bytes
        return exif


def orientation_of(load: Callable[[], Image.Exif]) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if there is none."""
    try:
        return int(load().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data must not prevent decoding
        return 1


def open_header(
    plugin: Callable[[io.BytesIO], ImageFile.ImageFile], data: bytes, kind: str
) -> ImageFile.ImageFile:
    """Open a file with a Pillow plugin without decoding its pixels; UndecodableImage if the header is damaged."""
    try:
        return plugin(io.BytesIO(data))
    except OcrError:
        raise
    except Exception as error:  # plugins raise SyntaxError, struct.error, OSError, ... on damaged headers
        raise UndecodableImage(
            f"The {kind} picture has a damaged or incomplete header: {reason(error)}."
        ) from error
