"""The application as a whole, with a reader that can be made to fail, hang, or never load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from drawings import encode
from fastapi import FastAPI

from ocrsvc.errors import DeadlineExceeded, EngineFailure, Saturated, UndecodableImage
from ocrsvc.models.manifest import InputSpec, Manifest, ModelFile
from ocrsvc.pages.kinds import ACCEPTED, SUFFIXES
from ocrsvc.reading.page_stream import PageStream
from ocrsvc.reading.pixel_limit import PixelLimit
from ocrsvc.reading.reading import Reading, ReadOptions, ReadPage
from ocrsvc.reading.stage_log import StageLog
from ocrsvc.results import Character, Document, Line, ModelId, Page
from ocrsvc.scheduling.batcher import Load
from ocrsvc.scheduling.lanes import Lane
from ocrsvc.service import assets, job_schemas, schemas
from ocrsvc.service.app import create_app
from ocrsvc.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n picture"
BOX = ((0.0, 0.0), (40.0, 0.0), (40.0, 10.0), (0.0, 10.0))


def document(text: str, lines: int = 1) -> Document:
    characters = tuple(Character(c, 0.9, i / len(text), (i + 1) / len(text)) for i, c in enumerate(text))
    return Document(
        tuple(Line(text, 0.9, BOX, 1, characters) for _ in range(lines)),
        (Page(1, 40, 10),),
        ModelId("crnn", "sha256:00"),
        {"decode": 1.0, "recognise": 2.0},
    )


class IdleBatcher:
    """A scheduler without work, for the metrics."""

    longest_run_seconds = 0.125
    eta_seconds = 0.5
    full = False

    def check_room(self, *, client: str, deadline: float) -> None:
        """Refuse everything if it is full."""
        if self.full:
            raise Saturated("full", retry_after_seconds=7)

    def load(self) -> Load:
        queued = {Lane("crnn", 320, "digits"): 2, Lane("crnn", 320): 1}
        return Load(queued, 3, 1, 2, 0.5, 0.25, self.longest_run_seconds)


@dataclass
class IdleDecoder:
    """Decodes nothing; ``longest_seconds`` is what a stuck one would report."""

    longest_seconds: float = 0.0


class FaultyReader:
    """Stands in for a Reader; what it does wrong is told by the bytes of the picture and by its flags."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.may_start = asyncio.Event()
        self.may_finish = asyncio.Event()
        self.started = asyncio.Event()
        self.start_error: Exception | None = None
        self.batcher = IdleBatcher()
        self.pixel_limit = PixelLimit(1)
        self.cache = None
        self.decoder = IdleDecoder()
        self.alive = True
        self.ready = False
        self.closed = False
        self.reading = 0
        self.cancelled = 0
        self.refusals = 0
        self.options: list[ReadOptions] = []

    async def start(self) -> None:
        await self.may_start.wait()
        if self.start_error:
            raise self.start_error
        self.ready = True

    async def close(self) -> None:
        self.closed = True

    def models(self) -> list[Manifest]:
        weights = {"int8": ModelFile("ab" * 32, 7)}
        return [Manifest("crnn", "recogniser", "BiLSTM", InputSpec(), weights, charset="ab")]

    def end_runs(self, *, older_than_seconds: float) -> int:
        return 0

    async def read(
        self, data: bytes, options: ReadOptions, *, client: str = "", log: StageLog | None = None
    ) -> Document:
        self.options.append(options)
        self.reading += 1
        self.started.set()
        try:
            return await self._read(data)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.reading -= 1

    @contextlib.asynccontextmanager
    async def stream(
        self, data: bytes, options: ReadOptions, *, client: str = "", log: StageLog | None = None
    ) -> AsyncIterator[PageStream]:
        """Open a document, whose pages are the parts of ``data`` between slashes; no model reads them."""
        self.options.append(options)
        parts = data.split(b"/")

        async def read(number: int, reading: Reading) -> ReadPage:
            self.reading += 1
            self.started.set()
            try:
                read = await self._read(parts[number - 1])
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            finally:
                self.reading -= 1
            return ReadPage(replace(read.pages[0], number=number), list(read.lines))

        deadline = asyncio.get_running_loop().time() + (options.deadline_seconds or 3600)
        recogniser: Any = SimpleNamespace(id=ModelId("crnn", "sha256:00"))
        numbers = tuple(range(1, len(parts) + 1))
        yield PageStream(Reading(options, recogniser, None, deadline), numbers, read)

    async def _read(self, data: bytes) -> Document:
        if b"hang" in data:
            await self.may_finish.wait()
        if b"full once" in data and not self.refusals:
            self.refusals += 1
            raise Saturated("full", retry_after_seconds=0)
        if b"full" in data and b"once" not in data:
            raise Saturated("full", retry_after_seconds=9)
        faults: dict[bytes, Exception] = {
            b"bad": UndecodableImage("no picture"),
            b"late": DeadlineExceeded("too late"),
            b"engine": EngineFailure("secret"),
            b"bug": RuntimeError("secret"),
        }
        for word, error in faults.items():
            if word in data:
                raise error
        return document("发票 No. 1", 100 if b"long" in data else 1)


