"""Routes under which clients of other OCR services have long documents read, on our jobs (``ocrsvc.compat``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial, wraps
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocrsvc.compat import paddleocr_jobs, umi_documents, umi_ocr
from ocrsvc.compat.contract import Members, Refusal
from ocrsvc.errors import InvalidRequest, NotFound, OcrError
from ocrsvc.formats import FORMATS, Rendering
from ocrsvc.jobs.job import Job
from ocrsvc.jobs.rows import StoredPage
from ocrsvc.pages.kinds import sniff
from ocrsvc.service import body, job_answers, json_body
from ocrsvc.service import compat_openapi as described
from ocrsvc.service.attachment import disposition
from ocrsvc.service.compat_reading import encoded, options_of, received, refused
from ocrsvc.service.connection import unless_gone
from ocrsvc.service.job_desk import JobDesk
from ocrsvc.service.job_routes import job_of
from ocrsvc.service.record import record_of
from ocrsvc.service.routes import Direct
from ocrsvc.service.state import service_of
from ocrsvc.service.streamed import LINES, StreamedResponse
from ocrsvc.service.uploads import media_type_of

compat_jobs = APIRouter(route_class=Direct, tags=[described.TAG])

Handler = Callable[[Request], Awaitable[Response]]

_MOST_ASKED_BYTES = 64 * 1024  # of a request without a file
_PAGES_AT_ONCE = 16  # taken from the store for a streamed result


def _refusing(refuse: Callable[[Members], Refusal]) -> Callable[[Handler], Handler]:
    """Return a decorator that answers errors as a contract does."""

    def decorated(handler: Handler) -> Handler:
        @wraps(handler)
        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except OcrError as error:
                return refused(request, refuse, error)

        return answered

    return decorated


def _json(content: Members) -> Response:
    return Response(encoded(content), 200, {"Cache-Control": "no-store"}, "application/json")


# --- PaddleOCR ---


@compat_jobs.post(
    "/api/v2/ocr/jobs",
    operation_id="compatPaddleJob",
    summary="PaddleOCR: have a document read",
    openapi_extra=described.request(
        described.form("file", fields=("model", "optionalPayload", "pageRanges"))
    ),
    responses=described.responses(described.PADDLE_JOB, 400, 408, 413, 415, 422, 500, 503),
)
@_refusing(paddleocr_jobs.refuse)
async def add_paddle_job(request: Request) -> Response:
    """Take a file as PaddleOCR's job interface does. Files at URLs are not fetched."""
    service = service_of(request)
    if media_type_of(request).startswith("application/json"):
        raise InvalidRequest("The service fetches no URLs: send the file itself, in the form field 'file'.")
    names = (paddleocr_jobs.UPLOAD_FIELD,)
    async with received(request, names, service.job_file) as (picture, members):
        data = await picture.load(service.pool, limit_bytes=service.job_file.body_bytes)
        order = paddleocr_jobs.order_of(options_of(request, service), members, picture.name, sniff(data))
        job = await service.jobs.add(order, data, key=record_of(request.scope).key)
    return _json(paddleocr_jobs.accepted(job))


@compat_jobs.get(
    "/api/v2/ocr/jobs/{id}",
    operation_id="compatPaddleJobState",
    summary="PaddleOCR: how far a job is",
    openapi_extra=described.path("id"),
    responses=described.responses(described.PADDLE_JOB, 404, 503),
)
@_refusing(paddleocr_jobs.refuse)
async def paddle_job(request: Request) -> Response:
    """Return the state of a job, and the address of its result once it is done."""
    job = paddleocr_jobs.check_ours(await job_of(request))
    return _json(paddleocr_jobs.state_of(job, f"{request.base_url}api/v2/ocr/jobs/{job.id}/result.jsonl"))


@compat_jobs.get(
    "/api/v2/ocr/jobs/{id}/result.jsonl",
    operation_id="compatPaddleJobResult",
    summary="PaddleOCR: the result of a job",
    openapi_extra=described.path("id"),
    response_class=Response,
    responses=described.file_responses(LINES.media_type),
)
@_refusing(paddleocr_jobs.refuse)
async def paddle_result(request: Request) -> Response:
    """Return the result, one page a line. No key is needed, because the clients send none here."""
    desk = service_of(request).jobs
    job = paddleocr_jobs.check_ours(await job_of(request))
    job_answers.check_whole(job)
    return StreamedResponse(_paddle_lines(desk, job), AsyncExitStack(), media_type=LINES.media_type)


async def _paddle_lines(desk: JobDesk, job: Job) -> AsyncGenerator[bytes, None]:
    number = 0
    while pages := await desk.pages(job.id, number, _PAGES_AT_ONCE):
        number = pages[-1].number
        yield await asyncio.to_thread(paddleocr_jobs.records, job, pages)


# --- Umi-OCR ---


