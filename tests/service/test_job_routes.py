"""Jobs over HTTP: the whole application with a tiny real recogniser, whose pages are decoded when the test says so."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest
import tiny_model
from PIL import Image

from ocrsvc.errors import UndecodableImage
from ocrsvc.pages.decoder_processes import ProcessSource
from ocrsvc.reading.reader import Reader
from ocrsvc.service import job_schemas, schemas
from ocrsvc.service.app import create_app
from ocrsvc.settings import Settings

TEXTS = ("12", "34", "56", "78", "90")


def tiff(*texts: str) -> bytes:
    first, *others = (Image.fromarray(tiny_model.draw(text)) for text in texts)
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


DOCUMENT = tiff(*TEXTS)


class ColdReader(Reader):
    """Does not run every shape once before, which is most of what a test would take."""

    async def start(self, *, warm: bool = False) -> None:
        await super().start(warm=warm)


class Decoding:
    """Counts the pages that were decoded; ``hold`` keeps a page until its event is set, ``tear`` breaks one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[int] = []
        self._gates: dict[int, asyncio.Event] = {}
        self._torn: set[int] = set()
        plain = ProcessSource.page

        async def page(source: ProcessSource, number: int) -> Any:
            self.begun.append(number)
            if number in self._gates:
                await self._gates[number].wait()
            if number in self._torn:
                raise UndecodableImage(f"Page {number} is torn.")
            return await plain(source, number)

        monkeypatch.setattr(ProcessSource, "page", page)

    def hold(self, number: int) -> asyncio.Event:
        return self._gates.setdefault(number, asyncio.Event())

    def tear(self, *numbers: int) -> None:
        self._torn |= set(numbers)


@pytest.fixture
def decoding(monkeypatch: pytest.MonkeyPatch) -> Decoding:
    return Decoding(monkeypatch)


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    tiny_model.write_with_detector(folder)
    return folder


class Client:
    """A client of one application."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ready(self) -> Client:
        await self.until(self._is_ready)
        return self

    async def _is_ready(self) -> bool:
        return (await self.http.get("/readyz")).status_code == 200

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until an async condition holds; the test's time-out is the only limit."""
        while not await condition():  # noqa: ASYNC110  (what is waited for is on the other side of HTTP)
            await asyncio.sleep(0.05)

    async def add(self, content: bytes = DOCUMENT, query: str = "mode=line") -> str:
        answer = await self.http.post(f"/api/jobs?{query}", content=content)
        assert answer.status_code == 202, answer.text
        return job_schemas.JobShape.model_validate(answer.json()).id

    async def job(self, id_: str) -> dict[str, Any]:
        answer = await self.http.get(f"/api/jobs/{id_}")
        assert answer.status_code == 200, answer.text
        job_schemas.JobShape.model_validate(answer.json())
        return dict(answer.json())

    async def over(self, id_: str) -> dict[str, Any]:
        async def is_over() -> bool:
            return (await self.job(id_))["state"] in ("done", "failed")

        await self.until(is_over)
        return await self.job(id_)

    async def read(self, id_: str, count: int) -> None:
        async def has() -> bool:
            return bool((await self.job(id_))["pages"]["read"] >= count)

        await self.until(has)

    async def result(self, id_: str, query: str = "", **headers: str) -> httpx.Response:
        return await self.http.get(f"/api/jobs/{id_}/result?{query}", headers=headers)


Opened = Callable[..., contextlib.AbstractAsyncContextManager[Client]]


@pytest.fixture
def opened(models_dir: Path) -> Opened:
    """``opened(jobs_path=..., ...)`` -> an application in its lifespan, which ends as at a shutdown."""

    @contextlib.asynccontextmanager
    async def open_(*, ready: bool = True, **settings: Any) -> AsyncIterator[Client]:
        chosen = {"model": "tiny", "models_dir": models_dir, "workers": 2, "detector_side_pixels": 320}
        app = create_app(Settings(**{**chosen, **settings}), ColdReader)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
        ):
            client = Client(http)
            yield await client.ready() if ready else client

    return open_


@pytest.fixture
async def client(opened: Opened) -> AsyncIterator[Client]:
    async with opened() as client:
        yield client


