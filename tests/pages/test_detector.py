"""Boxes from probabilities, sizes and tiles, and the real network on drawn pages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawings import DrawnPage, load_font
from PIL import Image, ImageDraw

from ocrsvc.errors import CorruptModel
from ocrsvc.machine import cpu
from ocrsvc.models.manifest import load
from ocrsvc.models.registry import default_models_dir
from ocrsvc.pages.boxes import Boxes, PostProcess, boxes_of, clockwise, merge
from ocrsvc.pages.detector import Detector, polygons
from ocrsvc.pages.tiles import LARGEST, Tile, tiles


@pytest.fixture(scope="module", params=["small", "tiny"])
def detector(request: pytest.FixtureRequest) -> Detector:
    spec = load(default_models_dir() / f"ppocrv6-det-{request.param}")
    return Detector(spec, cpu=cpu.inspect(), side_pixels=960)


def rectangle(left: float, top: float, right: float, bottom: float) -> Boxes:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def bounds(box: object) -> tuple[float, float, float, float]:
    points = np.asarray(box)
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def overlap(box: object, ink: tuple[int, int, int, int]) -> float:
    """Intersection over union of the box's bounds and the ink's."""
    left, top, right, bottom = bounds(box)
    wide = min(right, ink[2]) - max(left, ink[0])
    high = min(bottom, ink[3]) - max(top, ink[1])
    shared = max(0.0, wide) * max(0.0, high)
    return shared / ((right - left) * (bottom - top) + (ink[2] - ink[0]) * (ink[3] - ink[1]) - shared)


# --- post-processing ---


def test_a_marked_rectangle_grows_by_its_area_over_its_perimeter() -> None:
    probability = np.zeros((100, 300), np.float32)
    probability[40:60, 50:250] = 0.9
    (box,) = boxes_of(probability, PostProcess())
    # Dilation adds a pixel: 201 x 20 between pixel centres 199+1 and 19+1, grown by w*h*1.6/(2*(w+h)) on each side.
    width, height = 200, 20
    distance = width * height * 1.6 / (2 * (width + height))
    assert bounds(box) == pytest.approx(
        (49 - distance, 39 - distance, 249 + distance, 59 + distance), abs=1.01
    )


def test_a_turned_rectangle_stays_turned() -> None:
    probability = np.zeros((300, 300), np.float32)
    turned = cv2.boxPoints(((150, 150), (180, 30), 25))
    cv2.fillPoly(probability, [turned.astype(np.int32)], 0.95)
    (box,) = boxes_of(probability, PostProcess())
    top = box[1] - box[0]
    assert np.degrees(np.arctan2(top[1], top[0])) == pytest.approx(25, abs=1)
    grow = 180 * 30 * 1.6 / (180 + 30)
    assert np.linalg.norm(top) == pytest.approx(180 + grow, rel=0.03)
    assert np.linalg.norm(box[3] - box[0]) == pytest.approx(30 + grow, rel=0.08)


@pytest.mark.parametrize(
    ("value", "height", "kept"),
    [(0.29, 20, False), (0.45, 20, False), (0.7, 20, True), (0.99, 2, False), (0.99, 6, True)],
)
def test_weak_and_tiny_groups_are_dropped(value: float, height: int, kept: bool) -> None:
    probability = np.zeros((64, 128), np.float32)
    probability[20 : 20 + height, 20:100] = value
    assert len(boxes_of(probability, PostProcess())) == kept


def test_a_detector_may_have_numbers_of_its_own() -> None:
    probability = np.full((64, 128), 0.25, np.float32)
    probability[20:40, 20:100] = 0.45
    probability[28:32, 20:100] = 0.7
    (loose,) = boxes_of(probability, PostProcess(0.3, 0.4, 1.6))
    (tight,) = boxes_of(probability, PostProcess(0.3, 0.4, 1.2))
    (narrow,) = boxes_of(probability, PostProcess(0.5, 0.5, 1.6))
    heights = [np.ptp(box[:, 1]) for box in (loose, tight, narrow)]
    assert heights[0] > heights[1] > heights[2]
    assert not len(boxes_of(probability, PostProcess(0.3, 0.6, 1.6)))


@pytest.mark.parametrize("numbers", [{"unclip": 2.0}, {"unclip_ratio": 0.0}, {"box_threshold": 40}])
def test_numbers_that_no_detector_has_are_a_corrupt_model(numbers: dict[str, float]) -> None:
    spec = load(default_models_dir() / "ppocrv6-det-tiny")
    assert spec.postprocess["unclip_ratio"] == 1.4
    with pytest.raises(CorruptModel, match="postprocess"):
        Detector(replace(spec, postprocess=numbers), cpu=cpu.inspect(), side_pixels=960)


def test_nothing_marked_and_everything_marked() -> None:
    assert boxes_of(np.zeros((64, 64), np.float32), PostProcess()).shape == (0, 4, 2)
    assert boxes_of(np.ones((64, 64), np.float32), PostProcess()).shape == (1, 4, 2)


def test_corners_go_clockwise_from_the_top_left() -> None:
    corners = rectangle(10, 20, 110, 50)
    for shift in range(4):
        assert clockwise(np.roll(corners, shift, axis=0)[None])[0].tolist() == corners.tolist()
    tilted = np.array([(10, 30), (100, 10), (105, 32), (15, 52)], np.float32)
    assert clockwise(tilted[[2, 0, 3, 1]][None])[0].tolist() == tilted.tolist()


@pytest.mark.parametrize("angle", [-24, -12, -5, 5, 12, 24])
@pytest.mark.parametrize("height", [60, 120, 400])
def test_a_leaning_column_keeps_its_corners(angle: float, height: int) -> None:
    upright = rectangle(100, 50, 130, 50 + height)
    turn = cv2.getRotationMatrix2D((115, 50 + height / 2), angle, 1)
    leaning = (upright @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    for shift in range(4):
        assert clockwise(np.roll(leaning, shift, axis=0)[None])[0].tolist() == leaning.tolist()


@pytest.mark.parametrize("angle", [-40, -20, 20, 40])
def test_a_rising_line_keeps_its_corners(angle: float) -> None:
    turn = cv2.getRotationMatrix2D((150, 150), angle, 1)
    rising = (rectangle(50, 135, 250, 165) @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    assert clockwise(rising[[2, 0, 3, 1]][None])[0].tolist() == rising.tolist()


def test_a_dash_is_kept_though_most_of_it_is_edge() -> None:
    def groups(peak: float, width: int) -> int:
        probability = np.zeros((96, 96), np.float32)
        probability[40:44, 20 : 20 + width] = 0.32
        probability[41:43, 22 : 18 + width] = peak
        return len(boxes_of(probability, PostProcess(box_threshold=0.7)))

    assert groups(0.9, 16) == 1
    assert groups(0.6, 16) == 0
    assert groups(0.9, 60) == 0, "of a long one the mean says enough"


def test_letters_far_apart_are_kept_though_their_box_is_mostly_empty() -> None:
    def groups(bridge: float, letter: float) -> int:
        probability = np.zeros((96, 256), np.float32)
        probability[46:48, 20:160] = bridge
        probability[38:58, 20:42] = probability[38:58, 138:160] = letter
        return len(boxes_of(probability, PostProcess()))

    assert groups(0.35, 0.95) == 1
    assert groups(0.35, 0.55) == 0
    assert groups(0.1, 0.95) == 2


# --- sizes and tiles ---


@pytest.mark.parametrize(
    ("width", "height"),
    [(1, 1), (10, 3000), (320, 48), (640, 480), (960, 720), (4000, 3000), (3000, 4000), (1080, 12000), (20000, 400),
     (1110, 41), (8000, 8000), (1280, 720), (720, 1280)],
)  # fmt: skip
@pytest.mark.parametrize("side", [320, 960, 1280, 2400])
def test_inputs_are_multiples_of_32_and_cover_the_picture(width: int, height: int, side: int) -> None:
    parts = tiles(width, height, side)
    covered = np.zeros((height, width), bool)
    for tile in parts:
        assert tile.input_width % 32 == tile.input_height % 32 == 0
        covered[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = True
        part = np.empty((tile.height, tile.width, 3), np.uint8)
        assert tile.left + tile.width <= width
        assert tile.top + tile.height <= height
        assert part.shape[0] > 0
        assert part.shape[1] > 0
    assert covered.all()
    assert len({(tile.input_width, tile.input_height) for tile in parts}) == 1


def test_small_pictures_are_not_enlarged_and_large_ones_shrink() -> None:
    assert tiles(320, 256, 960) == [Tile(0, 0, 320, 256, 320, 256)]
    parts = tiles(4000, 3000, 960)
    assert {tile.input_width for tile in parts} == {960}
    for tile in parts:
        assert tile.input_height / tile.height == pytest.approx(0.24, rel=0.1)


def test_pages_are_cut_between_lines_with_room_for_one() -> None:
    parts = tiles(2550, 3300, 1120)
    assert len(parts) == 2
    for before, after in pairwise(parts):
        assert (before.left, before.width) == (after.left, after.width) == (0, 2550)
        shared = (before.top + before.height - after.top) * after.input_height / after.height
        assert shared >= 110


def test_long_screenshots_are_tiled_so_that_their_text_stays_legible() -> None:
    parts = tiles(1080, 12000, 960)
    assert len(parts) > 5
    for tile in parts:
        assert tile.input_width / tile.width > 0.6
        assert tile.input_height / tile.height > 0.6
    wide = tiles(12000, 1080, 960)
    assert [(t.top, t.left) for t in parts] == [(t.left, t.top) for t in wide]


def test_no_input_is_larger_than_the_one_that_is_run_first() -> None:
    random = np.random.default_rng(0)
    shapes = set()
    for width, height in random.integers(20, 5000, (3000, 2)).tolist():
        shapes |= {(t.input_width, t.input_height) for t in tiles(width, height, 1120)}
    assert len(shapes) < 350
    assert max(w * h for w, h in shapes) <= LARGEST[0] * LARGEST[1]


def test_padding_is_undone() -> None:
    (tile,) = tiles(20, 10, 960)
    image = np.full((10, 20, 3), 200, np.uint8)
    image[3:6, 5:9] = 0
    pixels = tile.pixels(image)
    assert pixels.shape == (64, 64, 3)
    rows, columns = np.nonzero(pixels[:, :, 0] == 0)
    box = rectangle(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert tile.on_picture(box[None])[0].tolist() == rectangle(5, 3, 9, 6).tolist()


def test_boxes_of_the_second_tile_land_in_the_picture() -> None:
    image = np.zeros((3000, 300, 3), np.uint8)
    parts = [Tile(0, 0, 300, 1600, 160, 800), Tile(0, 1400, 300, 1600, 160, 800)]
    box = rectangle(16, 100, 144, 120)[None]
    found = polygons(image, parts, [np.empty((0, 4, 2), np.float32), box])
    assert bounds(found[0]) == pytest.approx((30, 1600, 270, 1640))


# --- merging tiles ---


def test_a_line_seen_by_two_tiles_is_kept_once() -> None:
    whole, cut = rectangle(0, 100, 200, 130), rectangle(0, 110, 200, 130)
    assert merge([whole[None], cut[None]]).tolist() == [whole.tolist()]
    assert merge([cut[None], whole[None]]).tolist() == [whole.tolist()]


def test_two_ends_of_a_row_become_one_box() -> None:
    (box,) = merge([rectangle(0, 10, 1000, 40)[None], rectangle(800, 11, 1500, 41)[None]])
    assert bounds(box) == pytest.approx((0, 10, 1500, 41), abs=1)


def test_a_headline_cut_on_both_sides_of_a_seam_is_whole_again() -> None:
    upper, lower = rectangle(0, 100, 900, 300), rectangle(0, 180, 900, 380)
    (box,) = merge([upper[None], lower[None]])
    assert bounds(box) == pytest.approx((0, 100, 900, 380), abs=1)


def test_a_word_inside_a_drawing_is_not_swallowed_by_it() -> None:
    drawing, word = rectangle(100, 50, 700, 480), rectangle(400, 430, 550, 500)
    assert len(merge([drawing[None], word[None]])) == 2


def test_neighbouring_lines_of_two_tiles_stay_apart() -> None:
    upper, lower = rectangle(0, 100, 200, 130), rectangle(0, 128, 200, 158)
    assert len(merge([upper[None], lower[None]])) == 2


def test_the_boxes_of_a_long_strip_are_compared_with_near_ones_only() -> None:
    tiles = [
        np.stack([rectangle(0, 100 * k + 10 * i, 50, 100 * k + 10 * i + 8) for i in range(11)])
        for k in range(90)
    ]
    assert len(merge(tiles)) == 901, "the last of each tile is the first of the next"


def test_boxes_of_one_tile_are_never_merged() -> None:
    both = np.stack([rectangle(0, 0, 100, 30), rectangle(0, 10, 100, 35)])
    assert len(merge([both, np.empty((0, 4, 2), np.float32)])) == 2


# --- the network ---


def test_every_drawn_line_is_found(detector: Detector, draw_page: Callable[..., DrawnPage]) -> None:
    page = draw_page(angle=0.0)
    found = detector.detect(page.image)
    for ink in page.boxes:
        assert max(overlap(box, ink) for box in found) > 0.5
    assert len(found) <= len(page.boxes) * 2  # wide gaps may part a line


@pytest.mark.parametrize("text", ["合同专用条款说明", "目录", "会议纪要", "采购合同", "使用说明书"])
@pytest.mark.parametrize("gap", [0.5, 1.0, 1.5])
def test_every_character_of_a_spaced_out_heading_is_found(
    detector: Detector, font_path: Path, text: str, gap: float
) -> None:
    size = 32
    pitch = round(size * (1 + gap))
    heading = Image.new("RGB", (2 * size + pitch * len(text), 3 * size), "white")
    pen = ImageDraw.Draw(heading)
    places = [size + pitch * index + size / 2 for index in range(len(text))]
    for character, x in zip(text, places, strict=True):
        pen.text((x, 1.5 * size), character, "black", font=load_font(font_path, size), anchor="mm")
    boxes = np.array(detector.detect(np.asarray(heading, np.uint8)))
    lefts, rights = boxes[:, :, 0].min(axis=1), boxes[:, :, 0].max(axis=1)
    missed = [c for c, x in zip(text, places, strict=True) if not ((lefts < x) & (x < rights)).any()]
    assert len(missed) <= len(text) // 8, missed


def test_turned_pages_give_turned_boxes(detector: Detector, draw_page: Callable[..., DrawnPage]) -> None:
    page = draw_page(angle=8.0)
    found = detector.detect(page.image)
    assert len(found) >= len(page.lines)
    angles = [np.degrees(np.arctan2(b[1] - a[1], b[0] - a[0])) for a, b, *_ in found]
    assert np.median(angles) == pytest.approx(-8, abs=1.5)


def test_corners_stay_within_the_picture(detector: Detector, draw_page: Callable[..., DrawnPage]) -> None:
    page = draw_page(margin=2)
    image = page.image[:, 20:300]
    for box in detector.detect(image):
        left, top, right, bottom = bounds(box)
        assert left >= 0
        assert top >= 0
        assert right <= image.shape[1]
        assert bottom <= image.shape[0]


def test_blank_and_tiny_pictures_hold_no_lines(detector: Detector) -> None:
    for shape in ((1, 1), (2, 300), (300, 2), (200, 300)):
        assert detector.detect(np.full((*shape, 3), 255, np.uint8)) == []


def test_a_long_screenshot_is_read_to_its_end(
    detector: Detector, draw_page: Callable[..., DrawnPage]
) -> None:
    page = draw_page([f"第 {i} 行 line {i}" for i in range(90)], size=30, width=700)
    assert len(detector.tiles(page.image)) > 1
    found = detector.detect(page.image)
    for ink in page.boxes:
        assert max(overlap(box, ink) for box in found) > 0.4
    for i, box in enumerate(found):  # nothing twice
        assert all(overlap(other, tuple(map(int, bounds(box)))) < 0.5 for other in found[i + 1 :])  # type: ignore[arg-type]


def test_a_batch_mate_changes_nothing(detector: Detector, draw_page: Callable[..., DrawnPage]) -> None:
    page = draw_page().image
    first = detector.detect(page)
    detector.detect(page[:200])
    assert detector.detect(page) == first


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_memory_of_a_run_goes_back_when_asked(detector: Detector) -> None:
    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    width, height = LARGEST
    blank = np.full((height, width, 3), 255, np.uint8)
    detector.run(blank)
    held = resident_bytes()
    detector.give_back()
    assert held - resident_bytes() > 40e6
    assert not len(detector.run(blank))
