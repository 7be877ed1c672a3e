"""Sources of one page in the containers of phones: AVIF (decoded by Pillow) and HEIC (by the extra ``heic``)."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from PIL import AvifImagePlugin, ImageFile

from ocrsvc.errors import UndecodableImage, UnsupportedMedia, reason
from ocrsvc.pages.colours import to_bgr, upright
from ocrsvc.pages.images import open_header, orientation_of
from ocrsvc.pages.source import (
    Allocate,
    Limits,
    PageImage,
    check_memory,
    check_size,
    fresh_bytes,
    select_pages,
)

# Peak bytes a pixel with the decoder's own frames and copies: 13 measured at 8 bits, and wider frames at 10 bits.
_BYTES = {"AVIF": 18, "HEIC": 18}
_LIBRARIES = ("pi_heif", "pillow_heif")  # the same decoder; the second can encode, too


class HeifSource:
    """An AVIF or HEIC picture, of several the main one; see ``source.Source``."""

    def __init__(
        self, data: bytes, kind: str, limits: Limits, pages: str | None, allocate: Allocate = fresh_bytes
    ) -> None:
        self._kind, self._limits, self._allocate = kind, limits, allocate
        self._image = open_header(_avif if kind == "AVIF" else _heic, data, kind)
        check_size(*self._image.size, limits)
        self.numbers = select_pages(pages, 1, limits.max_pages)

    def decode_bytes(self, number: int) -> int:
        width, height = self._image.size
        return check_memory(_BYTES[self._kind] * width * height, self._limits)

    def page(self, number: int) -> PageImage:
        try:
            # Pillow reports AVIF's rotation as an EXIF orientation; the HEIC decoder has turned the picture already.
            orientation = orientation_of(self._image.getexif)
            pixels = to_bgr(self._image, self._allocate)
            check_size(pixels.shape[1], pixels.shape[0], self._limits)
        except UndecodableImage:
            raise
        except Exception as error:  # codecs raise many kinds of errors on damaged bytes
            raise UndecodableImage(
                f"The {self._kind} picture is damaged or incomplete: {reason(error)}."
            ) from error
        return PageImage(number, upright(pixels, orientation))

    def close(self) -> None:
        self._image.close()


def reads_heic() -> bool:
    """Return whether a library that decodes HEIC is installed."""
    return any(find_spec(name) for name in _LIBRARIES)


def _avif(file: io.BytesIO) -> ImageFile.ImageFile:
    # Each thread would take address space, which decoder processes have little of.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return AvifImagePlugin.AvifImageFile(file)


def _heic(file: io.BytesIO) -> ImageFile.ImageFile:
    for name in (each for each in _LIBRARIES if find_spec(each)):
        library = import_module(name)
        library.options.DECODE_THREADS = 1
        plugin: Callable[[io.BytesIO], ImageFile.ImageFile] = library.HeifImageFile
        return plugin(file)
    raise UnsupportedMedia(
        "Reading HEIC needs a library that is not installed: pip install 'ocrsvc[heic]'. Or send the picture as JPEG."
    )
