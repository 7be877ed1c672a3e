"""Routes of the API, the probes and /metrics; other modules do the work."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from ocrsvc.compat import umi_ocr
from ocrsvc.errors import NotFound
from ocrsvc.formats import Rendering
from ocrsvc.results import Document
from ocrsvc.service import catalogue, compat_reading, metrics, openapi, problems, schemas, uploads
from ocrsvc.service.attachment import headers_of
from ocrsvc.service.batches import BatchReading
from ocrsvc.service.connection import unless_given_up, unless_gone
from ocrsvc.service.incoming import incoming
from ocrsvc.service.page_answer import page_answer
from ocrsvc.service.parameters import check_none
from ocrsvc.service.pictures import Picture
from ocrsvc.service.record import record_of
from ocrsvc.service.state import service_of
from ocrsvc.service.streamed import LINES, StreamedResponse
from ocrsvc.service.writing import written


class Direct(APIRoute):
    """Route whose function takes the request and returns the response, without FastAPI's injection and validation."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function itself; FastAPI's wrapper would cost a tenth of a request with one line."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


router = APIRouter()
reading = APIRouter(route_class=Direct)
exposition = APIRouter()  # left out where the metrics have a port of their own


@reading.post(
    "/api/ocr",
    tags=["reading"],
    operation_id="read",
    summary="Read the text of one picture or PDF",
    openapi_extra=openapi.one_picture(),
    responses=openapi.reading_responses(),
)
async def read(request: Request) -> Response:
    """Send the picture as a form field `image`, as base64 in JSON, or as the raw body.

    ```
    curl -F image=@receipt.jpg http://localhost:8000/api/ocr
    curl --data-binary @receipt.jpg -H 'Content-Type: image/jpeg' 'http://localhost:8000/api/ocr?format=text'
    curl -H 'Content-Type: application/json' -d '{"image": "iVBORw0..."}' http://localhost:8000/api/ocr
    curl -N -F image=@book.pdf -H 'Accept: text/event-stream' http://localhost:8000/api/ocr
    curl -F image=@scan.pdf -o searchable.pdf 'http://localhost:8000/api/ocr?format=pdf'
    ```

    `format=jsonl` and `Accept: text/event-stream` deliver each page as it is read. JSON with `base64` instead of
    `image` is answered as Umi-OCR does, unless OCRSVC_COMPAT=false.
    """
    service, record = service_of(request), record_of(request.scope)
    async with AsyncExitStack() as resources:
        pictures, asked, foreign = await resources.enter_async_context(
            incoming(request, names=uploads.ONE, limits=service.one_file, foreign=service.foreign)
        )
        if pictures[0].member in service.foreign:
            return await compat_reading.answer(request, umi_ocr.CONTRACT, pictures[0], foreign, asked.options)
        if asked.streamed:
            return await page_answer(request, pictures[0], asked, resources)
        work = service.read(pictures[0], asked.options, client=record.client, log=record.stage_log)
        document = await unless_gone(work, request.receive, service.giving_up)
        record.add(document)
        resources.enter_context(record.stage("format"))
        rendering = Rendering(request_id=record.request_id, granularity=asked.granularity)
        if asked.format.needs_source:
            source = await pictures[0].load(service.pool, limit_bytes=service.settings.max_body_bytes)
            rendering = replace(rendering, source=source, password=asked.options.password)
            isolated = service.isolated.render(asked.format, document, rendering)
            content = await unless_gone(isolated, request.receive, service.giving_up)
        else:
            content = await written(
                service.pool, len(document.lines), asked.format.render, document, rendering
            )
    headers = headers_of(asked.format, pictures[0].name)
    return Response(content, headers=headers, media_type=asked.format.media_type)


