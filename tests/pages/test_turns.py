"""Quarter turns of pages, and polygons back on the page as it was given."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrsvc.pages.turns import Turn, returned, turn_named, turned
from ocrsvc.results import Polygon

TURNS: tuple[Turn, ...] = (0, 90, 180, 270)


def marked(width: int, height: int, x: int, y: int) -> NDArray[np.uint8]:
    """Return a black picture with one white pixel."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[y, x] = 255
    return picture


@pytest.mark.parametrize("turn", TURNS)
def test_a_polygon_on_the_turned_page_is_returned_to_the_pixel_that_it_showed(turn: Turn) -> None:
    page = marked(70, 40, 12, 31)
    ((y, x),) = np.argwhere(turned(page, turn)[:, :, 0])
    around = cast(Polygon, ((x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)))
    corners = np.asarray(returned(around, turn, 70, 40))
    assert corners.min(axis=0).tolist() == [12, 31]
    assert corners.max(axis=0).tolist() == [13, 32]


def test_the_turn_is_clockwise_and_the_first_corner_stays_that_of_the_text() -> None:
    page = marked(70, 40, 0, 39)  # bottom left, which a clockwise turn brings to the top left
    assert turned(page, 90)[0, 0].tolist() == [255, 255, 255]
    assert returned(((0, 0), (5, 0), (5, 2), (0, 2)), 90, 70, 40)[0] == (0, 40)


def test_turns_are_named() -> None:
    assert [turn_named(name) for name in ("auto", "0", "90", "180", "270")] == [None, *TURNS]