class Bench:
    """An application in its lifespan, its reader, and a client."""

    def __init__(self, app: FastAPI, reader: FaultyReader, client: httpx.AsyncClient) -> None:
        self.app, self.reader, self.client = app, reader, client

    @property
    def service(self) -> Any:
        return self.app.state.service

    async def ready(self) -> Bench:
        self.reader.may_start.set()
        for _ in range(200):
            if (await self.client.get("/readyz")).status_code == 200:
                return self
            await asyncio.sleep(0.005)
        raise AssertionError("never ready")

    async def metric(self, name: str) -> float:
        for line in (await self.client.get("/metrics")).text.splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0.0

    async def eventually(self, condition: Callable[[], bool]) -> None:
        for _ in range(400):
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("never came true")


@contextlib.asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Bench]:
    chosen = Settings(**{"model": "crnn", **settings})
    reader = FaultyReader(chosen)
    app = create_app(chosen, lambda *_: reader)  # type: ignore[arg-type]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield Bench(app, reader, client)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with opened() as bench:
        yield await bench.ready()


# --- start and stop -------------------------------------------------------------------------------------------------


async def test_it_answers_while_the_models_load() -> None:
    async with opened() as bench:
        assert (await bench.client.get("/livez")).json() == {"status": "alive"}
        for request in (
            bench.client.get("/readyz"),
            bench.client.post("/api/ocr", content=PNG),
            bench.client.post("/api/ocr/batch", files={"images": ("a", PNG)}),
        ):
            response = await request
            assert response.status_code == 503
            assert response.json()["type"] == "/problems/unavailable"
            assert int(response.headers["retry-after"]) >= 1
        assert await bench.metric("ocrsvc_ready") == 0
        await bench.ready()
        assert (await bench.client.post("/api/ocr", content=PNG)).status_code == 200
        assert await bench.metric("ocrsvc_ready") == 1
    assert bench.reader.closed


async def test_models_that_cannot_be_loaded_make_it_not_alive(caplog: pytest.LogCaptureFixture) -> None:
    async with opened() as bench:
        bench.reader.start_error = RuntimeError("secret /srv/models")
        bench.reader.may_start.set()
        await bench.eventually(lambda: bench.service.health.phase == "failed")
        for path in ("/livez", "/readyz"):
            response = await bench.client.get(path)
            assert response.status_code == 503
            assert "secret" not in response.text
    assert "could not be loaded" in caplog.text


async def test_a_dead_scheduler_is_noticed(bench: Bench) -> None:
    bench.reader.alive = False
    assert (await bench.client.get("/livez")).status_code == 503
    assert (await bench.client.get("/readyz")).status_code == 503
    assert (await bench.client.post("/api/ocr", content=PNG)).status_code == 503


async def test_a_run_that_does_not_end_is_noticed_and_load_is_not(bench: Bench) -> None:
    bench.reader.batcher.longest_run_seconds = 20
    assert (await bench.client.get("/livez")).status_code == 200
    bench.reader.batcher.longest_run_seconds = 500
    assert (await bench.client.get("/livez")).status_code == 503


