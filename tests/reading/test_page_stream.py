"""Pages as they are read: order, look-ahead, bad pages, deadlines, leaving early; with a tiny real recogniser."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_model
from drawings import Picture
from PIL import Image

from ocrsvc.errors import DeadlineExceeded, EngineFailure, TooManyPages, Unavailable, UndecodableImage
from ocrsvc.pages.decoder_processes import ProcessSource
from ocrsvc.reading.page_stream import BackgroundLimits, PageReading, PageStream
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import Reading, ReadOptions, ReadPage
from ocrsvc.results import ModelId, Page
from ocrsvc.settings import Settings

LINE = ReadOptions(mode="line")
PATIENT = BackgroundLimits(page_seconds=60, max_pages=100)
TEXTS = ("12", "34", "56", "78", "90", "AB", "中文", "XY")


def tiff(*pages: Picture) -> bytes:
    first, *others = (Image.fromarray(page[:, :, ::-1]) for page in pages)
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


DOCUMENT = tiff(*map(tiny_model.draw, TEXTS))


def text_of(page: PageReading) -> str:
    assert page.document is not None, page.error
    return page.document.text


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    tiny_model.write_with_detector(tmp_path)
    made = Reader(
        Settings(model="tiny", models_dir=tmp_path, workers=2, detector_side_pixels=320, max_pages=8)
    )
    await made.start(warm=False)
    yield made
    await made.close(5)


class Decoding:
    """Counts the pages that were decoded, and lets a page be decoded only when its ``gate`` is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}
        self.fourth = asyncio.Event()
        plain = ProcessSource.page

        async def page(source: ProcessSource, number: int) -> Any:
            self.begun.append(number)
            if len(self.begun) == 4:
                self.fourth.set()
            if number in self.gates:
                await self.gates[number].wait()
            return await plain(source, number)

        monkeypatch.setattr(ProcessSource, "page", page)

    def hold(self, number: int) -> asyncio.Event:
        self.gates[number] = asyncio.Event()
        return self.gates[number]


@pytest.mark.parametrize("background", [None, PATIENT])
async def test_each_page_is_a_document_of_its_own(
    reader: Reader, background: BackgroundLimits | None
) -> None:
    whole = await reader.read(DOCUMENT, LINE)
    async with reader.stream(DOCUMENT, LINE, background=background) as stream:
        assert stream.numbers == tuple(range(1, 9))
        assert stream.model == whole.model
        pages = [page async for page in stream.pages()]
    assert [page.number for page in pages] == list(stream.numbers)
    assert tuple(map(text_of, pages)) == TEXTS
    assert [line for page in pages if page.document for line in page.document.lines] == list(whole.lines)
    for page in pages:
        assert page.document is not None
        assert set(page.document.timing_ms) == {"decode", "detect", "recognise", "total"}


