"""Pages of many files, as they are read and in order, and what is written of them; with a tiny real recogniser."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import tiny_model
from PIL import Image

from ocrsvc.commands.output import Stream
from ocrsvc.commands.page_readings import Opened, page_readings
from ocrsvc.commands.source_output import SourceOutput
from ocrsvc.commands.sources import Source
from ocrsvc.errors import UndecodableImage, UnsupportedMedia
from ocrsvc.pages.decoder_processes import ProcessSource
from ocrsvc.reading.page_stream import PageReading
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document, ModelId, Page
from ocrsvc.settings import Settings

LINE = ReadOptions(mode="line")


def tiff(*texts: str) -> bytes:
    first, *others = (Image.fromarray(tiny_model.draw(text)) for text in texts)
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    tiny_model.write_with_detector(tmp_path)
    return Settings(model="tiny", models_dir=tmp_path, workers=2, detector_side_pixels=320)


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[Reader]:
    made = Reader(settings)
    await made.start(warm=False)
    yield made
    await made.close(5)


async def test_pages_come_in_the_order_of_the_files_before_later_pages_are_decoded(
    reader: Reader, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    plain = ProcessSource.page

    async def page(source: ProcessSource, number: int) -> Any:
        if number == 3:
            await gate.wait()
        return await plain(source, number)

    monkeypatch.setattr(ProcessSource, "page", page)
    files = {"a": tiff("12", "34", "56"), "b": b"no picture", "c": tiff("78", "90")}
    seen: list[Any] = []
    answers = page_readings(reader, [*files], files.__getitem__, LINE, settings=settings)
    async with aclosing(answers):
        async for name, item in answers:
            if isinstance(item, PageReading):
                assert item.document is not None
                seen.append((name, item.number, item.document.text))
            elif isinstance(item, Opened):
                seen.append((name, item.page_count))
            else:
                seen.append((name, type(item.error)))
            if seen[-1] == ("a", 2, "34"):
                gate.set()
    assert seen == [
        ("a", 3),
        ("a", 1, "12"),
        ("a", 2, "34"),
        ("a", 3, "56"),
        ("a", type(None)),
        ("b", UnsupportedMedia),
        ("c", 2),
        ("c", 1, "78"),
        ("c", 2, "90"),
        ("c", type(None)),
    ]


async def test_closing_stops_all_files(reader: Reader, settings: Settings) -> None:
    document = tiff(*["12"] * 20)
    answers = page_readings(reader, range(4), lambda _: document, LINE, settings=settings)
    async with aclosing(answers):
        async for _, item in answers:
            if isinstance(item, PageReading):
                break
    assert reader.batcher.load().outstanding == 0


# --- what is written ---


def document(number: int) -> Document:
    return Document((), (Page(number, 40, 10),), ModelId("crnn", "sha256:00"), {"decode": 1.0})


BAD = UndecodableImage("torn")


def written(format_name: str, path: Path, pages: list[PageReading], error: Exception | None = None) -> bool:
    source = Source("a.tif", Path("a.tif"))
    output = Stream(format_name, several=False, path=path)
    file = SourceOutput(source, output, len(pages))
    for page in pages:
        file.add(page)
    whole = file.end(error)
    output.close()
    return whole


def test_jsonl_has_the_error_of_a_page_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [PageReading(1, document(1)), PageReading(2, error=BAD), PageReading(3, document(3))]
    assert not written("jsonl", tmp_path / "out", pages)
    rows = [json.loads(row) for row in (tmp_path / "out").read_text().splitlines()]
    assert [(row["file"], row["page"], row["page_count"]) for row in rows] == [
        ("a.tif", n, 3) for n in (1, 2, 3)
    ]
    assert rows[1]["error"]["detail"] == "torn"
    assert capsys.readouterr().err == "ocrsvc: a.tif: page 2: torn\n"


def test_jsonl_keeps_the_pages_before_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [PageReading(1, document(1)), PageReading(2, document(2))]
    assert not written("jsonl", tmp_path / "out", pages, RuntimeError("gone"))
    rows = [json.loads(row) for row in (tmp_path / "out").read_text().splitlines()]
    assert [row.get("page") for row in rows] == [1, 2, None]
    assert set(rows[2]) == {"file", "error"}
    assert "gone" in capsys.readouterr().err


@pytest.mark.parametrize("format_name", ["jsonl", "json", "text"])
def test_the_error_of_the_only_page_is_the_file_s(
    tmp_path: Path, format_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not written(format_name, tmp_path / "out", [PageReading(1, error=BAD)])
    content = (tmp_path / "out").read_text()
    if format_name == "text":
        assert content == ""
    else:
        assert set(json.loads(content)) == {"file", "error"}
    assert capsys.readouterr().err == "ocrsvc: a.tif: torn\n"


def test_other_formats_are_written_whole(tmp_path: Path) -> None:
    pages = [PageReading(number, document(number)) for number in (1, 2)]
    assert written("json", tmp_path / "out", pages)
    body = json.loads((tmp_path / "out").read_text())
    assert [page["number"] for page in body["pages"]] == [1, 2]
    assert body["timing_ms"] == {"decode": 2.0}
