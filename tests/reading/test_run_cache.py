"""The cache of runs: what makes a key, what makes room, and that a reading is the same with it and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model
from drawings import Picture
from hypothesis import given
from hypothesis import strategies as st

from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.reading.run_cache import ENTRY_BYTES, RunCache
from ocrsvc.results import LineText
from ocrsvc.scheduling.batcher import Lane
from ocrsvc.settings import Settings

LANE = Lane("crnn", 320)
PIXELS = np.arange(48 * 100 * 3, dtype=np.uint8).reshape(48, 100, 3)


def cache_of(max_bytes: int = 1 << 20, max_entries: int = 100, weights: str = "sha256:00") -> RunCache:
    return RunCache(max_bytes=max_bytes, max_entries=max_entries, identity=lambda model: weights)


def known(cache: RunCache, lane: Lane = LANE, pixels: Any = PIXELS) -> LineText | None:
    ((_, answer),) = cache.find([(lane, pixels)])
    assert answer is None or isinstance(answer, LineText)
    return answer


def keep(cache: RunCache, text: str, lane: Lane = LANE, pixels: Any = PIXELS) -> None:
    cache.keep([key for key, _ in cache.find([(lane, pixels)])], [LineText(text, 0.9)])


def test_the_same_input_has_the_same_answer() -> None:
    cache = cache_of()
    assert known(cache) is None
    keep(cache, "好")
    assert known(cache, pixels=PIXELS.copy()) == LineText("好", 0.9)
    assert known(cache, pixels=np.ascontiguousarray(PIXELS[:, ::-1])[:, ::-1]) == LineText("好", 0.9)
    assert cache.usage().hits == 2


@pytest.mark.parametrize(
    "lane",
    [
        replace(LANE, model="crnn-fast"),
        replace(LANE, width=640),
        replace(LANE, charset="digits"),
        replace(LANE, steps=True),
    ],
)
def test_another_lane_is_another_input(lane: Lane) -> None:
    cache = cache_of()
    keep(cache, "好")
    assert known(cache, lane) is None


def test_other_pixels_and_another_shape_are_other_inputs() -> None:
    cache = cache_of()
    keep(cache, "好")
    other = PIXELS.copy()
    other[47, 99, 2] ^= 1
    assert known(cache, pixels=other) is None
    assert known(cache, pixels=PIXELS.reshape(100, 48, 3)) is None
    assert known(cache, pixels=PIXELS[:, :99]) is None


def test_other_weights_are_another_model() -> None:
    weights = ["sha256:00"]
    cache = RunCache(max_bytes=1 << 20, max_entries=9, identity=lambda model: weights[0])
    keep(cache, "好")
    weights[0] = "sha256:01"
    assert known(cache) is None


@given(
    charsets=st.lists(st.text(max_size=12), min_size=2, max_size=2, unique=True),
    models=st.lists(st.text(max_size=12), min_size=2, max_size=2, unique=True),
)
def test_names_cannot_run_into_each_other(charsets: list[str], models: list[str]) -> None:
    """Whatever clients choose as a charset: no two lanes are written alike."""
    cache = cache_of()
    lanes = [Lane(model, 320, charset) for model in models for charset in charsets]
    assert len({key for key, _ in cache.find([(lane, PIXELS) for lane in lanes])}) == 4


def test_an_answer_cannot_be_changed_by_who_has_it() -> None:
    cache = cache_of()
    boxes = np.ones((1, 4, 2), dtype=np.float32)
    ((key, _),) = cache.find([(LANE, PIXELS)])
    cache.keep([key], [boxes])
    boxes[:] = 7
    for _ in range(2):
        ((_, found),) = cache.find([(LANE, PIXELS)])
        assert isinstance(found, np.ndarray)
        assert (found == 1).all()
        found[:] = 9


@pytest.mark.parametrize("bounds", [{"max_entries": 3}, {"max_bytes": 3 * (ENTRY_BYTES + 150)}])
def test_the_least_recently_used_makes_room(bounds: dict[str, int]) -> None:
    cache = cache_of(bounds.get("max_bytes", 1 << 20), bounds.get("max_entries", 100))
    lanes = [Lane("crnn", width) for width in (80, 160, 320, 640)]
    for lane in lanes[:3]:
        keep(cache, "好", lane)
    assert known(cache, lanes[0])  # used again
    keep(cache, "好", lanes[3])
    assert [known(cache, lane) is not None for lane in lanes] == [True, False, True, True]
    usage = cache.usage()
    assert (usage.entries, usage.evictions) == (3, 1)
    assert usage.held_bytes <= bounds.get("max_bytes", 1 << 20)
    keep(cache, "x" * 5000, Lane("crnn", 960))  # more than there is room for, or not
    assert cache.usage().held_bytes <= bounds.get("max_bytes", 1 << 20)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    tiny_model.write_with_detector(tmp_path)
    return Settings(
        model="tiny", models_dir=tmp_path, workers=1, detector_side_pixels=320, run_cache_bytes=1 << 20
    )


async def test_a_picture_that_comes_again_costs_no_run(
    settings: Settings, draw_line: Callable[..., Picture], png: Callable[..., bytes]
) -> None:
    reader = Reader(settings)
    await reader.start(warm=False)
    try:
        line, other = png(draw_line("No. 24417")), png(draw_line("No. 24418"))
        first = await reader.read(line)
        batches = reader.batcher.counters.batches
        again = await reader.read(line, ReadOptions(layout="rows"))
        assert reader.batcher.counters.batches == batches
        assert [each.text for each in again.lines] == [each.text for each in first.lines]
        await reader.read(other)
        await reader.read(line, ReadOptions(charset="digits"))
        assert reader.batcher.counters.batches == batches + 2
        assert reader.cache is not None
        assert reader.cache.usage().hits == 1
    finally:
        await reader.close()


async def test_a_page_that_comes_again_costs_no_run(
    settings: Settings, draw_page: Callable[..., Any], png: Callable[..., bytes]
) -> None:
    reader = Reader(settings)
    await reader.start(warm=False)
    try:
        page = png(draw_page().image)
        first = await reader.read(page, ReadOptions(mode="page"))
        batches = reader.batcher.counters.batches
        again = await reader.read(page, ReadOptions(mode="page"))
        assert reader.batcher.counters.batches == batches
        assert (again.lines, again.pages) == (first.lines, first.pages)
        assert len(first.lines) > 3
    finally:
        await reader.close()


async def test_off_by_default(settings: Settings) -> None:
    assert Reader(settings.model_copy(update={"run_cache_bytes": 0})).cache is None
    assert Settings().run_cache_bytes == 0
