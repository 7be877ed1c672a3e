"""Regions in JSON, and the geometry of their corners."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocrsvc.errors import InvalidParameter
from ocrsvc.fields.region import (
    MOST_REGIONS,
    Area,
    Region,
    contains,
    is_on_page,
    parse_areas,
    parse_regions,
)

BOX = [0.1, 0.2, 0.5, 0.4]


def regions(*members: dict[str, Any]) -> str:
    return json.dumps([{"name": f"r{index}", "box": BOX} | each for index, each in enumerate(members)])


def test_a_region_has_defaults() -> None:
    (region,) = parse_regions(regions({}))
    assert region == Region(box=(0.1, 0.2, 0.5, 0.4), name="r0")
    assert region.on(100, 200) == ((10, 40), (50, 40), (50, 80), (10, 80))


def test_corners_may_be_pixels() -> None:
    corners = [[1, 2], [30, 4], [30, 40], [1, 38]]
    text = json.dumps([{"name": "a", "polygon": corners, "unit": "pixel", "page": 3, "type": "date"}])
    (region,) = parse_regions(text)
    assert region.on(100, 200) == ((1, 2), (30, 4), (30, 40), (1, 38))
    assert (region.page, region.type) == (3, "date")


@pytest.mark.parametrize(
    ("wrong", "place", "reason"),
    [
        ({"box": [0, 0, 1]}, "regions[1].box[3]", "required"),
        ({"box": [0.5, 0, 0.1, 1]}, "regions[1]", "left < right"),
        ({"box": None}, "regions[1]", "either box or polygon"),
        ({"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}, "regions[1]", "either box or polygon"),
        ({"box": None, "polygon": [[0, 0], [0, 1], [1, 1], [1, 0]]}, "regions[1]", "clockwise"),
        ({"type": "isbn"}, "regions[1].type", "id_card"),
        ({"charset": "digitz"}, "regions[1]", "Unknown charset"),
        ({"charset": "digits", "type": "date"}, "regions[1]", "either charset or type"),
        ({"page": 0}, "regions[1].page", "greater than or equal to 1"),
        ({"name": ""}, "regions[1].name", "at least 1 character"),
        ({"name": "r0"}, "regions[1].name", "already"),
        ({"unit": "inch"}, "regions[1].unit", "fraction"),
        ({"colour": "red"}, "regions[1].colour", "no such member"),
        ({"box": [0, 0, 1e7, 1]}, "regions[1].box[2]", "less than or equal"),
    ],
)
def test_an_error_names_its_place(wrong: dict[str, Any], place: str, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason) as refused:
        parse_regions(regions({}, wrong))
    assert refused.value.detail.startswith(f"{place}:")
    assert refused.value.extra["place"] == place


@pytest.mark.parametrize("text", ["{", "{}", "1", '[{"name": "a"}]', "[1]"])
def test_what_is_no_list_of_regions_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="regions"):
        parse_regions(text)


def test_the_number_and_the_size_of_regions_are_limited() -> None:
    assert len(parse_regions(regions(*[{}] * MOST_REGIONS))) == MOST_REGIONS
    with pytest.raises(InvalidParameter, match=f"at most {MOST_REGIONS} items"):
        parse_regions(regions(*[{}] * (MOST_REGIONS + 1)))
    with pytest.raises(InvalidParameter, match="64 KiB"):
        parse_regions(" " * 70_000)


def test_areas_to_ignore_have_no_names() -> None:
    assert parse_areas(json.dumps([{"box": BOX}])) == (Area(box=(0.1, 0.2, 0.5, 0.4)),)
    with pytest.raises(InvalidParameter, match=r"ignore\[0\].name"):
        parse_areas(regions({}))


def test_a_region_must_be_on_the_page_and_large_enough() -> None:
    def on(box: tuple[float, float, float, float]) -> bool:
        return is_on_page(Area(box=box).on(100, 100), 100, 100)

    assert on((0, 0, 1, 1))
    assert on((0.5, 0.5, 1.4, 0.6))
    assert not on((0.9, 0.5, 1.4, 0.6))
    assert not on((0.5, 0.5, 0.9, 0.51))


def test_a_point_is_in_a_polygon_or_not() -> None:
    slanted = ((10.0, 0.0), (30.0, 10.0), (20.0, 30.0), (0.0, 20.0))
    assert contains(slanted, (15, 15))
    assert not contains(slanted, (1, 1))
    assert not contains(slanted, (29, 29))
