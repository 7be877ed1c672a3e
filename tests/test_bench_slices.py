"""Which lines a slice holds, and drawn slices that are the same every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drawn
import numpy as np
import pytest
import slices
from available import need_training
from slices import REAL, Line

from ocrsvc.diagnosis.evaluation import Sample


def line(text: str, *, source: str = "a", height: int = 32, key: str = "a/img/1.png") -> Line:
    row: dict[str, Any] = {"text": text}
    return Line(Sample(source, key, Path(key), row), np.zeros((height, 100, 3), np.uint8))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("合计：", {"print-zh"}),
        ("合计 TOTAL", {"mixed"}),
        ("第３页", {"mixed"}),
        ("沪C21F13", set()),
        ("沪C·21F13", set()),
        ("￥1,234.50", {"digits"}),
        ("12-08/2026", {"digits"}),
        ("1234A", set()),
        ("：", set()),
        ("x" * 25, {"long"}),
        ("x" * 24, set()),
    ],
)
def test_the_label_says_in_which_slices_a_line_is(text: str, expected: set[str]) -> None:
    assert {name for name, each in REAL.items() if each.holds(line(text))} == expected


def test_spaces_count_only_where_labels_know_them() -> None:
    assert REAL["en-spaces"].holds(line("New Customer", source="scribe_docs"))
    assert not REAL["en-spaces"].holds(line("New Customer", source="sroie"))
    assert not REAL["en-spaces"].holds(line("Customer", source="scribe_docs"))


@pytest.mark.parametrize(("height", "expected"), [(19, True), (20, False)])
def test_low_resolution_is_told_by_the_crop(height: int, expected: bool) -> None:
    assert REAL["low-res"].holds(line("A", height=height)) is expected


def test_a_slice_is_rated_by_its_own_metric_over_its_lines() -> None:
    lines = [
        line("New York", source="scribe_docs", key="1"),
        line("Los Angeles", source="scribe_docs", key="2"),
        line("银行", key="3"),
    ]
    shares = slices.rate(REAL, lines, {"1": "New York", "2": "losangeles"})
    assert shares == {
        "print-zh": slices.Share(1, 0.0, "exact"),
        "en-spaces": slices.Share(2, 0.5, "strict"),
    }


@pytest.mark.timeout(240)  # the dictionaries behind the texts take seconds, on a busy machine a minute
def test_drawn_lines_are_the_same_every_time(font_path: Path) -> None:
    need_training()
    first, second = drawn.lines(4), drawn.lines(4)
    assert {each.sample.source for each in first} >= {"drawn-vertical", "drawn-rare"}
    assert [each.label for each in first] == [each.label for each in second]
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(first, second, strict=True))
    vertical = [each for each in first if drawn.DRAWN["vertical"].holds(each)]
    assert len(vertical) == 4
    assert all(len(each.label) >= 2 and each.picture.shape[1] > each.picture.shape[0] for each in vertical)
