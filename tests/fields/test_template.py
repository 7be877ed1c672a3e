"""Templates in JSON, and where their anchors are found on a page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrsvc.errors import InvalidParameter
from ocrsvc.fields.anchoring import Placement, place
from ocrsvc.fields.template import Template, parse_template, schema
from ocrsvc.results import Character, Line, Polygon

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 1000, 800
TEXTS = {"发票代码": (100, 100), "开票日期": (700, 120), "价税合计": (120, 600)}


def box_at(x: float, y: float, characters: int = 4) -> list[float]:
    return [x, y, x + 20 * characters, y + 20]


def template(**members: Any) -> Template:
    made = {
        "page": {"width": WIDTH, "height": HEIGHT},
        "anchors": [{"text": text, "box": box_at(*at), "unit": "pixel"} for text, at in TEXTS.items()],
        "regions": [{"name": "sum", "box": [300, 600, 500, 640], "unit": "pixel", "type": "amount"}],
    }
    return parse_template(json.dumps(made | members))


def line(
    text: str, x: float, y: float, around: tuple[float, float] = (0, 0), angle: float = 0
) -> tuple[str, Polygon]:
    """A line of text at its place, 20 pixels a character, seen after a shift and a turn of the page."""
    left, top, right, bottom = box_at(x, y, len(text))
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    a, b, c, d = ((cos * u - sin * v + around[0], sin * u + cos * v + around[1]) for u, v in corners)
    return text, (a, b, c, d)


def as_lines(lines: Iterable[tuple[str, tuple[tuple[float, float], ...]]]) -> list[Line]:
    return [Line(text, 1.0, cast(Polygon, polygon), 1) for text, polygon in lines]


def middle(polygon: Polygon) -> tuple[float, float]:
    return sum(x for x, _ in polygon) / 4, sum(y for _, y in polygon) / 4


def test_the_schema_in_the_documentation_is_the_one_in_force() -> None:
    stored = json.loads((ROOT / "docs" / "template.schema.json").read_text("utf-8"))
    assert stored == json.loads(json.dumps(schema()))


@pytest.mark.parametrize(
    ("members", "place_", "reason"),
    [
        ({"anchors": []}, "template.anchors", "at least 1"),
        ({"regions": []}, "template.regions", "at least 1"),
        ({"anchors": [{"text": "", "box": [0, 0, 1, 1]}]}, "template.anchors[0].text", "at least 1"),
        (
            {"anchors": [{"text": "a", "box": [0, 0, 1, 1], "tolerance": 2}]},
            "template.anchors[0].tolerance",
            "1",
        ),
        ({"page": None}, "template", "size of the template"),
        ({"least_anchors": 4}, "template", "there are 3"),
        ({"fields": []}, "template.fields", "no such member"),
        ({"regions": [{"name": "a", "box": [0, 0, 1, 1]}] * 2}, "template.regions[1].name", "already"),
    ],
)
def test_an_error_names_its_place(members: dict[str, Any], place_: str, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason) as refused:
        template(**members)
    assert refused.value.detail.startswith(f"{place_}:")


@settings(deadline=None)
@given(
    st.floats(-60, 60),
    st.floats(-60, 60),
    st.floats(-0.05, 0.05),
    st.sampled_from([1, 2, 3]),
)
def test_the_regions_follow_their_anchors(dx: float, dy: float, angle: float, count: int) -> None:
    """One anchor gives a shift, two a turn and a scale as well."""
    turned = angle if count > 1 else 0.0
    lines = [line(text, *at, (dx, dy), turned) for text, at in list(TEXTS.items())[:count]]
    asked = template(least_anchors=1)
    placement = place(asked, as_lines(lines), WIDTH, HEIGHT)
    assert isinstance(placement, Placement)
    found = middle(placement.placed(asked.stretched(asked.regions[0], WIDTH, HEIGHT)))
    goal = line("x" * 10, 300, 610, (dx, dy), turned)[1]
    assert found == pytest.approx(middle(goal), abs=1e-6)


def test_a_page_of_another_size_is_the_same_page() -> None:
    lines = [(text, tuple((x / 2, y / 2) for x, y in line(text, *at)[1])) for text, at in TEXTS.items()]
    asked = template()
    placement = place(asked, as_lines(lines), WIDTH / 2, HEIGHT / 2)
    assert isinstance(placement, Placement)
    assert np.abs(placement.matrix - np.eye(2, 3)).max() < 1e-6


def test_an_anchor_may_be_misread_and_be_a_part_of_a_line() -> None:
    lines = [
        line("发票代玛:044001900111", 100, 100),
        line("x开票日期 2024年", 680, 120),
    ]
    placement = place(template(), as_lines(lines), WIDTH, HEIGHT)
    assert isinstance(placement, Placement)
    assert np.abs(placement.matrix - np.eye(2, 3)).max() < 3


def test_an_anchor_is_where_its_characters_are() -> None:
    """Digits are narrow: four Chinese characters beside eight digits take half of the line, not a third of it."""
    text = "发票代码12345678"
    starts = [index / 8 for index in range(4)] + [0.5 + index / 16 for index in range(8)]
    ends = [*starts[1:], 1.0]
    spelt = tuple(Character(c, 1.0, start, end) for c, start, end in zip(text, starts, ends, strict=True))
    corners: Polygon = ((100, 100), (260, 100), (260, 120), (100, 120))
    placement = place(template(least_anchors=1), [Line(text, 1.0, corners, 1, spelt)], WIDTH, HEIGHT)
    assert isinstance(placement, Placement)
    assert np.abs(placement.matrix - np.eye(2, 3)).max() < 1e-6


def test_of_equal_texts_the_nearest_is_the_anchor() -> None:
    lines = [line("发票代码", 180, 160), line("发票代码", 105, 100), line("发票代码", 100, 180)]
    placement = place(template(least_anchors=1), as_lines(lines), WIDTH, HEIGHT)
    assert isinstance(placement, Placement)
    assert placement.matrix[:, 2] == pytest.approx([5, 0])


@pytest.mark.parametrize(
    "lines",
    [[], [line("发票代码", 100, 100)], [line("发票代码", 100, 100), line("开票日期", 700, 500)]],
    ids=["none", "one of three", "one too far away"],
)
def test_a_page_without_the_anchors_does_not_match(lines: list[tuple[str, Polygon]]) -> None:
    reason = place(template(), as_lines(lines), WIDTH, HEIGHT)
    assert isinstance(reason, str)
    assert "of 3 anchors" in reason
    assert "价税合计" in reason


def test_a_map_that_scales_too_much_is_refused() -> None:
    lines = [line("发票代码", 250, 120), line("开票日期", 600, 125)]
    reason = place(
        template(
            anchors=[
                {"text": text, "box": box_at(*at), "unit": "pixel", "tolerance": 1}
                for text, at in TEXTS.items()
            ]
        ),
        as_lines(lines),
        WIDTH,
        HEIGHT,
    )
    assert isinstance(reason, str)
    assert "scale" in reason
