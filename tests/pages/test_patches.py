"""Patches of the clearest lines of a page."""

from __future__ import annotations

from typing import cast

import numpy as np

from ocrsvc.pages.patches import patches, upright_cells
from ocrsvc.results import Polygon

PAGE = np.arange(400 * 600 * 3, dtype=np.uint32).astype(np.uint8).reshape(400, 600, 3)


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def test_patches_are_the_longest_lines_and_not_longer_than_six_times_their_height() -> None:
    found = patches(PAGE, [box(0, 0, 500, 20), box(0, 40, 60, 60), *(box(0, 70, 30, 90) for _ in range(9))])
    assert len(found.rows) == 6
    assert not found.columns
    assert found.row_share == 1
    assert found.rows[0].shape == (20, 120, 3)
    assert found.rows[0].tolist() == PAGE[0:20, 190:310].tolist(), "the middle of the line"
    assert found.rows[1].tolist() == PAGE[40:60, 0:60].tolist()


def test_tall_lines_are_columns_and_lie_on_their_left_side() -> None:
    found = patches(PAGE, [box(100, 10, 120, 110), box(0, 200, 100, 220)])
    (column,) = found.columns
    assert column.tolist() == np.rot90(PAGE[10:110, 100:120]).tolist()
    assert found.row_share == 0.5


def test_a_page_without_lines_has_no_patches() -> None:
    found = patches(PAGE, [])
    assert (found.rows, found.columns, found.row_share) == ((), (), 0)


def test_a_line_outside_the_page_gives_no_patch() -> None:
    assert not patches(PAGE, [cast(Polygon, ((700, 0), (700, 0), (700, 10), (700, 10)))]).rows


def test_cells_of_a_column_stand_upright_side_by_side() -> None:
    characters = [np.random.default_rng(i).integers(0, 255, (20, 20, 3), np.uint8) for i in range(4)]
    column = np.rot90(np.concatenate(characters, axis=0))
    assert upright_cells(np.ascontiguousarray(column)).tolist() == np.concatenate(characters, axis=1).tolist()
