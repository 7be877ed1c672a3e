"""What a PDF page consists of: its pictures and their resolution, and what is drawn over what."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import hypot
from typing import Any

import numpy as np
import pypdfium2.raw as raw
from numpy.typing import NDArray

_POINTS_PER_INCH = 72
_MOST_OBJECTS = 50_000  # inspected on one page, in about 0.2 s
_MOST_DEPTH = 4  # of forms within forms
_LEAST_SHARE = 0.9  # least share of the page that the picture of a scan covers
_INVISIBLE = (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on a page: ``bounds`` (left, bottom, right, top) in points, resolution, place in the drawing order."""

    bounds: tuple[float, float, float, float]
    dpi: float
    order: int

    def area(self) -> float:
        """Return the area of the bounds in square points."""
        left, bottom, right, top = self.bounds
        return (right - left) * (top - bottom)


@dataclass(slots=True)
class PageObjects:
    """Pictures of a page, and the drawing order of its text objects by their address.

    ``drawn``: whether there is anything visible besides pictures.
    """

    pictures: list[Picture] = field(default_factory=list)
    order: dict[int, int] = field(default_factory=dict)
    drawn: bool = False


def inspect(page: Any) -> PageObjects:
    """Return what a loaded page (raw FPDF_PAGE) consists of, annotations included.

    At most ``_MOST_OBJECTS`` objects are inspected.
    """
    found = PageObjects(drawn=raw.FPDFPage_GetAnnotCount(page) > 0)
    for number, (item, kind, matrix) in enumerate(_objects(page)):
        if number == _MOST_OBJECTS:
            found.drawn = True
            break
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            if (picture := _picture(item, matrix, number)) is not None:
                found.pictures.append(picture)
        elif kind == raw.FPDF_PAGEOBJ_TEXT:
            found.order[address(item)] = number
            found.drawn = found.drawn or raw.FPDFTextObj_GetTextRenderMode(item) not in _INVISIBLE
        else:
            found.drawn = True
    return found


def scan_dpi(objects: PageObjects, width: float, height: float) -> float | None:
    """Return the resolution of the picture that is all of a page of this size in points; None if there is none.

    Of several that each cover the page, as in scans separated into background and text, the finest counts.
    """
    if objects.drawn:
        return None
    covering = [
        picture.dpi for picture in objects.pictures if picture.area() >= _LEAST_SHARE * width * height
    ]
    return max(covering, default=None)


def address(item: Any) -> int:
    """Return the address of a PDFium object, which identifies it as long as its page is loaded; 0 for none."""
    return ctypes.addressof(item.contents) if item else 0  # in a third of the time of a cast


def _objects(page: Any) -> Iterator[tuple[Any, int, NDArray[np.float64]]]:
    """Yield the objects of a page with their kind, in drawing order, and the matrix [3,3] of the form around each."""

    def level(owner: Any, count: Any, at: Any, matrix: NDArray[np.float64], depth: int) -> Iterator[Any]:
        for index in range(count(owner)):
            item = at(owner, index)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_FORM and depth < _MOST_DEPTH:
                inner = _matrix(item) @ matrix
                yield from level(
                    item, raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject, inner, depth + 1
                )
            else:
                yield item, kind, matrix

    yield from level(page, raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject, np.eye(3), 0)


def _matrix(item: Any) -> NDArray[np.float64]:
    """Return the matrix [3,3] of an object, which maps row vectors; the identity if it has none."""
    values = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, values):
        return np.eye(3)
    return np.array(
        [[values.a, values.b, 0], [values.c, values.d, 0], [values.e, values.f, 1]], dtype=np.float64
    )


def _picture(item: Any, around: NDArray[np.float64], order: int) -> Picture | None:
    """Return a picture, which fills the unit square of its matrix; None if it has no pixels or no area."""
    width, height = ctypes.c_uint(), ctypes.c_uint()
    if not raw.FPDFImageObj_GetImagePixelSize(item, width, height):
        return None
    matrix = _matrix(item) @ around
    across, down = hypot(*matrix[0, :2]), hypot(*matrix[1, :2])
    if not (width.value and height.value and across > 0 and down > 0 and np.isfinite(matrix).all()):
        return None
    corners = (np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]], dtype=np.float64) @ matrix)[:, :2]
    (left, bottom), (right, top) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    dpi = max(width.value / across, height.value / down) * _POINTS_PER_INCH
    return Picture((left, bottom, right, top), dpi, order)
