"""AsyncOCR on the caller's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tiny_model import draw

from ocrsvc import AsyncOCR
from ocrsvc.errors import ShuttingDown, UnsupportedMedia


@pytest.fixture
async def ocr(tiny_settings: dict[str, Any]) -> AsyncIterator[AsyncOCR]:
    async with AsyncOCR(**tiny_settings) as engine:
        yield engine


async def test_many_tasks_read_at_once(ocr: AsyncOCR) -> None:
    texts = [f"{i}B" for i in range(10)] * 3
    results = await asyncio.gather(*(ocr(draw(text), mode="line") for text in texts))
    assert [result.text for result in results] == texts


async def test_sources_may_come_asynchronously(ocr: AsyncOCR) -> None:
    async def sources() -> AsyncIterator[Any]:
        for i in range(12):
            await asyncio.sleep(0)
            yield draw(str(i))

    assert [result.text async for result in ocr.read_many(sources(), mode="line")] == [
        str(i) for i in range(12)
    ]
    assert [result.text async for result in ocr.read_many([draw("7")], mode="line")] == ["7"]


async def test_an_error_belongs_to_its_source(ocr: AsyncOCR) -> None:
    with pytest.raises(UnsupportedMedia):
        await ocr(b"no picture")
    assert (await ocr.read(draw("1"), mode="line")).text == "1"
    assert [page.text async for page in ocr.pages(draw("12"), mode="line")] == ["12"]


async def test_the_caller_s_loop_is_never_blocked(ocr: AsyncOCR) -> None:
    task = asyncio.create_task(ocr(draw("1"), mode="line"))  # loads the models
    turns = 0
    while not task.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 1  # it ran beside the loading
    assert (await task).text == "1"


async def test_cancelling_withdraws_the_work(ocr: AsyncOCR) -> None:
    await ocr(draw("1"), mode="line")
    tasks = [asyncio.create_task(ocr(draw("123AB"), mode="line")) for _ in range(40)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(each, asyncio.CancelledError) for each in done) >= 39
    assert (await ocr(draw("2"), mode="line")).text == "2"


async def test_after_closing_it_says_so(tiny_settings: dict[str, Any]) -> None:
    engine = AsyncOCR(**tiny_settings)
    await engine.close()
    with pytest.raises(ShuttingDown, match="closed"):
        await engine(draw("1"))