async def test_a_page_that_is_decoded_without_end_is_noticed(bench: Bench) -> None:
    bench.reader.decoder.longest_seconds = 500
    answer = await bench.client.get("/livez")
    assert answer.status_code == 503
    bench.reader.decoder.longest_seconds = 20
    assert (await bench.client.get("/livez")).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_may_ask_with_head(bench: Bench, path: str) -> None:
    answer = await bench.client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_draining_finishes_what_has_come_and_refuses_the_rest(bench: Bench) -> None:
    old = asyncio.create_task(bench.client.post("/api/ocr", content=PNG + b"hang"))
    await bench.reader.started.wait()
    bench.service.drain()
    assert (await bench.client.get("/readyz")).status_code == 503
    assert (await bench.client.get("/livez")).status_code == 200
    # Over a connection that is open: the server takes no others.
    assert (await bench.client.post("/api/ocr", content=PNG)).status_code == 200
    bench.reader.may_finish.set()
    assert (await old).status_code == 200
    bench.service._give_up()
    refused = await bench.client.post("/api/ocr", content=PNG)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/shutting-down")


async def test_work_that_outlasts_the_drain_time_is_answered() -> None:
    async with opened(drain_seconds=0.05) as bench:
        await bench.ready()
        one = asyncio.create_task(bench.client.post("/api/ocr", content=PNG + b"hang"))
        files = [("images", ("a", PNG + b"hang")), ("images", ("b", PNG))]
        many = asyncio.create_task(bench.client.post("/api/ocr/batch", files=files))
        await bench.eventually(lambda: bench.reader.reading == 2)
        bench.service.drain()
        assert ((await one).status_code, (await one).json()["type"]) == (503, "/problems/shutting-down")
        lines = {line["file"]: line for line in map(json.loads, (await many).text.splitlines())}
        assert lines["a"]["error"]["type"] == "/problems/shutting-down"
        assert lines["b"]["text"] == "发票 No. 1"
        assert bench.reader.cancelled == 2


# --- one picture ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_", "media_type"),
    [
        ("json", "application/json"),
        ("text", "text/plain; charset=utf-8"),
        ("jsonl", "application/jsonl"),
        ("tsv", "text/tab-separated-values; charset=utf-8"),
        ("hocr", "text/vnd.hocr+html; charset=utf-8"),
        ("alto", "application/alto+xml"),
        ("pagexml", "application/vnd.prima.page+xml"),
    ],
)
async def test_every_format(bench: Bench, format_: str, media_type: str) -> None:
    for response in (
        await bench.client.post(f"/api/ocr?format={format_}", content=PNG),
        await bench.client.post("/api/ocr", content=PNG, headers={"Accept": media_type}),
        await bench.client.post("/api/ocr", files={"image": ("a", PNG)}, data={"format": format_}),
    ):
        assert response.status_code == 200
        assert response.headers["content-type"] == media_type
        assert "发票" in response.text


async def test_a_searchable_pdf_is_a_file_to_store(bench: Bench) -> None:
    picture = encode(np.full((10, 40, 3), 255, np.uint8))
    for response, name in (
        (await bench.client.post("/api/ocr?format=pdf", content=picture), "image.pdf"),
        (
            await bench.client.post(
                "/api/ocr", files={"image": ("发票.png", picture)}, headers={"Accept": "application/pdf"}
            ),
            "%E5%8F%91%E7%A5%A8.png.pdf",
        ),
    ):
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/pdf"
        assert response.headers["content-disposition"].endswith(f"filename*=UTF-8''{name}")
        assert response.content.startswith(b"%PDF-1.7")
    assert "content-disposition" not in (await bench.client.post("/api/ocr?format=hocr", content=PNG)).headers


async def test_a_picture_that_no_pdf_can_hold_is_a_problem(bench: Bench) -> None:
    response = await bench.client.post("/api/ocr?format=pdf", content=PNG)  # the fake reader reads anything
    assert (response.status_code, response.json()["type"]) == (422, "/problems/undecodable-image")
    response = await bench.client.post("/api/ocr?format=pdf", content=b"%PDF-1.7 nothing")
    assert (response.status_code, response.json()["type"]) == (422, "/problems/unmodifiable-pdf")


async def test_browsers_still_get_json(bench: Bench) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
    response = await bench.client.post("/api/ocr", content=PNG, headers={"Accept": accept})
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("granularity", ["line", "word", "char"])
async def test_words_and_characters_have_the_described_shape(bench: Bench, granularity: str) -> None:
    response = await bench.client.post(f"/api/ocr?granularity={granularity}", content=PNG)
    (line,) = schemas.ReadingShape.model_validate(response.json()).lines
    assert [word.text for word in line.words or ()] == (["发票", "No.", "1"] if granularity == "word" else [])
    assert len(line.characters or ()) == (len("发票 No. 1") if granularity == "char" else 0)