async def test_a_page_comes_before_later_ones_are_decoded(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = Decoding(monkeypatch)
    gate = decoding.hold(3)
    async with reader.stream(DOCUMENT, LINE) as stream:
        pages = stream.pages()
        assert text_of(await anext(pages)) == "12"
        assert text_of(await anext(pages)) == "34"
        gate.set()
        assert text_of(await anext(pages)) == "56"
        await pages.aclose()


async def test_who_does_not_take_pages_gets_few_ahead(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = Decoding(monkeypatch)
    async with reader.stream(DOCUMENT, LINE) as stream:
        pages = stream.pages()
        await anext(pages)
        await asyncio.wait_for(decoding.fourth.wait(), 50)
        await asyncio.sleep(0.2)  # nothing else may begin, however long it waits
        assert sorted(decoding.begun) == [1, 2, 3, 4]
        await anext(pages)
        await pages.aclose()


async def test_pages_that_are_known_are_not_read_again(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = Decoding(monkeypatch)
    async with reader.stream(DOCUMENT, LINE) as stream:
        pages = [page async for page in stream.pages(without={1, 2, 3, 5, 8})]
    assert [page.number for page in pages] == [4, 6, 7]
    assert sorted(decoding.begun) == [4, 6, 7]


async def test_a_picture_is_a_document_of_one_page(reader: Reader) -> None:
    buffer = io.BytesIO()
    Image.fromarray(tiny_model.draw("12")).save(buffer, "PNG")
    async with reader.stream(buffer.getvalue(), LINE) as stream:
        (page,) = [page async for page in stream.pages()]
    assert text_of(page) == "12"


async def test_a_bad_page_spoils_only_itself(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ProcessSource.page

    async def page(source: ProcessSource, number: int) -> Any:
        if number == 2:
            raise UndecodableImage("torn")
        return await plain(source, number)

    monkeypatch.setattr(ProcessSource, "page", page)
    run = reader.sessions.recognisers["tiny"].run
    narrow = tiny_model.draw("中文").mean()

    def broken(width: int, payloads: Any, *rest: Any, **named: Any) -> Any:
        if any(abs(float(each.mean()) - narrow) < 1e-6 for each in payloads):
            raise RuntimeError("out of memory")
        return run(width, payloads, *rest, **named)

    monkeypatch.setattr(reader.sessions.recognisers["tiny"], "run", broken)
    async with reader.stream(DOCUMENT, LINE) as stream:
        pages = [page async for page in stream.pages()]
    failed = {page.number: type(page.error) for page in pages if page.error}
    assert failed == {2: UndecodableImage, 7: EngineFailure}
    assert [text_of(page) for page in pages if not page.error] == ["12", "56", "78", "90", "AB", "XY"]


def hanging(number: int, **limits: Any) -> PageStream:
    """A stream of eight pages whose page of this number is never read; the others take no time."""

    async def read(page: int, reading: Reading) -> ReadPage:
        if page == number:
            await asyncio.Event().wait()
        return ReadPage(Page(page, 10, 10), [])

    deadline = asyncio.get_running_loop().time() + limits.pop("seconds", 3600)
    recogniser: Any = SimpleNamespace(id=ModelId("tiny", "sha256:00"))
    return PageStream(Reading(LINE, recogniser, None, deadline), tuple(range(1, 9)), read, **limits)


async def test_a_deadline_delivers_the_pages_before_it() -> None:
    pages = hanging(4, seconds=1.0).pages()
    seen: list[int] = []
    while len(seen) < 3:
        seen.append((await anext(pages)).number)
    with pytest.raises(DeadlineExceeded, match="page 4"):
        await anext(pages)
    assert seen == [1, 2, 3]


async def test_a_page_of_a_job_has_its_own_time() -> None:
    stream = hanging(4, background=BackgroundLimits(1.0, 100))
    pages = [page async for page in stream.pages()]
    assert [page.number for page in pages] == list(range(1, 9))
    assert [page.number for page in pages if page.error] == [4]
    assert isinstance(pages[3].error, DeadlineExceeded)


async def test_a_job_may_have_more_pages_than_a_request(reader: Reader) -> None:
    long = tiff(*(tiny_model.draw("1") for _ in range(9)))
    with pytest.raises(TooManyPages):
        async with reader.stream(long, LINE):
            pytest.fail("nine pages were opened")
    async with reader.stream(long, LINE, background=PATIENT) as stream:
        assert len(stream.numbers) == 9
    with pytest.raises(TooManyPages):
        async with reader.stream(long, LINE, background=BackgroundLimits(60, 8)):
            pytest.fail("nine pages were opened")


async def test_leaving_withdraws_the_pages_in_work(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    may_finish, running = threading.Event(), threading.Semaphore(0)
    run = reader.sessions.run

    def slow(*arguments: Any) -> Any:
        running.release()
        assert may_finish.wait(30)
        return run(*arguments)

    monkeypatch.setattr(reader.batcher._workers._runner, "_run", slow)
    async with reader.stream(DOCUMENT, LINE) as stream:
        first = asyncio.ensure_future(anext(stream.pages()))
        await asyncio.to_thread(running.acquire)
        first.cancel()
        await asyncio.wait({first})
        assert reader.batcher.load().outstanding == 0
    may_finish.set()


async def test_a_scheduler_that_stops_ends_the_document(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Decoding(monkeypatch).hold(3)
    async with reader.stream(DOCUMENT, LINE) as stream:
        pages = stream.pages()
        assert text_of(await anext(pages)) == "12"
        assert text_of(await anext(pages)) == "34"
        await reader.batcher.close(0)
        gate.set()
        with pytest.raises(Unavailable):
            await anext(pages)
