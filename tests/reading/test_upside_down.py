"""Which lines are read again upside down, and when the second reading counts."""

from __future__ import annotations

import numpy as np
import pytest

from ocrsvc.reading.lines import LineImage
from ocrsvc.reading.upside_down import doubtful, half_turned, is_upside_down
from ocrsvc.recognition.segments import Segment
from ocrsvc.results import LineText

CORNERS = ((0.0, 0.0), (9.0, 0.0), (9.0, 3.0), (0.0, 3.0))


def line(width: int = 200, parts: int = 1) -> LineImage:
    pixels = np.arange(48 * width * 3, dtype=np.uint32).astype(np.uint8).reshape(48, width, 3)
    return LineImage(CORNERS, (Segment(0, width),) * parts, (pixels,) * parts)


def test_only_doubtful_lines_are_read_again_the_worst_first_and_a_tenth_of_a_page() -> None:
    texts = [LineText("上海好", 0.9)] * 50 + [LineText("上海好", 0.01 * i) for i in range(50)]
    assert doubtful([line()] * 100, texts) == list(range(50, 60))
    assert doubtful([line()] * 2, [LineText("上海好", 0.9), LineText("", 0.0)]) == [1]


def test_short_lines_and_lines_of_several_parts_are_not_read_again() -> None:
    low = LineText("上海好", 0.2)
    assert doubtful([line(60), line(1200, parts=2), line(100)], [low, low, low]) == [2]


def test_a_half_turned_line_begins_at_the_opposite_corner() -> None:
    given = line()
    turned = half_turned(given)
    assert turned.polygon[0] == CORNERS[2]
    assert turned.pixels[0].tolist() == given.pixels[0][::-1, ::-1].tolist()
    again = half_turned(turned)
    assert again.polygon == CORNERS
    assert again.pixels[0].tolist() == given.pixels[0].tolist()


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        (LineText("如乏", 0.3), LineText("上海好", 0.95), True),
        (LineText("如乏", 0.3), LineText("上海好", 0.7), False),
        (LineText("96 86", 0.7), LineText("98 96", 0.85), False),
        (LineText("乏", 0.1), LineText("HN", 0.99), False),
        (LineText("", 0.0), LineText("上海好", 0.95), True),
    ],
)
def test_the_second_reading_counts_if_it_is_sure_and_surer(
    before: LineText, after: LineText, counts: bool
) -> None:
    assert is_upside_down(before, after) is counts


def test_a_charset_makes_no_line_sure() -> None:
    before = LineText("186", 0.9, free=LineText("如乏", 0.3))
    after = LineText("981", 0.95, free=LineText("乏口如", 0.4))
    assert not is_upside_down(before, after)
    assert doubtful([line()], [before]) == [0]
