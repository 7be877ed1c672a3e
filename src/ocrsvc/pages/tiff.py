"""TIFF documents: pages chained by directories, decoded by Pillow and libtiff."""

from __future__ import annotations

import threading

from PIL import TiffImagePlugin

from ocrsvc.errors import TooManyPixels, UndecodableImage, reason
from ocrsvc.pages.colours import pillow_bytes, to_bgr
from ocrsvc.pages.images import open_header
from ocrsvc.pages.source import (
    Allocate,
    Limits,
    PageImage,
    check_memory,
    check_size,
    fresh_bytes,
    select_pages,
)
from ocrsvc.pages.structure import count_directories


class TiffSource:
    """A TIFF of one or more pages; see ``source.Source``."""

    def __init__(
        self, data: bytes, limits: Limits, pages: str | None, allocate: Allocate = fresh_bytes
    ) -> None:
        self._limits, self._allocate = limits, allocate
        # Selecting and decoding a page use the same Pillow object, so threads must not interleave.
        self._lock = threading.Lock()
        self._image = open_header(TiffImagePlugin.TiffImageFile, data, "TIFF")
        check_size(*self._image.size, limits)
        self.numbers = select_pages(pages, count_directories(data), limits.max_pages)

    def decode_bytes(self, number: int) -> int:
        with self._lock:
            self._seek(number)
            width, height = self._image.size
            return check_memory(width * height * pillow_bytes(self._image), self._limits)

    def page(self, number: int) -> PageImage:
        with self._lock:
            self._seek(number)
            try:
                # Pillow turns a TIFF upright by itself.
                return PageImage(number, to_bgr(self._image, self._allocate))
            except Exception as error:
                raise _damaged(number, error) from error

    def close(self) -> None:
        with self._lock:
            self._image.close()

    def _seek(self, number: int) -> None:
        """Select the page of the Pillow object. Raises UndecodableImage, TooManyPixels."""
        try:
            self._image.seek(number - 1)
            check_size(*self._image.size, self._limits)
        except (UndecodableImage, TooManyPixels):
            raise
        except Exception as error:  # Pillow raises many kinds of errors on damaged bytes
            raise _damaged(number, error) from error


def _damaged(number: int, error: Exception) -> UndecodableImage:
    return UndecodableImage(f"Page {number} of the TIFF is damaged or incomplete: {reason(error)}.")
