"""Lines cut out of pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawings import load_font
from PIL import Image, ImageDraw

from ocrsvc.pages.crops import cut
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
    turned = np.asarray(cv2.warpAffine(page, matrix, (300, 300), borderValue=(255, 255, 255)), np.uint8)
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
    matrix = cv2.getPerspectiveTransform(source, corners)
    page = np.asarray(cv2.warpPerspective(card(), matrix, (300, 200)), np.uint8)
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


def tall_crop(draw: Callable[[ImageDraw.ImageDraw], None], width: int = 28, height: int = 52) -> np.ndarray:
    """What a detector's tall box of this size holds, dark on light, cut out of a page."""
    page = Image.new("RGB", (200, 200), (245, 245, 245))
    box = Image.new("RGB", (width, height), (245, 245, 245))
    draw(ImageDraw.Draw(box))
    page.paste(box, (50, 50))
    left, top, right, bottom = 50.0, 50.0, 50.0 + width, 50.0 + height
    crop = cut(np.asarray(page, np.uint8), ((left, top), (right, top), (right, bottom), (left, bottom)))
    assert crop is not None
    return crop.pixels


def cell(text: str, font_path: Path, *, inset: int = 2) -> np.ndarray:
    """A cell of a table, white on the outside, with black borders ``inset`` pixels from the edges of the picture."""
    drawn = Image.new("RGB", (130, 46), "white")
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((inset, inset, 129 - inset, 45 - inset), outline=(40, 40, 40), width=2)
    pen.text((22, 8), text, font=load_font(font_path, 22), fill="black")
    return np.asarray(drawn)


@pytest.mark.parametrize("inset", [0, 2, 4])
def test_the_borders_of_a_cell_are_cut_off(font_path: Path, inset: int) -> None:
    page = np.full((200, 300, 3), 255, np.uint8)
    page[50:96, 60:190] = cell("文件夹", font_path, inset=inset)
    crop = cut(page, ((60.0, 50.0), (190.0, 50.0), (190.0, 96.0), (60.0, 96.0)))
    assert crop is not None
    (left, top), (right, _), (_, bottom), _ = crop.polygon
    beside = inset + 3  # the border and the soft edge beside it
    assert (left, top, right, bottom) == (60 + beside, 50 + beside, 190 - beside, 96 - beside)
    assert np.array_equal(crop.pixels, page[int(top) : int(bottom), int(left) : int(right)])
    assert crop.pixels[:, 0].min() > 200
    assert crop.pixels[0].min() > 200


def test_a_tall_cell_keeps_its_corners_in_order(font_path: Path) -> None:
    page = np.full((300, 200, 3), 255, np.uint8)
    page[50:180, 60:106] = np.rot90(cell("文件夹", font_path))
    crop = cut(page, ((60.0, 50.0), (106.0, 50.0), (106.0, 180.0), (60.0, 180.0)))
    assert crop is not None
    assert crop.polygon == ((101.0, 55.0), (101.0, 175.0), (65.0, 175.0), (65.0, 55.0))


@pytest.mark.parametrize("text", ["口", "国", "中国", "入口"])
def test_strokes_are_no_borders(font_path: Path, text: str) -> None:
    """However tight the crop is around the ink."""
    drawn = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(drawn).text((60, 30), text, font=load_font(font_path, 100), fill="black")
    page = np.asarray(drawn)
    rows, columns = np.nonzero(page[:, :, 0] < 128)
    for margin in (2, 6, 12):
        left, right = columns.min() - margin, columns.max() + 1 + margin
        top, bottom = rows.min() - margin, rows.max() + 1 + margin
        polygon = ((left, top), (right, top), (right, bottom), (left, bottom))
        crop = cut(page, polygon)
        assert crop is not None
        assert crop.polygon == polygon


@pytest.mark.parametrize("what", ["dash", "block", "dark"])
def test_what_only_resembles_a_border_stays(what: str) -> None:
    """一 ends before the edges, a block of another ground is thick, and on a photograph there is no ground."""
    page = np.full((40, 120, 3), 255, np.uint8)
    match what:
        case "dash":
            page[3:6, 12:108] = 0
        case "block":
            page[:8] = 0
        case "dark":
            page = np.random.default_rng(0).integers(0, 120, (40, 120, 3), dtype=np.uint8)
            page[:, :, :] += np.linspace(0, 130, 120, dtype=np.uint8)[None, :, None]
    polygon = ((0.0, 0.0), (120.0, 0.0), (120.0, 40.0), (0.0, 40.0))
    crop = cut(page, polygon)
    assert crop is not None
    assert crop.polygon == polygon
    assert np.array_equal(crop.pixels, page)


@pytest.mark.parametrize("sign", ["1", "/", "I", "l", "|", "!", "i", "0", "7", "+", "t", "("])
@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.parametrize("aspect", [1.5, 1.8, 2.4])
def test_a_single_sign_stands_upright(font_path: Path, sign: str, size: int, aspect: float) -> None:
    face = load_font(font_path, size)
    width = round(size * 0.9)
    height = round(width * aspect)

    def draw(pen: ImageDraw.ImageDraw) -> None:
        pen.text((width / 2, height / 2), sign, (20, 20, 20), font=face, anchor="mm")

    pixels = tall_crop(draw, width, height)
    ink = pixels.max(axis=2) < 120
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert np.ptp(rows) >= np.ptp(columns), "turned on its side"


@pytest.mark.parametrize("top", [2, 12, 30])
def test_a_dash_stands_in_the_middle_of_its_crop(top: int) -> None:
    pixels = tall_crop(lambda pen: pen.rectangle((9, top, 19, top + 2), (20, 20, 20)))
    ink = np.flatnonzero((pixels.max(axis=2) < 120).any(axis=1))
    assert pixels.shape[0] > pixels.shape[1]
    assert abs(ink.mean() - (pixels.shape[0] - 1) / 2) <= 1


@pytest.mark.parametrize("text", ["中国", "一二", "上海", "A1", "十一", "国品"])
@pytest.mark.parametrize("size", [18, 26, 40])
def test_two_characters_below_each_other_are_turned(font_path: Path, text: str, size: int) -> None:
    face = load_font(font_path, size)

    def draw(pen: ImageDraw.ImageDraw) -> None:
        for row, character in enumerate(text):
            pen.text(
                (size * 0.65, size * (0.65 + 1.1 * row)), character, (20, 20, 20), font=face, anchor="mm"
            )

    pixels = tall_crop(draw, round(size * 1.3), round(size * 2.4))
    assert pixels.shape[1] > pixels.shape[0]


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
