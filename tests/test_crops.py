"""Lines cut out of pages."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocrsvc.crops import cut
from ocrsvc.results import Polygon

RED, GREEN, BLUE, BLACK = (0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 0, 0)


def card(width: int = 120, height: int = 40) -> np.ndarray:
    """Four quarters: red and green above, black and blue below."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = RED
    image[: height // 2, width // 2 :] = GREEN
    image[height // 2 :, width // 2 :] = BLUE
    return image


def assert_card(pixels: np.ndarray) -> None:
    height, width = pixels.shape[:2]
    places = {(0.25, 0.25): RED, (0.25, 0.75): GREEN, (0.75, 0.75): BLUE, (0.75, 0.25): BLACK}
    for (y, x), color in places.items():
        found = pixels[int(y * height), int(x * width)].astype(int)
        assert np.abs(found - color).max() < 30, (y, x, found)


def test_an_upright_box_is_the_same_pixels() -> None:
    page = np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)
    crop = cut(page, ((10.0, 20.0), (110.0, 20.0), (110.0, 50.0), (10.0, 50.0)))
    assert crop is not None
    assert np.array_equal(crop.pixels, page[20:50, 10:110])
    assert crop.pixels.flags.c_contiguous
    assert crop.polygon[0] == (10.0, 20.0)


@pytest.mark.parametrize("angle", [-30, -7, 7, 30])
def test_a_turned_line_becomes_horizontal(angle: float) -> None:
    page = np.full((300, 300, 3), 255, np.uint8)
    page[130:170, 90:210] = card()
    matrix = cv2.getRotationMatrix2D((150, 150), angle, 1)
    turned = cv2.warpAffine(page, matrix, (300, 300), borderValue=(255, 255, 255))
    corners = np.array([(90, 130), (210, 130), (210, 170), (90, 170)]) @ matrix[:, :2].T + matrix[:, 2]
    polygon: Polygon = tuple((float(x), float(y)) for x, y in corners)  # type: ignore[assignment]
    crop = cut(turned, polygon)
    assert crop is not None
    assert crop.pixels.shape[0] == pytest.approx(40, abs=1)
    assert crop.pixels.shape[1] == pytest.approx(120, abs=1)
    assert_card(crop.pixels)


def test_perspective_is_undone() -> None:
    corners = np.array([(30, 40), (260, 20), (250, 120), (40, 90)], np.float32)
    source = np.array([(0, 0), (120, 0), (120, 40), (0, 40)], np.float32)
    page = cv2.warpPerspective(card(), cv2.getPerspectiveTransform(source, corners), (300, 200))
    polygon: Polygon = tuple((float(x), float(y)) for x, y in corners)  # type: ignore[assignment]
    crop = cut(page, polygon)
    assert crop is not None
    assert_card(crop.pixels)


def test_a_tall_line_is_turned_and_its_polygon_with_it() -> None:
    page = np.full((200, 100, 3), 255, np.uint8)
    page[40:160, 30:70] = cv2.rotate(card(), cv2.ROTATE_90_CLOCKWISE)
    crop = cut(page, ((30.0, 40.0), (70.0, 40.0), (70.0, 160.0), (30.0, 160.0)))
    assert crop is not None
    assert crop.pixels.shape == (40, 120, 3)
    assert_card(crop.pixels)
    # Text that runs downwards begins at the page's top right.
    assert crop.polygon == ((70.0, 40.0), (70.0, 160.0), (30.0, 160.0), (30.0, 40.0))


def test_beyond_the_border_the_edge_is_repeated() -> None:
    page = np.full((50, 50, 3), 90, np.uint8)
    crop = cut(page, ((-10.0, 10.0), (40.0, 5.0), (42.0, 25.0), (-8.0, 30.0)))
    assert crop is not None
    assert crop.pixels.min() == crop.pixels.max() == 90


@pytest.mark.parametrize(
    "polygon",
    [
        ((5.0, 5.0), (5.0, 5.0), (5.0, 5.0), (5.0, 5.0)),
        ((5.0, 5.0), (40.0, 5.0), (40.0, 5.4), (5.0, 5.4)),
        ((60.0, 60.0), (90.0, 60.0), (90.0, 80.0), (60.0, 80.0)),
    ],
)
def test_boxes_without_area_or_outside_give_nothing(polygon: Polygon) -> None:
    assert cut(np.zeros((50, 50, 3), np.uint8), polygon) is None