@compat_jobs.post(
    "/api/doc/upload",
    operation_id="compatUmiUpload",
    summary="Umi-OCR: have a document read",
    openapi_extra=described.request(described.form("file", fields=("json",))),
    responses=described.responses(described.UMI, 503),
)
@_refusing(umi_ocr.refuse)
async def umi_upload(request: Request) -> Response:
    """Take a file with its options as JSON text; the answer has the id of the task."""
    service = service_of(request)
    names = (umi_documents.UPLOAD_FIELD,)
    async with received(request, names, service.job_file) as (picture, members):
        data = await picture.load(service.pool, limit_bytes=service.job_file.body_bytes)
        sniff(data)
        order = umi_documents.order_of(options_of(request, service), members, picture.name)
        job = await service.jobs.add(order, data, key=record_of(request.scope).key)
    return _json({"code": umi_ocr.DONE, "data": job.id})


@compat_jobs.post(
    "/api/doc/result",
    operation_id="compatUmiResult",
    summary="Umi-OCR: the state and the text of a task",
    openapi_extra=described.request(described.json_with("id", "is_data", "is_unread", "format")),
    responses=described.responses(described.UMI, 503),
)
@_refusing(umi_ocr.refuse)
async def umi_result(request: Request) -> Response:
    """Return how far a task is, with `is_data` also the pages that have not been fetched, or all of them."""
    desk = service_of(request).jobs
    job, asked = await _umi_task(request)
    pages: Sequence[StoredPage] | None = None
    if asked.get("is_data") is True:
        wanted = desk.pages(job.id) if asked.get("is_unread") is False else desk.unread(job.id)
        pages = await wanted
    format_ = str(asked.get("format") or "dict")
    return _json(await asyncio.to_thread(umi_documents.state_of, job, pages, format_))


@compat_jobs.post(
    "/api/doc/download",
    operation_id="compatUmiFiles",
    summary="Umi-OCR: the address of a task's files",
    openapi_extra=described.request(described.json_with("id", "file_types", "ingore_blank")),
    responses=described.responses(described.UMI, 503),
)
@_refusing(umi_ocr.refuse)
async def umi_files(request: Request) -> Response:
    """Return an address that has the result in these formats; `ingore_blank` is spelt as Umi-OCR does."""
    job, asked = await _umi_task(request)
    kinds = umi_documents.wanted_files(job, asked)
    name = umi_documents.download_name(job, kinds)
    skip = asked.get("ingore_blank", True) is not False
    query = urlencode({"types": ",".join(kinds), "skip_blank": str(skip).lower()})
    address = f"{request.base_url}api/doc/download/{job.id}/{quote(name, safe='')}?{query}"
    return _json({"code": umi_ocr.DONE, "data": address, "name": name})


@compat_jobs.get(
    "/api/doc/download/{id}/{name}",
    operation_id="compatUmiFile",
    summary="Umi-OCR: a task's file",
    openapi_extra=described.path("id", "name"),
    response_class=Response,
    responses=described.file_responses("application/octet-stream"),
)
async def umi_file(request: Request) -> Response:
    """Return the file of one format, or a ZIP archive of several."""
    service = service_of(request)
    job = umi_documents.check_ours(await job_of(request))
    asked = {"file_types": request.query_params.get("types", umi_documents.LAYERED).split(",")}
    kinds = umi_documents.wanted_files(job, asked)
    pages = await service.jobs.pages(job.id)
    layered = None
    if umi_documents.LAYERED in kinds:
        source = await service.jobs.document(job.id)
        rendering = Rendering(
            request_id=record_of(request.scope).request_id,
            source=source,
            password=job.order.options.password,
        )
        document = await asyncio.to_thread(job_answers.document_of, pages)
        work = service.isolated.render(FORMATS["pdf"], document, rendering)
        layered = await unless_gone(work, request.receive, service.giving_up)
    skip = request.query_params.get("skip_blank") != "false"
    write = partial(umi_documents.files, job, pages, kinds, skip_blank=skip, layered=layered)
    content = await asyncio.to_thread(write)
    headers = {"Cache-Control": "no-store", **disposition(umi_documents.download_name(job, kinds))}
    return Response(content, headers=headers, media_type="application/octet-stream")


@compat_jobs.get(
    "/api/doc/clear/{id}",
    operation_id="compatUmiClear",
    summary="Umi-OCR: end and forget a task",
    openapi_extra=described.path("id"),
    responses=described.responses(described.UMI, 503),
)
@_refusing(umi_ocr.refuse)
async def umi_clear(request: Request) -> Response:
    """Stop reading the task and delete its document and its pages."""
    desk = service_of(request).jobs
    job = umi_documents.check_ours(await job_of(request))
    await desk.remove(job.id, key=record_of(request.scope).key)
    return _json({"code": umi_ocr.DONE, "data": "Success"})


async def _umi_task(request: Request) -> tuple[Job, Members]:
    """Return the task that a JSON body names, and the body."""
    service, record = service_of(request), record_of(request.scope)
    with service.request_limit.enter(record.client) as holder:
        content = await body.whole(request, limit_bytes=_MOST_ASKED_BYTES, received=holder)
    asked = json_body.load(content, "id")
    if not isinstance(asked.get("id"), str):
        raise NotFound("There is no task without an id.")
    return umi_documents.check_ours(await service.jobs.get(asked["id"], key=record.key)), asked