def records(response: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert response.status_code == 200, response.text
    *pages, last = map(json.loads, response.text.splitlines())
    for page in pages:
        job_schemas.PageRecordShape.model_validate(page)
    job_schemas.LastRecordShape.model_validate(last)
    return pages, last


# --- the life of a job ---


async def test_a_job_from_its_upload_to_its_result(client: Client) -> None:
    answer = await client.http.post("/api/jobs?mode=line", content=DOCUMENT)
    assert answer.status_code == 202
    job = job_schemas.JobShape.model_validate(answer.json())
    assert answer.headers["location"] == f"/api/jobs/{job.id}"
    done = await client.over(job.id)
    assert (done["state"], done["pages"]) == ("done", {"total": 5, "read": 5, "failed": 0})
    assert done["created"] <= done["started"] <= done["ended"]
    result = await client.result(job.id)
    assert result.headers["content-type"] == "application/json"
    reading = schemas.ReadingShape.model_validate(result.json())
    whole = (await client.http.post("/api/ocr?mode=line", content=DOCUMENT)).json()
    assert reading.text == whole["text"] == "\n".join(TEXTS)
    for name in ("lines", "pages", "model"):
        assert result.json()[name] == whole[name]
    assert (await client.http.delete(f"/api/jobs/{job.id}")).status_code == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/result"), ("GET", "/events")):
        gone = await client.http.request(method, f"/api/jobs/{job.id}{path}")
        assert (gone.status_code, gone.json()["type"]) == (404, "/problems/not-found")


async def test_three_ways_to_send_a_document(client: Client) -> None:
    text = base64.b64encode(DOCUMENT).decode()
    for request in (
        {"files": {"image": ("a.tif", DOCUMENT)}, "data": {"mode": "line", "pages": "2-3"}},
        {"json": {"image": text, "mode": "line", "pages": "2-3"}},
        {"content": DOCUMENT, "params": {"mode": "line", "pages": "2-3"}},
    ):
        answer = await client.http.post("/api/jobs", **request)
        assert answer.status_code == 202, answer.text
        assert (await client.over(answer.json()["id"]))["pages"]["read"] == 2
        assert (await client.result(answer.json()["id"], "format=text")).text == "34\n56\n"


async def test_every_format_of_a_result(client: Client) -> None:
    job = await client.add(query="mode=line&format=text&characters=true")
    await client.over(job)
    assert (await client.result(job)).text == "\n".join(TEXTS) + "\n"
    as_json = await client.result(job, "format=json")
    assert as_json.json()["lines"][0]["characters"][0]["text"] == "1"
    assert "characters" not in (await client.result(job, "format=json&characters=false")).json()["lines"][0]
    assert (await client.result(job, accept="application/json")).json()["text"] == as_json.json()["text"]
    rows = (await client.result(job, "format=tsv")).text.splitlines()
    assert [row.split("\t")[-1] for row in rows if row.startswith("5\t")] == list(TEXTS)
    pages, last = records(await client.result(job, "format=jsonl"))
    assert [page["text"] for page in pages] == list(TEXTS)
    assert (last["done"], last["state"], last["page_count"]) == (True, "done", 5)
    events = (await client.result(job, accept="text/event-stream")).text
    assert events.count("event: page\n") == 5
    assert (await client.result(job, accept="image/png")).status_code == 406
    for wrong in ("format=rtf", "mode=line", "characters=maybe"):
        assert (await client.result(job, wrong)).status_code == 422


async def test_a_searchable_pdf_needs_a_job_that_was_sent_for_one(client: Client) -> None:
    answer = await client.http.post(
        "/api/jobs", files={"image": ("scan.tif", DOCUMENT)}, data={"mode": "line", "format": "pdf"}
    )
    job = answer.json()["id"]
    await client.over(job)
    made = await client.result(job)
    assert made.headers["content-type"] == "application/pdf"
    assert 'filename="scan.tif.pdf"' in made.headers["content-disposition"]
    with pikepdf.Pdf.open(io.BytesIO(made.content)) as opened:
        assert len(opened.pages) == len(TEXTS)
    assert (await client.result(job, "format=text")).text == "\n".join(TEXTS) + "\n"

    other = await client.add(query="mode=line")
    await client.over(other)
    refused = await client.result(other, "format=pdf")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/document-not-kept")
    assert "format=pdf" in refused.json()["detail"]


async def test_the_result_of_an_unfinished_job(client: Client, decoding: Decoding) -> None:
    gate = decoding.hold(3)
    job = await client.add()
    await client.read(job, 2)
    refused = await client.result(job)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/job-unfinished")
    assert (refused.json()["pages_total"], refused.json()["pages_read"]) == (5, 2)
    assert refused.headers["retry-after"] == "1"
    pages, last = records(await client.result(job, "format=jsonl"))
    assert [page["text"] for page in pages] == ["12", "34"]
    assert (last["done"], last["state"], last["page_count"]) == (False, "running", 5)
    gate.set()
    await client.over(job)
    assert (await client.result(job)).json()["text"] == "\n".join(TEXTS)


async def test_the_events_of_a_job(client: Client, decoding: Decoding) -> None:
    gate = decoding.hold(2)
    job = await client.add()
    await client.read(job, 1)
    listening = asyncio.create_task(client.http.get(f"/api/jobs/{job}/events"))
    await asyncio.sleep(0.05)
    gate.set()
    answer = await listening
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    events = [dict(row.split(": ", 1) for row in each.split("\n")) for each in answer.text.split("\n\n")[:-1]]
    assert {each["event"] for each in events[:-1]} == {"progress"}
    assert events[-1]["event"] == "done"
    jobs = [job_schemas.JobShape.model_validate_json(each["data"]) for each in events]
    read = [each.pages.read for each in jobs if each.pages]
    assert read == sorted(read)
    assert (read[0], read[-1]) == (1, 5)
    again = await client.http.get(f"/api/jobs/{job}/events")
    assert again.text.startswith("event: done\n")


async def test_deleting_stops_the_work(client: Client, decoding: Decoding) -> None:
    decoding.hold(2)
    job, queued = await client.add(), await client.add()
    await client.read(job, 1)
    listening = asyncio.create_task(client.http.get(f"/api/jobs/{job}/events"))
    await asyncio.sleep(0.05)
    for each in (job, queued):
        assert (await client.http.delete(f"/api/jobs/{each}")).status_code == 204
    begun = len(decoding.begun)
    assert "event: cancelled\n" in (await listening).text
    decoding.hold(2).set()
    text = (await client.http.get("/metrics")).text
    assert "ocrsvc_lines_outstanding 0.0" in text
    other = await client.add(tiff("AB"))
    await client.over(other)  # the next job is read
    assert decoding.begun[begun:] == [1]


# --- faults ---


async def test_a_page_that_cannot_be_read_spoils_only_itself(client: Client, decoding: Decoding) -> None:
    decoding.tear(2, 4)
    job = await client.add()
    done = await client.over(job)
    assert (done["state"], done["pages"]) == ("done", {"total": 5, "read": 3, "failed": 2})
    body = (await client.result(job)).json()
    schemas.ReadingShape.model_validate(body)
    assert body["text"] == "12\n56\n90"
    assert [(each["page"], each["error"]["status"]) for each in body["page_errors"]] == [(2, 422), (4, 422)]
    assert (await client.result(job, "format=text")).text == "12\n56\n90\n"
    pages, last = records(await client.result(job, "format=jsonl"))
    assert [page["page"] for page in pages if "error" in page] == [2, 4]
    assert last["pages_failed"] == 2


async def test_a_document_that_cannot_be_opened_fails(client: Client) -> None:
    job = await client.add(DOCUMENT[:60])
    failed = await client.over(job)
    assert failed["state"] == "failed"
    assert failed["problem"]["type"] == "/problems/undecodable-image"
    refused = await client.result(job)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/job-failed")
    assert refused.json()["problem"] == failed["problem"]
    pages, last = records(await client.result(job, "format=jsonl"))
    assert (pages, last["done"], last["error"]["status"]) == ([], False, 422)


@pytest.mark.parametrize(
    ("content", "query", "status"),
    [
        (b"", "", 400),
        (b"this is no picture", "", 415),
        (DOCUMENT, "mode=word", 422),
        (DOCUMENT, "model=none", 422),
    ],
)
async def test_what_is_refused_at_once(client: Client, content: bytes, query: str, status: int) -> None:
    answer = await client.http.post(f"/api/jobs?{query}", content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_more_pages_than_a_job_may_have(opened: Opened) -> None:
    async with opened(jobs_max_pages=4, max_pages=1) as client:
        failed = await client.over(await client.add())
        assert failed["problem"]["type"] == "/problems/too-many-pages"
        assert (await client.over(await client.add(query="mode=line&pages=1-4")))["state"] == "done"


async def test_a_full_store_says_so(opened: Opened, decoding: Decoding) -> None:
    decoding.hold(1)
    async with opened(jobs_max_count=1, jobs_max_body_bytes=len(DOCUMENT)) as client:
        await client.add()
        refused = await client.http.post("/api/jobs?mode=line", content=DOCUMENT)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/job-store-full")
        assert int(refused.headers["retry-after"]) >= 1
        larger = await client.http.post("/api/jobs", content=DOCUMENT + b"\0")
        assert (larger.status_code, larger.json()["max_bytes"]) == (413, len(DOCUMENT))


async def test_a_store_that_cannot_be_made_disturbs_nothing_else(
    opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    async with opened(jobs_path=tmp_path / "file" / "jobs.sqlite") as client:
        refused = await client.http.post("/api/jobs", content=DOCUMENT)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/job-store-unavailable")
        assert "retry-after" in refused.headers
        assert str(tmp_path) not in refused.text
        assert (await client.http.get("/readyz")).json() == {"status": "ready", "jobs": "unavailable"}
        assert (await client.http.post("/api/ocr?mode=line", content=DOCUMENT)).status_code == 200
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == [
        "the job store cannot be used"
    ]


async def test_a_store_that_comes_back_is_used_again(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "later" / "jobs.sqlite"
    path.parent.write_bytes(b"")
    async with opened(jobs_path=path) as client:
        assert (await client.http.post("/api/jobs", content=DOCUMENT)).status_code == 503
        path.parent.unlink()
        assert (await client.over(await client.add()))["state"] == "done"
        assert (await client.http.get("/readyz")).json()["jobs"] == "ok"


# --- restarts ---


async def test_a_restart_goes_on_where_the_job_stopped(
    opened: Opened, tmp_path: Path, decoding: Decoding
) -> None:
    decoding.hold(3)
    path = tmp_path / "jobs.sqlite"
    async with opened(jobs_path=path) as client:
        job = await client.add()
        await client.read(job, 2)
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT state, owner, crashes FROM jobs").fetchall()
    connection.close()
    assert rows == [("queued", None, 0)]
    decoding.hold(3).set()
    before = len(decoding.begun)
    async with opened(jobs_path=path) as client:
        await client.over(job)
        assert (await client.result(job, "format=text")).text == "\n".join(TEXTS) + "\n"
    assert sorted(decoding.begun[before:]) == [3, 4, 5]
    async with opened(jobs_path=path) as client:  # the finished one stays
        assert (await client.result(job, "format=text")).text == "\n".join(TEXTS) + "\n"


async def test_a_finished_job_goes_when_its_time_has_passed(opened: Opened) -> None:
    async with opened(jobs_keep_seconds=0.2) as client:
        job = await client.add()

        async def gone() -> bool:
            return (await client.http.get(f"/api/jobs/{job}")).status_code == 404

        await client.until(gone)


# --- beside others ---


async def test_few_jobs_are_read_at_once(opened: Opened, decoding: Decoding) -> None:
    gate = decoding.hold(1)
    async with opened(jobs_at_once=1) as client:
        jobs = [await client.add(tiff("12", "34")) for _ in range(3)]
        await client.until(lambda: asyncio.sleep(0, bool(decoding.begun)))
        states = [(await client.job(job))["state"] for job in jobs]
        assert states == ["running", "queued", "queued"]
        text = (await client.http.get("/metrics")).text
        gate.set()
        assert [(await client.over(job))["state"] for job in jobs] == ["done"] * 3
        assert "ocrsvc_jobs{" in text

        async def counted() -> bool:
            return 'ocrsvc_jobs{state="done"} 3.0' in (await client.http.get("/metrics")).text

        await client.until(counted)
        text = (await client.http.get("/metrics")).text
        assert 'ocrsvc_jobs_ended_total{outcome="done"} 3.0' in text
        assert 'ocrsvc_job_pages_total{outcome="read"} 6.0' in text


async def test_jobs_can_be_looked_at_while_the_models_load(opened: Opened, tmp_path: Path) -> None:
    async with opened(ready=False, jobs_path=tmp_path / "jobs.sqlite") as client:
        assert (await client.http.get("/api/jobs/none")).status_code == 404
        assert (await client.http.post("/api/jobs", content=DOCUMENT)).status_code == 503
        await client.ready()


async def test_ids_are_not_in_the_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ocrsvc")
    job = await client.add()
    await client.over(job)
    await client.result(job)
    text = "".join(str(vars(record)) for record in caplog.records if record.name.startswith("ocrsvc"))
    assert "job ended" in text
    assert job not in text