@reading.post(
    "/api/ocr/batch",
    tags=["reading"],
    operation_id="readMany",
    summary="Read many pictures: one JSON line each, as they finish",
    openapi_extra=openapi.many_pictures(),
    response_class=Response,
    responses=openapi.batch_responses(),
)
async def read_many(request: Request) -> Response:
    """Send the files as form fields `images`. A file that cannot be read has `error` instead of `text`.

    ```
    curl -N -F images=@a.jpg -F images=@b.png http://localhost:8000/api/ocr/batch
    ```
    """
    service, record = service_of(request), record_of(request.scope)
    async with AsyncExitStack() as resources:
        pictures, asked, _ = await resources.enter_async_context(
            incoming(request, names=uploads.MANY, limits=service.many_files, can_wait=True)
        )

        async def read_one(picture: Picture) -> Document:
            work = service.read(picture, asked.options, client=record.client, log=record.stage_log)
            return await unless_given_up(work, service.giving_up)

        reading = BatchReading(
            read=read_one,
            pictures=pictures,
            rendering=Rendering(granularity=asked.granularity),
            record=record,
            instance=request.url.path,
            concurrency=service.batch_concurrency,
            patience_seconds=service.settings.deadline_seconds,
        )
        return StreamedResponse(reading.lines(), resources.pop_all(), media_type=LINES.media_type)


@router.get(
    "/api/models",
    tags=["about"],
    operation_id="models",
    response_model=schemas.ModelsShape,
    responses=openapi.problems(422),
)
async def models(request: Request) -> Any:
    """Return the recognisers that a request may name."""
    check_none(request.query_params)
    service = service_of(request)
    return catalogue.models(service.manifests, service.default_model)


@router.get(
    "/api/options",
    tags=["about"],
    operation_id="options",
    response_model=schemas.OptionsShape,
    responses=openapi.problems(422),
)
async def options(request: Request) -> Any:
    """Return the options, limits and defaults of the service: all that a client needs to build a form."""
    check_none(request.query_params)
    service = service_of(request)
    return catalogue.options(
        service.settings, service.manifests, service.default_model, job_bytes=service.job_file.body_bytes
    )


@router.get(
    "/problems/{slug}",
    tags=["about"],
    operation_id="problem",
    response_model=schemas.ProblemKindShape,
    responses=openapi.problems(404),
)
async def problem(slug: str) -> Any:
    """Return the meaning of a kind of problem. The `type` of an error is the path of this resource."""
    kind = problems.catalogue().get(slug)
    if kind is None:
        raise NotFound(f"There is no kind of problem called {slug[:40]!r}.")
    meaning = (kind.__doc__ or "").strip()
    return {"type": f"/problems/{slug}", "title": kind.title, "status": kind.status, "description": meaning}


@router.head("/livez", include_in_schema=False)
@router.get(
    "/livez",
    tags=["probes"],
    operation_id="live",
    response_model=schemas.HealthShape,
    response_model_exclude_none=True,
    responses=openapi.problems(503),
)
async def live(request: Request) -> Any:
    """Return 200 unless only a restart helps. The answer never depends on load."""
    service_of(request).check_alive()
    return {"status": "alive"}


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    tags=["probes"],
    operation_id="ready",
    response_model=schemas.HealthShape,
    responses=openapi.problems(503),
)
async def ready(request: Request) -> Any:
    """Return 200 from when every model is loaded and warm until a shutdown begins.

    `jobs` says whether jobs are taken, too; other requests do not depend on it.
    """
    service = service_of(request)
    service.check_ready()
    return {"status": "ready", "jobs": "ok" if service.jobs.usable else "unavailable"}


@router.head("/startupz", include_in_schema=False)
@router.get(
    "/startupz",
    tags=["probes"],
    operation_id="started",
    response_model=schemas.HealthShape,
    response_model_exclude_none=True,
    responses=openapi.problems(503),
)
async def started(request: Request) -> Any:
    """Return 200 from when the models have been loaded once, also during a shutdown."""
    service_of(request).health.check_started()
    return {"status": "started"}


@exposition.get(
    "/metrics",
    tags=["probes"],
    operation_id="metrics",
    response_class=Response,
    responses=openapi.metrics_responses(metrics.CONTENT_TYPE),
)
async def prometheus(request: Request) -> Response:
    """Return all metrics in Prometheus' text format, of all processes if several share this port."""
    _, port = request.scope.get("server") or (None, None)
    return Response(await service_of(request).exposition(port), media_type=metrics.CONTENT_TYPE)
