"""Reading order of boxes that are drawn as a page would have them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from ocrsvc.pages.layout import first, order
from ocrsvc.results import Polygon

Word = tuple[str, float, float, float, float]  # label, left, top, right, bottom


def polygon(left: float, top: float, right: float, bottom: float, angle: float = 0.0) -> Polygon:
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    a, b, c, d = ((x * cosine - y * sine, x * sine + y * cosine) for x, y in corners)
    return (a, b, c, d)


def read(words: Sequence[Word], angle: float = 0.0) -> list[str]:
    """The labels in the order found, from boxes that come in no order."""
    shuffled = list(words)
    random.Random(7).shuffle(shuffled)
    found = order([polygon(*word[1:], angle=angle) for word in shuffled])
    assert sorted(found) == list(range(len(words)))
    return [shuffled[i][0] for i in found]


def column(
    name: str, left: float, right: float, top: float, rows: int, *, pitch: float = 30, last: float = 0.5
) -> list[Word]:
    """Lines of running text; the last one is shorter."""
    words = []
    for row in range(rows):
        end = right if row < rows - 1 else left + last * (right - left)
        words.append((f"{name}{row}", left, top + row * pitch, end, top + row * pitch + 20))
    return words


def labels(words: Sequence[Word]) -> list[str]:
    return [word[0] for word in words]


def test_no_boxes() -> None:
    assert order([]) == []


@pytest.mark.parametrize("angle", [0.0, 3.0, -6.0, 12.0])
def test_one_column(angle: float) -> None:
    words = column("a", 50, 650, 40, 12)
    assert read(words, angle) == labels(words)


def slanted(x: float, y: float, width: float, angle: float) -> Polygon:
    """A line 24 high around a middle, turned."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    offsets = ((-width / 2, -12), (width / 2, -12), (width / 2, 12), (-width / 2, 12))
    a, b, c, d = ((x + dx * cosine - dy * sine, y + dx * sine + dy * cosine) for dx, dy in offsets)
    return (a, b, c, d)


@pytest.mark.parametrize("angle", [-45.0, -30.0, -20.0, 20.0, 35.0])
@pytest.mark.parametrize("marks", [1, 4, 12])
def test_a_watermark_does_not_upset_the_order(angle: float, marks: int) -> None:
    rng = random.Random(marks)
    text = [polygon(50, 40 + 36 * row, rng.choice((400, 650)), 62 + 36 * row) for row in range(8)]
    across = [slanted(rng.uniform(50, 650), rng.uniform(40, 340), 110, angle) for _ in range(marks)]
    every = [*across, *text]
    rng.shuffle(every)
    found = [every[i] for i in order(every)]
    assert found[: len(text)] == text
    assert [sum(y for _, y in each) for each in found[len(text) :]] == sorted(
        sum(y for _, y in each) for each in across
    )


@pytest.mark.parametrize("offset", [0, 7, 15])
@pytest.mark.parametrize("angle", [0.0, 4.0])
def test_two_columns(offset: float, angle: float) -> None:
    left, right = column("l", 40, 330, 100, 15), column("r", 370, 660, 100 + offset, 14)
    assert read([*left, *right], angle) == labels([*left, *right])


def test_two_columns_below_a_headline_and_above_a_footer() -> None:
    head: Word = ("head", 60, 20, 640, 60)
    foot: Word = ("foot", 60, 900, 640, 920)
    left, right = column("l", 40, 330, 100, 20), column("r", 370, 660, 105, 20)
    words = [head, *left, *right, foot]
    assert read(words) == labels(words)


def test_a_headline_in_the_middle_parts_the_columns() -> None:
    upper = [*column("a", 40, 330, 60, 8), *column("b", 370, 660, 60, 8)]
    head: Word = ("head", 100, 330, 600, 365)
    lower = [*column("c", 40, 330, 400, 8), *column("d", 370, 660, 400, 8)]
    words = [*upper, head, *lower]
    assert read(words) == labels(words)


