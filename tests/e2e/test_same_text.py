"""Fifty requests at once are read as each of them alone: a text does not depend on the load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from available import model_name

from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Line
from ocrsvc.settings import Settings

WORDS = ("发票号码", "Invoice No.", "合计金额", "Total", "2026-11-21", "北京市海淀区", "x=3.14", "OCR 服务")


@pytest.mark.timeout(180)
async def test_fifty_requests_at_once_read_as_each_alone(
    draw_line: Callable[..., Any], png: Callable[..., bytes]
) -> None:
    texts = ["".join(WORDS[(i * 3 + j) % len(WORDS)] for j in range(1 + i % 4)) + str(i) for i in range(50)]
    pictures = [png(draw_line(text)) for text in texts]
    options = ReadOptions(mode="line")
    reader = Reader(Settings(model=model_name(), workers=3, t_max_ms=500))
    await reader.start(warm=False)
    try:
        busy = await asyncio.gather(*(reader.read(picture, options) for picture in pictures))
        assert max(reader.batcher.counters.rows_histogram) > 1, "nothing was batched"
        alone = [await reader.read(picture, options) for picture in pictures[::5]]
    finally:
        await reader.close(5)
    for together, single in zip(busy[::5], alone, strict=True):
        assert together.text
        same(together.lines[0], single.lines[0])


def same(left: Line, right: Line) -> None:
    """The same characters at the same places, each probability within 1e-4."""
    assert left.text == right.text
    for ours, theirs in zip(left.characters, right.characters, strict=True):
        assert abs(ours.confidence - theirs.confidence) < 1e-4
        assert (ours.start, ours.end) == (theirs.start, theirs.end)