@pytest.mark.parametrize("characters", [True, False])
async def test_the_answer_has_the_described_shape(bench: Bench, characters: bool) -> None:
    response = await bench.client.post(f"/api/ocr?characters={characters}", content=PNG)
    reading = schemas.ReadingShape.model_validate(response.json())
    assert reading.request_id == response.headers["x-request-id"]
    assert (reading.lines[0].characters is not None) == characters
    assert reading.text == "发票 No. 1"


async def test_parameters_reach_the_reader(bench: Bench) -> None:
    await bench.client.post(
        "/api/ocr?mode=line&charset=digits&pages=2&n_best=4", content=PNG, headers={"X-Request-Timeout": "3"}
    )
    assert bench.reader.options[-1] == ReadOptions(
        mode="line", model=None, charset="digits", pages="2", deadline_seconds=3, n_best=4
    )


async def test_a_long_answer_is_written_in_the_pool(bench: Bench) -> None:
    response = await bench.client.post("/api/ocr", content=PNG + b"long")
    assert len(response.json()["lines"]) == 100


@pytest.mark.parametrize(
    ("word", "status", "slug"),
    [
        ("bad", 422, "undecodable-image"),
        ("late", 504, "deadline-exceeded"),
        ("full", 503, "saturated"),
        ("engine", 500, "engine-failure"),
        ("bug", 500, "internal-error"),
    ],
)
async def test_errors_of_the_reader(bench: Bench, word: str, status: int, slug: str) -> None:
    response = await bench.client.post("/api/ocr", content=PNG + word.encode())
    assert (response.status_code, response.json()["type"]) == (status, f"/problems/{slug}")
    assert "secret" not in response.text
    if status == 503:
        assert response.headers["retry-after"] == "9"
    assert (await bench.client.post("/api/ocr", content=PNG)).status_code == 200
    assert await bench.metric(f'ocrsvc_rejected_total{{reason="{slug}"}}') == 1


@pytest.mark.parametrize("path", ["/api/ocr", "/ocr"])
async def test_what_a_full_scheduler_would_refuse_is_not_received(bench: Bench, path: str) -> None:
    pieces = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal pieces
        for _ in range(100):
            pieces += 1
            yield bytes(1000)

    bench.reader.batcher.full = True
    answer = await bench.client.post(path, content=body())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert pieces == 0
    # Files of a batch and jobs wait for room.
    batch = await bench.client.post("/api/ocr/batch", files=[("images", ("a.png", b"fine"))])
    assert batch.status_code == 200
    assert "error" not in batch.json()
    bench.reader.batcher.full = False
    assert (await bench.client.post("/api/ocr", content=b"fine")).status_code == 200


async def test_more_requests_than_allowed_are_refused_at_once() -> None:
    async with opened(max_requests=2) as bench:
        await bench.ready()
        held = [asyncio.create_task(bench.client.post("/api/ocr", content=PNG + b"hang")) for _ in range(2)]
        await bench.eventually(lambda: bench.reader.reading == 2)
        assert await bench.metric("ocrsvc_requests_inside") == 2
        refused = await bench.client.post("/api/ocr", content=PNG)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/saturated")
        bench.reader.may_finish.set()
        assert [(await each).status_code for each in held] == [200, 200]
        assert await bench.metric("ocrsvc_requests_inside") == 0
        assert await bench.metric("ocrsvc_body_bytes_held") == 0


# --- page by page ---------------------------------------------------------------------------------------------------


def records_of(response: httpx.Response) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in response.text.splitlines()]
    for record in records[:-1]:
        job_schemas.PageRecordShape.model_validate(record)
    job_schemas.LastRecordShape.model_validate(records[-1])
    return records


