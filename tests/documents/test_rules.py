"""Ruled lines on drawn pages: straight, skewed, dotted, coloured, and pages that have none."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from drawings import Picture

from ocrsvc.documents.rules import Rule, find
from ocrsvc.results import Polygon

TEXT: Polygon = ((120.0, 120.0), (220.0, 120.0), (220.0, 145.0), (120.0, 145.0))


def paper() -> Picture:
    return np.full((600, 800, 3), 250, np.uint8)


def lengths(rules: tuple[Rule, ...]) -> tuple[list[float], list[float]]:
    """The lengths of horizontal and of vertical rules."""
    sides = [(abs(r.end[0] - r.start[0]), abs(r.end[1] - r.start[1])) for r in rules]
    return [x for x, y in sides if x > y], [y for x, y in sides if y >= x]


@pytest.mark.parametrize("colour", [(30, 30, 30), (230, 160, 120), (160, 160, 160)])
@pytest.mark.parametrize("width", [1, 3])
def test_a_frame_is_four_rules(colour: tuple[int, int, int], width: int) -> None:
    page = paper()
    cv2.rectangle(page, (100, 100), (600, 400), colour, width)
    across, down = lengths(find(page, [TEXT]))
    assert across == pytest.approx([500, 500], abs=8)
    assert down == pytest.approx([300, 300], abs=8)


def test_dots_and_gaps_do_not_break_a_rule() -> None:
    page = paper()
    for x in range(100, 600, 8):
        page[200:202, x : x + 4] = 20
    page[300:302, 100:300] = page[300:302, 308:600] = 20
    across, down = lengths(find(page, [TEXT]))
    assert [round(each, -1) for each in across] == [500, 500]
    assert not down


@pytest.mark.parametrize("angle", [-3.0, 2.0])
def test_rules_of_a_skewed_page_are_found_where_they_are(angle: float) -> None:
    page = paper()
    cv2.line(page, (100, 300), (600, 300), (20, 20, 20), 2)
    turn = cv2.getRotationMatrix2D((400, 300), -angle, 1)
    skewed = np.asarray(cv2.warpAffine(page, turn, (800, 600), borderValue=(250, 250, 250)), dtype=np.uint8)
    ends, text = (
        cv2.transform(np.array([each], dtype=np.float64), turn)[0]
        for each in ([(100, 300), (600, 300)], TEXT)
    )
    (rule,) = find(skewed, [tuple(map(tuple, text.tolist()))])  # type: ignore[list-item]
    assert math.dist(rule.start, ends[0]) < 6
    assert math.dist(rule.end, ends[1]) < 6


def test_without_text_there_is_no_answer() -> None:
    page = paper()
    cv2.rectangle(page, (100, 100), (600, 400), (0, 0, 0), 2)
    assert find(page, []) == ()


def test_noise_and_bars_are_no_rules() -> None:
    page = np.random.default_rng(0).integers(0, 256, (600, 800, 3)).astype(np.uint8)
    assert find(page, [TEXT]) == ()
    bar = paper()
    bar[300:330, 100:600] = 20
    assert find(bar, [TEXT]) == ()


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return (left, top), (right, top), (right, bottom), (left, bottom)


def grid() -> Picture:
    """Two rows and two columns, each cell 200 wide and 40 high."""
    page = paper()
    for y in (100, 140, 180):
        cv2.line(page, (100, y), (500, y), (30, 30, 30), 2)
    for x in (100, 300, 500):
        cv2.line(page, (x, 100), (x, 180), (30, 30, 30), 2)
    return page


def test_a_rule_that_texts_hide_is_found_where_it_goes_on_between_them() -> None:
    texts = [box(115, 122, 280, 147), box(320, 122, 480, 147), box(115, 150, 280, 175)]
    found = find(grid(), texts)
    across, down = lengths(found)
    assert across == pytest.approx([400, 400, 400], abs=8)
    assert down == pytest.approx([80, 80, 80], abs=8)


def test_a_baseline_in_one_cell_is_no_rule() -> None:
    page = grid()
    cv2.line(page, (130, 121), (270, 121), (30, 30, 30), 2)
    across, _ = lengths(find(page, [box(120, 108, 280, 132), box(320, 108, 480, 132)]))
    assert len(across) == 3


def test_a_vertical_rule_ends_where_a_text_has_strokes_instead() -> None:
    page = paper()
    for y in (100, 140, 180):
        cv2.line(page, (100, y), (500, y), (30, 30, 30), 2)
    for top in (100, 140):
        for x in (100, 500, *((300,) if top == 140 else ())):
            cv2.line(page, (x, top), (x, top + 40), (30, 30, 30), 2)
    cv2.line(page, (300, 110), (300, 130), (30, 30, 30), 2)  # a stroke of the text in the wide cell
    texts = [box(250, 107, 350, 133), box(120, 147, 280, 173), box(320, 147, 480, 173)]
    _, down = lengths(find(page, texts))
    assert sorted(down) == pytest.approx([40, 80, 80], abs=8)
