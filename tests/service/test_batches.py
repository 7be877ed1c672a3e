"""The lines of a batch come as its files finish, not as they were sent."""

from __future__ import annotations

import asyncio
import json

from ocrsvc.errors import UndecodableImage
from ocrsvc.formats import Rendering
from ocrsvc.results import Document, ModelId
from ocrsvc.service.batches import BatchReading
from ocrsvc.service.pictures import Picture
from ocrsvc.service.record import RequestRecord


class Reader:
    """Reads a file when the test says so."""

    def __init__(self, *names: str) -> None:
        self.may_finish = {name: asyncio.Event() for name in names}
        self.reading: list[str] = []
        self.cancelled: list[str] = []

    async def read(self, picture: Picture) -> Document:
        self.reading.append(picture.name)
        try:
            await self.may_finish[picture.name].wait()
        except asyncio.CancelledError:
            self.cancelled.append(picture.name)
            raise
        if picture.name == "bad.png":
            raise UndecodableImage("no picture")
        return Document((), (), ModelId("crnn", "sha256:ab"))


def batch(reader: Reader, concurrency: int) -> BatchReading:
    pictures = tuple(Picture(name, b"a picture") for name in reader.may_finish)
    return BatchReading(
        reader.read, pictures, Rendering(), RequestRecord("id"), "/api/ocr/batch", concurrency, 1.0
    )


async def test_a_file_that_takes_long_does_not_hold_back_those_behind_it() -> None:
    reader = Reader("slow.png", "bad.png", "good.png")
    lines = batch(reader, concurrency=2).lines()
    for name in ("bad.png", "good.png", "slow.png"):
        reader.may_finish[name].set()
        line = json.loads(await anext(lines))
        assert line["file"] == name
        assert ("error" in line) == (name == "bad.png")
    assert [line async for line in lines] == []


async def test_as_many_files_are_read_at_once_as_the_concurrency_says_and_closing_stops_them() -> None:
    reader = Reader("a.png", "b.png", "c.png", "d.png")
    reader.may_finish["b.png"].set()
    lines = batch(reader, concurrency=2).lines()
    assert json.loads(await anext(lines))["file"] == "b.png"
    assert reader.reading == ["a.png", "b.png"]
    reader.may_finish["c.png"].set()
    assert json.loads(await anext(lines))["file"] == "c.png"
    await lines.aclose()
    await asyncio.sleep(0)
    assert reader.cancelled == ["a.png"]
    assert "d.png" not in reader.reading