async def test_jsonl_has_a_record_for_each_page_and_a_last_one(bench: Bench) -> None:
    response = await bench.client.post("/api/ocr?format=jsonl&characters=1", content=PNG + b"/2/bad/4")
    assert response.status_code == 200
    *pages, last = records_of(response)
    assert [(page["page"], page["page_count"]) for page in pages] == [(n, 4) for n in range(1, 5)]
    assert [page.get("text") for page in pages] == ["发票 No. 1", "发票 No. 1", None, "发票 No. 1"]
    assert pages[0]["lines"][0]["characters"]
    assert pages[1]["pages"] == [{"number": 2, "width": 40, "height": 10, "orientation": 0}]
    problem = pages[2]["error"]
    assert (problem["type"], problem["instance"]) == ("/problems/undecodable-image", "/api/ocr")
    request_id = response.headers["x-request-id"]
    assert last == {
        "done": True,
        "page_count": 4,
        "pages_read": 3,
        "pages_failed": 1,
        "request_id": request_id,
    }
    assert {record.get("request_id", problem["request_id"]) for record in pages} == {request_id}


async def test_events_have_the_same_records(bench: Bench) -> None:
    response = await bench.client.post("/api/ocr", content=b"1/2", headers={"Accept": "text/event-stream"})
    assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store"
    events = [event.split("\n") for event in response.text.strip().split("\n\n")]
    assert [event[:-1] for event in events] == [
        ["event: page", "id: 1"],
        ["event: page", "id: 2"],
        ["event: done"],
    ]
    records = [json.loads(event[-1].removeprefix("data: ")) for event in events]
    assert [record.get("page", record.get("done")) for record in records] == [1, 2, True]


async def test_a_deadline_says_so_in_the_last_record(bench: Bench) -> None:
    response = await bench.client.post(
        "/api/ocr?format=jsonl", content=b"1/2/hang/4", headers={"X-Request-Timeout": "1"}
    )
    *pages, last = records_of(response)
    assert [page["page"] for page in pages] == [1, 2]
    assert (last["done"], last["pages_read"], last["page_count"]) == (False, 2, 4)
    assert (last["error"]["status"], last["error"]["type"]) == (504, "/problems/deadline-exceeded")
    assert bench.reader.reading == 0


async def test_a_shutdown_says_so_in_the_last_record() -> None:
    async with opened(drain_seconds=0.05) as bench:
        await bench.ready()
        streaming = asyncio.create_task(bench.client.post("/api/ocr?format=jsonl", content=b"1/hang"))
        await bench.eventually(lambda: bench.reader.reading == 1)
        bench.service.drain()
        *pages, last = records_of(await streaming)
        assert [page["page"] for page in pages] == [1]
        assert last["error"]["type"] == "/problems/shutting-down"


@pytest.mark.parametrize("accept", ["application/jsonl", "text/event-stream"])
async def test_an_error_of_the_only_page_is_the_answer(bench: Bench, accept: str) -> None:
    response = await bench.client.post("/api/ocr", content=b"bad", headers={"Accept": accept})
    assert (response.status_code, response.json()["type"]) == (422, "/problems/undecodable-image")


async def test_a_fault_of_a_page_is_logged_and_not_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    response = await bench.client.post("/api/ocr?format=jsonl", content=b"1/bug/3")
    assert [record["error"]["status"] for record in records_of(response) if "error" in record] == [500]
    assert "secret" not in response.text
    assert [record.message for record in caplog.records if record.exc_info] == ["a page failed"]


async def test_leaving_a_stream_stops_the_reading(bench: Bench) -> None:
    sent = await leave_during(bench, "/api/ocr", b"image/png", b"1/hang/3", b"format=jsonl")
    assert [message.get("more_body", True) for message in sent] == [True] * len(sent)
    assert (bench.reader.reading, bench.reader.cancelled) == (0, 1)
    assert await bench.metric("ocrsvc_requests_inside") == 0
    assert await bench.metric("ocrsvc_body_bytes_held") == 0


async def test_pages_are_read_no_faster_than_they_are_sent(bench: Bench) -> None:
    may_go_on = asyncio.Event()
    texts: list[bytes] = []

    async def slowly(message: Any) -> None:
        if message.get("body"):
            texts.append(message["body"])
            await may_go_on.wait()

    read: list[int] = []
    plain = bench.reader._read

    async def counted(data: bytes) -> Document:
        read.append(len(read) + 1)
        return await plain(data)

    bench.reader._read = counted  # type: ignore[method-assign]
    scope = scope_of("/api/ocr", b"image/png", b"format=jsonl")
    never = asyncio.Event()
    messages = iter([{"type": "http.request", "body": b"/".join([b"1"] * 50), "more_body": False}])

    async def receive() -> Any:
        if message := next(messages, None):
            return message
        await never.wait()
        raise AssertionError

    exchange = asyncio.create_task(bench.app(scope, receive, slowly))
    await bench.eventually(lambda: bool(texts))
    await asyncio.sleep(0.05)
    assert len(read) <= 5
    may_go_on.set()
    await exchange
    assert len(texts) == 51


