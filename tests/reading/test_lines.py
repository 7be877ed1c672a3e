"""Is it one line? And the line images that are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tiny_model
from drawings import DrawnPage, Picture

from ocrsvc.models.manifest import Manifest
from ocrsvc.reading.lines import looks_like_line, prepare

SPEC = tiny_model.manifest()


@pytest.mark.parametrize(
    "text",
    [
        "合计 TOTAL 37.20",
        "8",
        "中",
        "i",
        "王二小三言",
        "a-b",
        "全麦面包 Bread, Milk 1L; 牛奶 (15.90)",
        "口吕品田，二三十 = 23",
    ],
)
@pytest.mark.parametrize("size", [18, 32, 44])
def test_drawn_lines_are_lines(draw_line: Callable[..., Picture], text: str, size: int) -> None:
    assert looks_like_line(draw_line(text, size=size, margin=4))


@pytest.mark.parametrize("text", ["合计 TOTAL 37.20", "请确认收货地址", "Scott, Howard", "3021 Ha", "中"])
@pytest.mark.parametrize("size", [11, 14, 18])
def test_small_text_with_wide_margins_is_left_to_the_detector(
    draw_line: Callable[..., Picture], text: str, size: int
) -> None:
    strip = draw_line(text, size=size, margin=4)
    above = 64 - strip.shape[0]
    for share in (0.0, 0.3, 1.0):
        margins = (round(above * share), above - round(above * share), 60, 90)
        assert not looks_like_line(
            np.asarray(cv2.copyMakeBorder(strip, *margins, cv2.BORDER_REPLICATE), np.uint8)
        )


def test_a_long_line_may_be_higher(draw_line: Callable[..., Picture]) -> None:
    long = draw_line("谢谢惠顾 Thank you for your visit", size=60, margin=6)
    assert 64 < long.shape[0] <= 96
    assert looks_like_line(long)
    assert not looks_like_line(draw_line("谢谢", size=70))


@pytest.mark.parametrize("size", [14, 20, 26])
@pytest.mark.parametrize("rows", [2, 3])
def test_two_and_three_lines_are_a_page(draw_page: Callable[..., DrawnPage], size: int, rows: int) -> None:
    texts = ["全麦面包 Bread 8.80 元", "牛奶 Milk 1L 15.90 元", "合计 TOTAL 37.20 元"][:rows]
    page = draw_page(texts, size=size, width=20 * size, margin=4, leading=1.4)
    assert not looks_like_line(page.image)


def test_pages_are_pages(draw_page: Callable[..., DrawnPage]) -> None:
    assert not looks_like_line(draw_page().image)


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (48, 2), (40, 400)])
def test_blank_small_pictures_cost_no_detection(shape: tuple[int, int]) -> None:
    assert looks_like_line(np.full((*shape, 3), 255, np.uint8))


@pytest.mark.parametrize("height", [12, 30, 49, 56, 64, 73, 96])
@pytest.mark.parametrize("aspect", [1.0, 4.2, 9.5, 30.0])
def test_sparse_ink_is_no_reason_to_fail(height: int, aspect: float) -> None:
    """Frames, writing lines, a dot, at every place: stretches with hardly any ink in them."""
    width = round(height * aspect)
    rng = np.random.default_rng(round(height * aspect))
    for ink in range(12):
        picture = np.full((height, width, 3), 250, np.uint8)
        if ink % 2:
            left, top = int(rng.integers(0, width // 3 + 1)), int(rng.integers(0, height // 4 + 1))
            thickness = int(rng.integers(1, 4))
            cv2.rectangle(picture, (left, top), (width - left - 1, height - top - 1), (40, 40, 40), thickness)
        if ink % 3:
            start, row = int(rng.integers(0, width)), int(rng.integers(0, height))
            cv2.line(picture, (start, row), (width, row), (40, 40, 40), int(rng.integers(1, 3)))
        for _ in range(ink):
            x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
            cv2.circle(picture, (x, y), int(rng.integers(1, 3)), (40, 40, 40), -1)
        assert isinstance(looks_like_line(picture), bool)


def test_without_boxes_the_picture_is_the_line() -> None:
    image = tiny_model.draw("12AB")
    (line,) = prepare(image, None, SPEC)
    assert line.polygon == ((0.0, 0.0), (64.0, 0.0), (64.0, 48.0), (0.0, 48.0))
    assert np.array_equal(line.pixels[0], image)


@pytest.mark.parametrize("height", [24, 40, 64])
@pytest.mark.parametrize("thickness", [1, 2, 3])
@pytest.mark.parametrize("ink", [0, 120])
def test_a_rule_alone_is_no_line(height: int, thickness: int, ink: int) -> None:
    for width, left, right, row in ((200, 0, 200, 8), (800, 6, 790, height - 6), (300, 40, 260, height // 2)):
        strip = np.full((height, width, 3), 250, np.uint8)
        strip[row : row + thickness, left:right] = ink
        assert prepare(strip, None, SPEC) == []


@pytest.mark.parametrize(
    "text", ["一", "—", "——", "一一一一一一", "- - - -", "------", "…………", "一二三", "A_B", "10 - 12"]
)
def test_dashes_are_no_rules(draw_line: Callable[..., Picture], text: str) -> None:
    assert len(prepare(draw_line(text, size=32, margin=4), None, load_wide())) == 1


def test_lines_come_in_reading_order_at_the_models_height() -> None:
    page = np.full((300, 400, 3), 255, np.uint8)
    page[20:50, 20:120], page[100:160, 20:220] = 10, 200
    below = ((20.0, 100.0), (220.0, 100.0), (220.0, 160.0), (20.0, 160.0))
    above = ((20.0, 20.0), (120.0, 20.0), (120.0, 50.0), (20.0, 50.0))
    lines = prepare(page, [below, above], SPEC)
    assert [line.polygon for line in lines] == [above, below]
    assert [line.pixels[0].shape for line in lines] == [(48, 160, 3), (48, 160, 3)]
    assert [int(line.pixels[0].mean()) for line in lines] == [10, 200]


def test_long_lines_come_in_parts_and_empty_boxes_not_at_all() -> None:
    page = np.full((60, 2000, 3), 255, np.uint8)
    long = ((0.0, 5.0), (2000.0, 5.0), (2000.0, 53.0), (0.0, 53.0))
    point = ((5.0, 5.0), (5.0, 5.0), (5.0, 5.0), (5.0, 5.0))
    spec = load_wide()
    lines = prepare(page, [long, point], spec)
    assert len(lines) == 1
    assert len(lines[0].parts) == len(lines[0].pixels) > 1
    assert all(pixels.shape[1] <= spec.buckets.widest for pixels in lines[0].pixels)
    assert lines[0].parts[-1].end == 2000


@pytest.mark.parametrize("wider_pixels", [1, 100, 400, 1000])
def test_a_line_a_little_too_wide_is_cut_and_not_squeezed(wider_pixels: int) -> None:
    """Thin letters side by side become one when a line is made narrower."""
    spec = load_wide()
    width = spec.buckets.widest + wider_pixels
    image = np.random.default_rng(width).integers(0, 256, (SPEC.input.height, width, 3), dtype=np.uint8)
    (line,) = prepare(image, None, spec)
    assert len(line.parts) > 1
    for part, pixels in zip(line.parts, line.pixels, strict=True):
        assert np.array_equal(pixels, image[:, part.start : part.end])


def test_steps_are_done_to_every_line() -> None:
    image = tiny_model.draw("12AB")
    (line,) = prepare(image, None, SPEC, ("adaptive",))
    assert set(np.unique(line.pixels[0])) <= {0, 255}


def load_wide() -> Manifest:
    """The tiny model with a bucket that a line can be cut to."""
    return replace(SPEC, input=replace(SPEC.input, buckets=(*SPEC.input.buckets, 640)))
