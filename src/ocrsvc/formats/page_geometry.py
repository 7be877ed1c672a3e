"""Where the pixels of a drawn page are in the coordinates of the PDF: boxes and rotation of pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocrsvc.results import Page, Point

if TYPE_CHECKING:
    import pikepdf

Box = tuple[float, float, float, float]  # left, bottom, right, top

# By which the shape of a drawn page may differ from that of the page, whose sides are rounded up.
_ROUNDING_PIXELS, _ROUNDING_SHARE = 2.0, 0.01
_LETTER: Box = (0.0, 0.0, 612.0, 792.0)  # what PDFium draws of a page without a size


@dataclass(frozen=True, slots=True)
class Geometry:
    """The visible part of a page in its own coordinates, and by how many degrees it is turned clockwise to be shown.

    UserUnit does not matter: it scales the coordinates and the shown page alike.
    """

    box: Box
    rotation: int = 0

    def fits(self, page: Page) -> bool:
        """Return whether ``page`` has the shape of what is shown."""
        left, bottom, right, top = self.box
        width, height = right - left, top - bottom
        if self.rotation % 180:
            width, height = height, width
        scale = max(page.width / width, page.height / height)
        spare = _ROUNDING_PIXELS + _ROUNDING_SHARE * max(page.width, page.height)
        return page.width >= width * scale - spare and page.height >= height * scale - spare

    def place_of(self, page: Page) -> Callable[[Point], Point]:
        """Return the function from pixels of the shown page, of the size of ``page``, to its own coordinates."""
        left, bottom, right, top = self.box
        width, height = right - left, top - bottom

        def place(point: Point) -> Point:
            across, down = point[0] / page.width, point[1] / page.height
            if self.rotation == 90:
                return left + down * width, bottom + across * height
            if self.rotation == 180:
                return right - across * width, bottom + down * height
            if self.rotation == 270:
                return right - down * width, top - across * height
            return left + across * width, top - down * height

        return place


def geometry_of(page: pikepdf.Page) -> Geometry:
    """Return what PDFium shows of a page, as it draws damaged ones, too."""
    media = _box(page.obj.get("/MediaBox")) or _LETTER
    crop = _box(page.obj.get("/CropBox"))
    return Geometry((_shared(media, crop) if crop else None) or media, _rotation(page.obj.get("/Rotate")))


def _box(value: object) -> Box | None:
    try:
        x, y, u, v = (float(each) for each in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    box = (min(x, u), min(y, v), max(x, u), max(y, v))
    return box if box[0] < box[2] and box[1] < box[3] else None


def _shared(one: Box, other: Box) -> Box | None:
    left, bottom, right, top = (
        max(one[0], other[0]),
        max(one[1], other[1]),
        min(one[2], other[2]),
        min(one[3], other[3]),
    )
    return (left, bottom, right, top) if left < right and bottom < top else None


def _rotation(value: object) -> int:
    try:
        return int(value) // 90 * 90 % 360  # type: ignore[call-overload,no-any-return]
    except (TypeError, ValueError):
        return 0