# --- many pictures --------------------------------------------------------------------------------------------------


async def test_a_bad_file_of_a_batch_spoils_only_itself(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    files = [
        ("images", ("slow.png", PNG + b"hang")),
        ("images", ("good.png", PNG)),
        ("images", ("bad.png", PNG + b"bad")),
        ("images", ("bug.png", PNG + b"bug")),
        ("images", ("empty.png", b"")),
    ]
    bench.reader.may_finish.set()
    response = await bench.client.post("/api/ocr/batch?characters=1", files=files)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/jsonl"
    lines = [json.loads(line) for line in response.text.splitlines()]
    for line in lines:
        schemas.BatchLineShape.model_validate(line)
    by_name = {line["file"]: line for line in lines}
    assert {name: line["index"] for name, line in by_name.items()} == {
        "slow.png": 0,
        "good.png": 1,
        "bad.png": 2,
        "bug.png": 3,
        "empty.png": 4,
    }
    assert by_name["good.png"]["text"] == "发票 No. 1"
    assert by_name["good.png"]["lines"][0]["characters"]
    problem = by_name["bad.png"]["error"]
    assert list(problem) == ["type", "title", "status", "detail", "instance", "request_id"]
    assert (problem["status"], problem["detail"]) == (422, "no picture")
    assert problem["request_id"] == response.headers["x-request-id"]
    assert by_name["bug.png"]["error"]["status"] == 500
    traces = [record for record in caplog.records if record.exc_info]
    assert [vars(record)["request_id"] for record in traces] == [response.headers["x-request-id"]]
    assert "secret" not in response.text
    assert by_name["empty.png"]["error"]["type"] == "/problems/empty-input"


async def test_a_batch_waits_while_the_scheduler_is_full(bench: Bench) -> None:
    response = await bench.client.post("/api/ocr/batch", files={"images": ("a", PNG + b"full once")})
    assert "error" not in json.loads(response.text), response.text
    assert json.loads(response.text)["text"] == "发票 No. 1"
    assert bench.reader.refusals == 1


async def test_a_batch_does_not_wait_for_ever() -> None:
    async with opened(deadline_seconds=1) as bench:
        await bench.ready()
        response = await bench.client.post("/api/ocr/batch", files={"images": ("a", PNG + b"full")})
        assert json.loads(response.text)["error"]["status"] == 503


async def test_a_batch_holds_few_pictures_at_a_time(bench: Bench) -> None:
    files = [("images", (f"{i}.png", PNG + b"hang")) for i in range(40)]
    waiting = asyncio.create_task(bench.client.post("/api/ocr/batch", files=files))
    most = bench.service.batch_concurrency
    await bench.eventually(lambda: bench.reader.reading == most)
    await asyncio.sleep(0.02)
    assert bench.reader.reading == most < 40
    bench.reader.may_finish.set()
    lines = [json.loads(line) for line in (await waiting).text.splitlines()]
    assert sorted(line["index"] for line in lines) == list(range(40))


@pytest.mark.parametrize("query", ["mode=word", "model=none", "charset=klingon"])
async def test_a_wrong_parameter_spoils_the_whole_batch(bench: Bench, query: str) -> None:
    response = await bench.client.post(f"/api/ocr/batch?{query}", files={"images": ("a", PNG)})
    assert response.status_code == 422
    assert await bench.metric("ocrsvc_requests_inside") == 0


async def test_a_batch_is_one_log_line(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ocrsvc")
    files = [("images", ("a", PNG)), ("images", ("b", PNG + b"bad")), ("images", ("c", PNG))]
    await bench.client.post("/api/ocr/batch", files=files)
    (record,) = caplog.records
    fields = vars(record)
    assert (fields["files"], fields["failed_files"], fields["lines"]) == (3, 1, 2)
    assert fields["problem"] == "undecodable-image"


# --- clients who leave ----------------------------------------------------------------------------------------------


def scope_of(path: str, content_type: bytes, query: bytes = b"") -> dict[str, Any]:
    """The scope of a POST request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"content-type", content_type)],
        "server": ("test", 80),
        "client": ("test", 1),
    }


async def leave_during(
    bench: Bench, path: str, content_type: bytes, body: bytes, query: bytes = b""
) -> list[Any]:
    """Send a request straight to the application and hang up once it is being read; return what was sent."""
    hung_up = asyncio.Event()
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])
    sent: list[Any] = []

    async def receive() -> Any:
        if message := next(messages, None):
            return message
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    exchange = asyncio.create_task(bench.app(scope_of(path, content_type, query), receive, send))
    await bench.reader.started.wait()
    hung_up.set()
    await exchange
    return sent


async def test_leaving_cancels_the_reading(bench: Bench) -> None:
    assert await leave_during(bench, "/api/ocr", b"image/png", PNG + b"hang") == []
    assert (bench.reader.reading, bench.reader.cancelled) == (0, 1)
    assert await bench.metric('ocrsvc_requests_total{code="499",route="/api/ocr"}') == 1
    assert await bench.metric("ocrsvc_requests_inside") == 0


async def test_leaving_a_batch_cancels_all_of_it(bench: Bench) -> None:
    form = httpx.Request(
        "POST", "http://test", files=[("images", (f"{i}", PNG + b"hang")) for i in range(20)]
    )
    form.read()
    sent = await leave_during(bench, "/api/ocr/batch", form.headers["content-type"].encode(), form.content)
    assert not any(message.get("body") for message in sent)
    await bench.eventually(lambda: bench.reader.reading == 0)
    assert bench.reader.cancelled >= 1
    assert len(bench.reader.options) < 20
    assert await bench.metric('ocrsvc_requests_total{code="499",route="/api/ocr/batch"}') == 1
    assert await bench.metric("ocrsvc_requests_inside") == 0
    assert await bench.metric("ocrsvc_body_bytes_held") == 0


# --- what it says about itself --------------------------------------------------------------------------------------


async def test_options_are_enough_for_a_form(bench: Bench) -> None:
    response = await bench.client.get("/api/options")
    offered = schemas.OptionsShape.model_validate(response.json())
    assert offered.modes == ["auto", "line", "page"]
    assert [each.name for each in offered.formats] == [
        "text",
        "json",
        "jsonl",
        "tsv",
        "markdown",
        "csv",
        "xlsx",
        "docx",
        "hocr",
        "alto",
        "pagexml",
        "pdf",
    ]
    charsets = {each.name: each for each in offered.charsets}
    assert (charsets["digits"].count, charsets["digits"].characters) == (10, "0123456789")
    assert charsets["hans"].count > 5000
    assert charsets["hans"].characters is None
    assert len((await bench.client.get("/api/options")).content) < 5000
    assert offered.limits.max_body_bytes == Settings().max_body_bytes
    assert offered.limits.max_job_bytes == 48 * 2**20  # three quarters of a store in memory
    assert offered.defaults.model == "crnn"
    assert offered.layouts == ["lines", "rows", "paragraphs", "tables", "raw"]
    assert (offered.pdf_texts, offered.defaults.pdf_text) == (["auto", "never", "always"], "auto")
    assert "image/png" in offered.accepted_types
    assert ".pdf" in offered.accepted_suffixes


async def test_models_are_described(bench: Bench) -> None:
    response = await bench.client.get("/api/models")
    (model,) = schemas.ModelsShape.model_validate(response.json()).models
    assert (model.name, model.default, model.characters) == ("crnn", True, 2)
    assert model.weights["int8"].digest == f"sha256:{'ab' * 32}"


def test_what_is_accepted_is_what_can_be_read() -> None:
    assert set(SUFFIXES) == set(ACCEPTED)


async def test_the_type_of_a_problem_leads_to_its_description(bench: Bench) -> None:
    problem = (await bench.client.post("/api/ocr", content=PNG + b"bad")).json()
    meaning = (await bench.client.get(problem["type"])).json()
    assert (meaning["title"], meaning["status"]) == (problem["title"], problem["status"])
    assert meaning["description"]
    assert (await bench.client.get("/problems/none")).status_code == 404


async def test_metrics_have_the_stages_and_the_build(bench: Bench) -> None:
    await bench.client.post("/api/ocr", content=PNG)
    text = (await bench.client.get("/metrics")).text
    for expected in (
        'ocrsvc_requests_total{code="200",route="/api/ocr"} 1.0',
        'ocrsvc_stage_duration_seconds_count{stage="recognise"} 1.0',
        "ocrsvc_document_lines_total 1.0",
        "ocrsvc_document_pixels_total 400.0",
        f"ocrsvc_body_bytes_total {float(len(PNG))}",
        'model="crnn"',
        "ocrsvc_effective_cpus",
        'ocrsvc_queue_lines{bucket="320",model="crnn"} 3.0',
        "ocrsvc_queue_eta_seconds 0.5",
        "ocrsvc_workers_busy 1.0",
    ):
        assert expected in text


async def test_the_event_loop_is_watched(bench: Bench) -> None:
    for _ in range(400):
        if await bench.metric("ocrsvc_event_loop_lag_seconds_count") >= 1:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody watches it")


async def test_the_description_shows_three_forms_and_a_file_picker(bench: Bench) -> None:
    description = (await bench.client.get("/openapi.json")).json()
    one = description["paths"]["/api/ocr"]["post"]
    content = one["requestBody"]["content"]
    assert list(content) == [
        "multipart/form-data",
        "application/json",
        "image/*",
        "application/pdf",
        "application/octet-stream",
    ]
    schemas = description["components"]["schemas"]
    assert content["multipart/form-data"]["schema"] == {"$ref": "#/components/schemas/PictureForm"}
    picker = schemas["PictureForm"]["properties"]["image"]
    assert (picker["type"], picker["format"]) == ("string", "binary")
    assert content["application/json"]["examples"]["data-uri"]["value"]["image"].startswith("data:image/png")
    assert [each["name"] for each in one["parameters"] if each["in"] == "query"] == [
        "mode",
        "model",
        "format",
        "charset",
        "charset_mode",
        "orientation",
        "layout",
        "pages",
        "pdf_text",
        "password",
        "characters",
        "granularity",
        "n_best",
        "review_threshold",
        "regions",
        "ignore",
        "template",
    ]
    references = set(_references(description))
    assert "#/components/schemas/Problem" in references
    for path, operations in description["paths"].items():
        for operation in operations.values():
            parameters = operation.get("parameters", [])
            assert {each["name"] for each in parameters if each["in"] == "path"} == set(
                re.findall(r"\{(\w+)\}", path)
            )
    ids = [operation["operationId"] for path in description["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in _references(value)]
    if isinstance(node, list):
        return [each for value in node for each in _references(value)]
    return []


@pytest.mark.parametrize("example", ["base64", "data-uri"])
async def test_the_examples_of_the_description_work(bench: Bench, example: str) -> None:
    description = (await bench.client.get("/openapi.json")).json()
    content = description["paths"]["/api/ocr"]["post"]["requestBody"]["content"]
    value = content["application/json"]["examples"][example]["value"]
    assert (await bench.client.post("/api/ocr", json=value)).status_code == 200


async def test_docs_need_nothing_from_elsewhere(bench: Bench) -> None:
    page = await bench.client.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "script-src 'self';" in page.headers["content-security-policy"]
    for path, kind in (
        ("docs/assets/swagger-ui-bundle.js", "javascript"),
        ("docs/assets/swagger-ui.css", "text/css"),
        ("docs/start.js", "javascript"),
    ):
        assert path in page.text
        response = await bench.client.get(f"/{path}")
        assert response.status_code == 200
        assert kind in response.headers["content-type"]


async def test_the_page_and_its_files(bench: Bench) -> None:
    page = await bench.client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    for file in filter(Path.is_file, assets.web_folder().rglob("*")):
        response = await bench.client.get(f"/static/{file.relative_to(assets.web_folder()).as_posix()}")
        assert response.status_code == 200
        assert "content-security-policy" in response.headers


@pytest.mark.parametrize(
    "path", ["/static/../pyproject.toml", "/static/%2e%2e/pyproject.toml", "/static/no.js"]
)
async def test_nothing_else_is_served(bench: Bench, path: str) -> None:
    response = await bench.client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/ocr"), ("DELETE", "/api/options"), ("POST", "/")])
async def test_wrong_methods(bench: Bench, method: str, path: str) -> None:
    response = await bench.client.request(method, path)
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["allow"]
