"""Keyword arguments of a call."""

from __future__ import annotations

from typing import Any

import pytest

from ocrsvc.engine.options import Options, read_options
from ocrsvc.errors import OcrError
from ocrsvc.reading.reading import ReadOptions


def test_without_options_blocks_are_found() -> None:
    assert read_options({}) == ReadOptions(structured=True)


def test_options_are_handed_on() -> None:
    given: Options = {
        "mode": "line",
        "charset": "digits",
        "orientation": 90,
        "structured": False,
        "n_best": 2,
    }
    assert read_options(given) == ReadOptions(mode="line", charset="digits", orientation=90, n_best=2)
    assert read_options({"orientation": "auto"}).orientation is None


def test_regions_are_lists_of_dicts() -> None:
    corners = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.2], [0.1, 0.2]]
    options = read_options({"regions": [{"name": "id", "polygon": corners, "type": "id_card"}], "ignore": []})
    assert [region.name for region in options.regions] == ["id"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"mod": "line"}, "no option 'mod'; is mode meant"),
        ({"zzz": 1}, "no option 'zzz'; use mode"),
        ({"mode": "word"}, "mode must be one of auto, line, page"),
        ({"orientation": 45}, "orientation must be one of auto, 0, 90, 180, 270"),
        ({"regions": [{"name": "a"}]}, "regions"),
    ],
)
def test_a_wrong_option_is_named(options: Any, reason: str) -> None:
    with pytest.raises(OcrError, match=reason):
        read_options(options)


def test_every_option_of_a_reading_may_be_given() -> None:
    others = {"model", "template"}  # a model belongs to the engine, a template to `ocrsvc extract`
    assert set(Options.__annotations__) == set(ReadOptions.__dataclass_fields__) - others
