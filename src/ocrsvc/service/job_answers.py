"""What the routes of jobs answer: a job as JSON, its progress as events, its result in any format."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from ocrsvc.documents.page_structure import with_blocks
from ocrsvc.documents.repeats import with_repeats
from ocrsvc.errors import JobFailed, JobStoreUnavailable, JobUnfinished, NotFound
from ocrsvc.formats import Format, Rendering, json_format, jsonl_format
from ocrsvc.jobs.job import Job
from ocrsvc.jobs.rows import StoredPage
from ocrsvc.results import Document, joined
from ocrsvc.service.job_desk import JobDesk
from ocrsvc.service.streamed import EVENTS, KEEP_ALIVE_SECONDS, Encoding

_PAGES_AT_ONCE = 16  # taken from the store for a streamed result


def as_mapping(job: Job) -> dict[str, Any]:
    """Return a job as plain values, ready for a JSON encoder."""
    body: dict[str, Any] = {
        "id": job.id,
        "state": job.state,
        "pages": {"total": job.pages_total, "read": job.pages_read, "failed": job.pages_failed},
        "created": _time(job.created),
        "started": _time(job.started),
        "ended": _time(job.ended),
    }
    return body if job.problem is None else body | {"problem": job.problem}


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def progress(desk: JobDesk, job: Job, giving_up: asyncio.Future[None]) -> AsyncGenerator[bytes, None]:
    """Yield an event for each change of a job, and a last one named by how it ended; a shutdown ends them earlier."""
    loop = asyncio.get_running_loop()
    told: Job | None = None
    spoken = loop.time()
    with desk.listening():
        while not giving_up.done():
            if job != told:
                told, spoken = job, loop.time()
                yield EVENTS.encode(as_mapping(job), job.state if job.is_over else "progress", job.pages_read)
            elif loop.time() > spoken + KEEP_ALIVE_SECONDS:
                spoken = loop.time()
                yield EVENTS.keep_alive
            if job.is_over:
                return
            await desk.change()
            try:
                job = await desk.get(job.id, key=job.order.key)
            except JobStoreUnavailable:
                continue  # the store may be usable again at the next look
            except NotFound:
                yield EVENTS.encode({"id": job.id, "state": "cancelled"}, "cancelled")
                return


async def records(
    desk: JobDesk, job: Job, rendering: Rendering, encoding: Encoding
) -> AsyncGenerator[bytes, None]:
    """Yield the records of the pages that have been read, a few at a time, and a last one with the job's state."""
    number = read = failed = 0
    while pages := await desk.pages(job.id, number, _PAGES_AT_ONCE):
        for page in pages:
            number = page.number
            read, failed = read + (page.problem is None), failed + (page.problem is not None)
            record = await asyncio.to_thread(_record, page, job.pages_total or 1, rendering)
            yield encoding.encode(record, "page", number)
    last: dict[str, Any] = {
        "done": job.state == "done",
        "state": job.state,
        "page_count": job.pages_total,
        "pages_read": read,
        "pages_failed": failed,
        "request_id": rendering.request_id,
    }
    if job.problem is not None:
        last["error"] = {"instance": f"/api/jobs/{job.id}", "request_id": rendering.request_id, **job.problem}
    yield encoding.encode(last, "done")


def _record(page: StoredPage, page_count: int, rendering: Rendering) -> dict[str, Any]:
    if page.problem is not None:
        problem = {"instance": "", "request_id": rendering.request_id, **page.problem}
        return jsonl_format.error_record(problem, page.number, page_count)
    return jsonl_format.page_record(page.document(), page.number, page_count, rendering)


def check_whole(job: Job) -> None:
    """Raise JobUnfinished or JobFailed unless the job is done."""
    if job.state == "failed":
        raise JobFailed("The job has failed, so there is no result; problem says why.", problem=job.problem)
    if not job.is_over:
        raise JobUnfinished(
            "The job is not done. Ask again later, or take the pages read so far with format=jsonl.",
            state=job.state,
            pages_total=job.pages_total,
            pages_read=job.pages_read,
        )


def document_of(pages: Sequence[StoredPage]) -> Document:
    """Return the pages that could be read as one document; JobFailed if there is none."""
    documents = [page.document() for page in pages if page.problem is None]
    if not documents:
        problem = next(page.problem for page in pages)
        raise JobFailed("Not one page could be read; problem says why.", problem=problem)
    return joined(documents)


def render(pages: Sequence[StoredPage], format_: Format, rendering: Rendering) -> bytes:
    """Return the whole result of a job in a format; JobFailed if not one page could be read.

    In json, ``page_errors`` lists the pages that could not be read.
    """
    document = document_of(pages)
    problems = [{"page": page.number, "error": page.problem} for page in pages if page.problem is not None]
    if (
        format_.structured and not document.blocks
    ):  # the job was not sent with a format or layout that needs them
        document = with_blocks(document)
    document = with_repeats(document)
    if format_.name == "json" and problems:
        body = json_format.as_mapping(document, rendering)
        return json_format.encode(body | {"page_errors": problems}) + b"\n"
    return format_.render(document, rendering)
