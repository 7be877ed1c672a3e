"""Interface of all inputs: limits, selection of pages, decoding page by page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ocrsvc.errors import InvalidParameter, TooManyPages, TooManyPixels, UndecodableImage
from ocrsvc.pages.text_layer import PdfText, TextLayer

Pixels = NDArray[np.uint8]
Allocate = Callable[[int], NDArray[np.uint8]]  # from a number of bytes to writable memory

_MOST_RANGES_CHARACTERS = 4096  # longest parameter `pages`
_LONGEST_SIDE = 100_000  # pixels; far above the longest screenshot
_MEGABYTE = 2**20
BYTES_PER_PIXEL = 3  # decoded page


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one input: pixels per page, pages, resolution of PDF pages, peak memory of decoding one page."""

    max_pixels: int = 64_000_000
    max_pages: int = 50
    pdf_dpi: int = 200
    max_decode_bytes: int = 2**30


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """How a PDF is opened: its ``password``, and the use of its text layer. Other kinds have neither."""

    password: str | None = field(default=None, repr=False)
    pdf_text: PdfText = "never"


@dataclass(frozen=True, slots=True)
class PageImage:
    """One page, upright: ``pixels`` uint8 [H,W,3] BGR; ``number`` counts from 1.

    ``full_size``: width and height of the picture if it was decoded smaller. ``text``: what a PDF page says itself;
    ``dpi``: the resolution at which it was drawn.
    """

    number: int
    pixels: Pixels
    full_size: tuple[int, int] | None = None
    text: TextLayer | None = None
    dpi: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the picture, in its own pixels."""
        height, width = self.pixels.shape[:2]
        return self.full_size or (width, height)


class Source(Protocol):
    """An opened input whose pages are decoded one at a time, so that only a few are in memory."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the selected pages, ascending, from 1."""

    def decode_bytes(self, number: int) -> int:
        """Return the approximate peak memory of decoding this page, the decoded page included.

        Raises UndecodableImage; TooManyPixels if the page or that memory exceeds the limits.
        """

    def page(self, number: int) -> PageImage:
        """Decode one page (blocking). Raises TooManyPixels, UndecodableImage."""

    def close(self) -> None:
        """Release the input."""


def fresh_bytes(count: int) -> NDArray[np.uint8]:
    """Return new memory from the heap."""
    return np.empty(count, np.uint8)


def select_pages(pages: str | None, count: int, max_pages: int) -> tuple[int, ...]:
    """Return the page numbers of ``"1-3,7"`` in a document of ``count`` pages, ascending, each once; all for None.

    InvalidParameter for another syntax or a page that does not exist, TooManyPages for more than ``max_pages``.
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
    """Return the first and last page of each part of ``"1-3,7"``, sorted."""
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
    """Raise UndecodableImage for a picture without pixels, TooManyPixels for one above the limit."""
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


def check_memory(size_bytes: int, limits: Limits) -> int:
    """Return ``size_bytes``, the memory of decoding a page; TooManyPixels if it exceeds the limit."""
    if size_bytes > limits.max_decode_bytes:
        raise TooManyPixels(
            f"Decoding this picture takes {size_bytes / _MEGABYTE:,.0f} MiB of memory; at most "
            f"{limits.max_decode_bytes / _MEGABYTE:,.0f} MiB are allowed. Send it smaller or without transparency.",
            max_decode_bytes=limits.max_decode_bytes,
        )
    return size_bytes
