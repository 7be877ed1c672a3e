"""Routes of jobs, which read long documents while no client waits; other modules do the work."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocrsvc.formats import Rendering, json_format
from ocrsvc.jobs.job import Job, Order
from ocrsvc.pages.kinds import sniff
from ocrsvc.service import job_answers, openapi, uploads
from ocrsvc.service.attachment import headers_of
from ocrsvc.service.connection import unless_gone
from ocrsvc.service.incoming import incoming
from ocrsvc.service.parameters import check_none, parse_result
from ocrsvc.service.record import record_of
from ocrsvc.service.routes import Direct
from ocrsvc.service.state import service_of
from ocrsvc.service.streamed import EVENTS, LINES, StreamedResponse

jobs = APIRouter(route_class=Direct, tags=["jobs"])


def _answer(job: Job, status: int = 200, **headers: str) -> Response:
    content = json_format.encode(job_answers.as_mapping(job))
    return Response(content, status, {"Cache-Control": "no-store", **headers}, "application/json")


async def job_of(request: Request) -> Job:
    """Return the job that the path names, if the client's key may see it; without a key, whoever knows its id."""
    return await service_of(request).jobs.get(request.path_params["id"], key=record_of(request.scope).key)


@jobs.post(
    "/api/jobs",
    operation_id="addJob",
    summary="Read a long document without waiting for it",
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra=openapi.one_picture(),
    responses=openapi.job_responses(202, 400, 406, 408, 413, 415, 422, 500, 503),
)
async def add(request: Request) -> Response:
    """Send a picture or PDF as to /api/ocr. The answer comes at once; the job is read behind all other requests.

    ```
    curl -F image=@book.pdf http://localhost:8000/api/jobs
    ```

    `format` and `granularity` become the defaults of the result. Send `format=pdf` if you want a searchable PDF: the
    document is then kept as long as the result.
    """
    service = service_of(request)
    async with incoming(request, names=uploads.ONE, limits=service.job_file, can_wait=True) as (
        pictures,
        asked,
        _,
    ):
        data = await pictures[0].load(service.pool, limit_bytes=service.job_file.body_bytes)
        sniff(data)  # refuses what is no picture and no PDF while the client is still there
        order = Order(
            asked.options,
            asked.format.name,
            asked.granularity,
            keep_document=asked.format.needs_source,
            file=pictures[0].name,
        )
        job = await service.jobs.add(order, data, key=record_of(request.scope).key)
    return _answer(job, HTTPStatus.ACCEPTED, Location=f"{request.url.path}/{job.id}")


@jobs.get(
    "/api/jobs/{id}",
    operation_id="job",
    summary="How far a job is",
    openapi_extra=openapi.of_job(),
    responses=openapi.job_responses(200, 404, 422, 503),
)
async def get(request: Request) -> Response:
    """Return the state of a job, its pages, and why it failed."""
    check_none(request.query_params)
    return _answer(await job_of(request))


@jobs.delete(
    "/api/jobs/{id}",
    operation_id="deleteJob",
    summary="Cancel and forget a job",
    openapi_extra=openapi.of_job(),
    status_code=HTTPStatus.NO_CONTENT,
    responses=openapi.problems(404, 422, 503),
)
async def remove(request: Request) -> Response:
    """Stop reading the job, if it is being read, and delete its document and its pages."""
    check_none(request.query_params)
    await service_of(request).jobs.remove(request.path_params["id"], key=record_of(request.scope).key)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@jobs.get(
    "/api/jobs/{id}/events",
    operation_id="jobEvents",
    summary="The progress of a job as server-sent events",
    openapi_extra=openapi.of_job(),
    response_class=Response,
    responses=openapi.events_responses(),
)
async def events(request: Request) -> Response:
    """Send the job whenever it changes, as `progress`, and at the end as `done`, `failed` or `cancelled`."""
    check_none(request.query_params)
    service = service_of(request)
    job = await job_of(request)
    pieces = job_answers.progress(service.jobs, job, service.giving_up)
    return StreamedResponse(pieces, AsyncExitStack(), media_type=EVENTS.media_type)


@jobs.get(
    "/api/jobs/{id}/result",
    operation_id="jobResult",
    summary="The text of a job in any format",
    openapi_extra=openapi.result_parameters(),
    responses=openapi.reading_responses(job=True),
)
async def result(request: Request) -> Response:
    """Return the whole result once the job is done (409 before). `jsonl` has the pages so far in any state."""
    service, request_id = service_of(request), record_of(request.scope).request_id
    job = await job_of(request)
    format_, as_events, granularity = parse_result(
        request.query_params,
        request.headers,
        format_name=job.order.format,
        granularity=job.order.granularity,
    )
    rendering = Rendering(request_id=request_id, granularity=granularity)
    if as_events or format_.name == "jsonl":
        encoding = EVENTS if as_events else LINES
        pieces = job_answers.records(service.jobs, job, rendering, encoding)
        return StreamedResponse(pieces, AsyncExitStack(), media_type=encoding.media_type)
    job_answers.check_whole(job)
    pages = await service.jobs.pages(job.id)
    if format_.needs_source:
        source = await service.jobs.document(job.id)
        rendering = replace(rendering, source=source, password=job.order.options.password)
        document = await asyncio.to_thread(job_answers.document_of, pages)
        isolated = service.isolated.render(format_, document, rendering)
        content = await unless_gone(isolated, request.receive, service.giving_up)
    else:
        content = await asyncio.to_thread(job_answers.render, pages, format_, rendering)
    headers = {"Cache-Control": "no-store", **headers_of(format_, job.order.file)}
    return Response(content, headers=headers, media_type=format_.media_type)