def test_three_columns() -> None:
    words = [*column("a", 30, 320, 50, 18), *column("b", 350, 640, 55, 18), *column("c", 670, 960, 48, 17)]
    assert read(words) == labels(words)


def test_a_receipt_reads_row_by_row() -> None:
    words: list[Word] = [("shop", 120, 10, 480, 40)]
    goods = (
        "Apple juice 1 L",
        "Whole grain bread 500 g",
        "Milk",
        "苹果汁 Apple",
        "Chocolate bar with nuts",
        "Tea",
    )
    for i, name in enumerate(goods):
        top = 80 + 34 * i
        words.append((name, 20, top, 20 + 11 * len(name), top + 22))
        words.append((f"qty{i}", 330, top + 2, 350, top + 23))
        words.append((f"price{i}", 480, top - 2, 540, top + 20))
    words.append(("total", 20, 300, 120, 326))
    words.append(("sum", 470, 302, 540, 326))
    assert read(words) == labels(words)
    assert read(words, angle=5.0) == labels(words)


def test_a_table_of_short_cells_reads_row_by_row() -> None:
    words = [
        (
            f"{row}.{cell}",
            40 + cell * 150,
            50 + row * 40,
            40 + cell * 150 + 60 + 10 * (row % 3),
            72 + row * 40,
        )
        for row in range(9)
        for cell in range(5)
    ]
    assert read(words) == labels(words)


def test_a_form_of_names_and_values_reads_row_by_row() -> None:
    widths = (90, 260, 130, 200, 80, 240)
    words: list[Word] = []
    for i, width in enumerate(widths):
        top = 40 + i * 36
        words += [
            (f"name{i}", 40, top, 40 + width, top + 22),
            (f"value{i}", 340, top, 340 + widths[-i - 1], top + 22),
        ]
    assert read(words) == labels(words)


def test_rows_of_a_bent_page_stay_together() -> None:
    """The right end of each row stands a whole line lower, as on a photographed book."""
    words = [
        (
            f"{row}.{cell}",
            20 + cell * 100,
            40 + row * 40 + cell * 6,
            110 + cell * 100,
            60 + row * 40 + cell * 6,
        )
        for row in range(6)
        for cell in range(7)
    ]
    assert read(words) == labels(words)


def test_boxes_of_different_height_share_a_row() -> None:
    words: list[Word] = [("big", 20, 20, 200, 80), ("small", 220, 40, 300, 60), ("next", 20, 100, 200, 130)]
    assert read(words) == labels(words)


def test_lines_that_run_downwards_read_from_right_to_left() -> None:
    words: list[Word] = [(f"v{i}", 600 - 50 * i, 40, 630 - 50 * i, 500) for i in range(8)]
    assert read(words) == labels(words)


def test_boxes_on_top_of_each_other_are_all_kept() -> None:
    assert sorted(order([polygon(10, 10, 100, 30)] * 3)) == [0, 1, 2]
    assert order([polygon(5, 5, 5, 5), polygon(0, 50, 10, 60)]) == [0, 1]


def test_a_thousand_cells_are_ordered_at_once() -> None:
    chance = random.Random(1)
    words = []
    for row in range(40):
        for cell in range(25):
            left = cell * 100 + chance.random() * 10
            words.append((f"{row}.{cell}", left, row * 30, left + 50, row * 30 + 20))
    assert read(words) == labels(words)


def test_six_columns_of_a_newspaper() -> None:
    words = [
        word for c in range(6) for word in column(f"c{c}-", 20 + 200 * c, 200 + 200 * c, 40, 60, pitch=20)
    ]
    assert read(words) == labels(words)


def test_the_first_lines_of_very_many_are_found_without_ordering_all() -> None:
    grid = [
        polygon(26 * (i % 40), 26 * (i // 40), 26 * (i % 40) + 12, 26 * (i // 40) + 16) for i in range(2400)
    ]
    shuffled = random.Random(0).sample(grid, len(grid))
    assert first(shuffled, 100) == grid[:100]
    assert first(shuffled, 0) == []
