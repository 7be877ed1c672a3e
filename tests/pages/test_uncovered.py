"""Ink beside the lines of a text layer."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrsvc.pages.text_layer import MOST_AREAS
from ocrsvc.pages.uncovered import areas, masked, with_ink
from ocrsvc.results import Polygon

FACE = cv2.FONT_HERSHEY_SIMPLEX


def paper(*, ground: int = 255) -> NDArray[np.uint8]:
    return np.full((1000, 800, 3), ground, np.uint8)


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def test_only_what_no_line_covers_is_left() -> None:
    page = paper()
    cv2.putText(page, "covered", (100, 200), FACE, 1, (0, 0, 0), 2)
    cv2.line(page, (100, 210), (220, 210), (0, 0, 0), 1)  # underlined
    cv2.putText(page, "left over", (400, 600), FACE, 1, (0, 0, 0), 2)
    ((left, top, right, bottom),) = areas(page, [box(98, 172, 224, 208)], 100)
    assert 390 <= left <= 402
    assert 565 <= top <= 578
    assert 516 <= right <= 526
    assert 600 <= bottom <= 615


@pytest.mark.parametrize("dpi", [72, 100, 200])
def test_rules_frames_grounds_and_bullets_are_no_text(dpi: int) -> None:
    page = paper()
    cv2.line(page, (50, 100), (750, 100), (0, 0, 0), 2)
    cv2.rectangle(page, (50, 200), (750, 300), (0, 0, 0), 2)
    cv2.rectangle(page, (50, 400), (750, 500), (200, 220, 200), -1)
    cv2.circle(page, (60, 650), 2, (0, 0, 0), -1)
    assert areas(page, [], dpi) == ()


def test_so_many_areas_become_one() -> None:
    page = paper()
    for row in range(10):
        for column in range(8):
            cv2.putText(page, "ab", (50 + 90 * column, 80 + 90 * row), FACE, 0.7, (0, 0, 0), 2)
    ((left, top, right, bottom),) = areas(page, [], 100)
    assert right - left > 600
    assert bottom - top > 800
    assert len(areas(page[:300], [], 100)) <= MOST_AREAS


def test_noise_all_over_takes_no_long() -> None:
    page = np.random.default_rng(0).integers(0, 2, (1000, 800, 1), np.uint8).repeat(3, axis=2) * 255
    assert len(areas(page, [], 100)) <= 1


@pytest.mark.parametrize("ground", [255, 0, 90])
def test_lines_are_erased_with_their_ground(ground: int) -> None:
    page = paper(ground=ground)
    cv2.putText(page, "line", (100, 200), FACE, 1, (255 - ground,) * 3, 2)
    where = box(95, 170, 180, 215)
    assert with_ink(page, [where, box(300, 300, 400, 340)]) == [True, False]
    clean = masked(page, [where])
    assert (clean == ground).all()
    assert (page != ground).any()
    slanted: Polygon = ((90, 190), (170, 150), (200, 200), (110, 240))
    assert (masked(page, [slanted]) == ground).mean() > 0.999
