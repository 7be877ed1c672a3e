"""The FastAPI application, built once from its settings; nothing is global."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ocrsvc import __version__
from ocrsvc.reading.reader import Reader
from ocrsvc.service import assets, openapi_document, problems
from ocrsvc.service.access import Access
from ocrsvc.service.compat_job_routes import compat_jobs
from ocrsvc.service.compat_routes import compat
from ocrsvc.service.cross_origin import CrossOrigin
from ocrsvc.service.job_routes import jobs
from ocrsvc.service.middleware import RequestContext
from ocrsvc.service.process_group import ProcessGroup
from ocrsvc.service.render_routes import rendering
from ocrsvc.service.routes import exposition, reading, router
from ocrsvc.service.state import ReaderFactory, Service
from ocrsvc.settings import Settings

DESCRIPTION = (
    "Reads mixed Chinese and English text in pictures and PDFs. Errors are RFC 9457 problem documents; every "
    "answer has an X-Request-ID header; the log and the problem document repeat it."
)


def create_app(
    settings: Settings,
    reader_factory: ReaderFactory = Reader,
    *,
    load_first: bool = False,
    group: ProcessGroup | None = None,
) -> FastAPI:
    """Return the application; its lifespan loads the models while /livez and /readyz already answer.

    With ``load_first`` it serves only once the models are loaded; other processes of its ``group`` answer until then.
    Raises WrongKey or OSError if the API keys cannot be read.
    """
    service = Service(settings, reader_factory, group)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start(wait=load_first)
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="ocrsvc",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        separate_input_output_schemas=False,
        **openapi_document.INFO,
    )
    app.state.service = service
    problems.install(app)
    app.include_router(reading)
    app.include_router(rendering)
    app.include_router(jobs)
    app.include_router(router)
    if settings.compat:
        app.include_router(compat)
        app.include_router(compat_jobs)
    if settings.metrics_port is None:
        app.include_router(exposition)
    assets.install(app, docs=settings.docs)
    openapi_document.install(app, keys=service.keys.required)
    # The last one is the outermost: all answers have its headers, are counted and logged.
    app.add_middleware(Access, keys=service.keys, limits=service.key_limits)
    if settings.cors_origins:
        app.add_middleware(CrossOrigin, origins=settings.cors_origins)
    app.add_middleware(RequestContext, metrics=service.metrics, tracing=service.tracing)
    return app
