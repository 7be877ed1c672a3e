"""State of the running service: the reader, its health, the request limit, and a pool for blocking work."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from starlette.requests import Request

from ocrsvc.compat import umi_ocr
from ocrsvc.errors import OcrError, Unavailable
from ocrsvc.machine import cgroup, cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.reading.capacity import capacity
from ocrsvc.reading.page_stream import PageStream
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.reading.stage_log import StageLog
from ocrsvc.results import Document
from ocrsvc.scheduling.observer import Observer
from ocrsvc.service.api_keys import ApiKeys
from ocrsvc.service.health import Health
from ocrsvc.service.isolated_rendering import IsolatedRendering
from ocrsvc.service.job_desk import JobDesk
from ocrsvc.service.key_limits import KeyLimits
from ocrsvc.service.metrics import Metrics
from ocrsvc.service.pictures import Picture, UploadLimits
from ocrsvc.service.process_group import ProcessGroup, SharedMetrics
from ocrsvc.service.request_limit import RequestLimit
from ocrsvc.service.tracing import open_tracing
from ocrsvc.service.watchdog import Watchdog
from ocrsvc.settings import Settings

logger = logging.getLogger("ocrsvc.service")

ReaderFactory = Callable[[Settings, Observer], Reader]

_LAG_SAMPLE_SECONDS = 0.5
_STUCK_SECONDS = (
    120.0  # for /livez; a batch should take 40 ms, and even a throttled container is not that slow
)
_UPLOAD_SECONDS = 5.0  # longest wait for the rest of a body after a shutdown begins
_EXPORT_SECONDS = 3.0  # longest wait at the end for the last traces to be taken
_GIVE_UP_SHARE = 0.9  # share of the drain time for work; the rest is for sending the answers


class Service:
    """State of one application. ``start`` returns at once; the models load while the port already listens.

    ``giving_up`` is done when all requests must stop.
    """

    giving_up: asyncio.Future[None]

    def __init__(
        self, settings: Settings, reader_factory: ReaderFactory, group: ProcessGroup | None = None
    ) -> None:
        self.settings = settings
        self.health = Health()
        self.metrics = Metrics()
        self.keys = ApiKeys.of(settings)
        self.key_limits = KeyLimits(
            per_minute=settings.key_requests_per_minute,
            at_once=settings.key_requests_at_once,
            eta_seconds=self.eta_seconds,
        )
        self.tracing = open_tracing(os.environ)
        self._shared_port = group.port if group else None
        self._shared_metrics = SharedMetrics(group, self.metrics.render) if group else None
        self._cpus = cpu.inspect(cores=settings.workers).effective
        fits = capacity(settings, workers=self._cpus, memory_bytes=cgroup.memory_bytes())
        self.request_limit = RequestLimit(
            max_requests=settings.max_requests,
            max_bytes=fits.body_bytes,
            largest_body_bytes=max(
                settings.max_body_bytes, settings.max_batch_bytes, settings.jobs_max_body_bytes
            ),
            eta_seconds=self.eta_seconds,
        )
        self.metrics.requests_inside.set_function(lambda: self.request_limit.requests)
        self.metrics.body_bytes_held.set_function(lambda: self.request_limit.held_bytes)
        self.metrics.ready.set_function(lambda: float(self.health.phase == "ready" and self.engine_alive))
        self.watchdog = Watchdog(settings.watchdog_seconds) if settings.watchdog_seconds else None
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="ocrsvc-service")
        self.isolated = IsolatedRendering()
        self.jobs = JobDesk(settings, self.metrics.jobs)
        self._reader_factory = reader_factory
        self._reader: Reader | None = None
        self._manifests: tuple[Manifest, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def engine_alive(self) -> bool:
        """Return whether the reader's scheduler is running."""
        return self._reader is not None and self._reader.alive

    def eta_seconds(self) -> float:
        """Return the estimated time until all accepted work is done; 0 before the models are loaded."""
        return self._reader.batcher.eta_seconds if self._reader is not None else 0.0

    @property
    def reader(self) -> Reader:
        """Return the reader; raise Unavailable while it is opened."""
        if self._reader is None:
            raise Unavailable("The models are being loaded.", retry_after_seconds=2)
        return self._reader

    @property
    def one_file(self) -> UploadLimits:
        """Return the limits on a request with one picture."""
        return UploadLimits(self.settings.max_body_bytes, self.settings.max_body_bytes, 1)

    @property
    def many_files(self) -> UploadLimits:
        """Return the limits on a request with many pictures."""
        return UploadLimits(
            self.settings.max_body_bytes, self.settings.max_batch_bytes, self.settings.max_batch_files
        )

    @property
    def job_file(self) -> UploadLimits:
        """Return the limits on a request for a job."""
        most = min(self.jobs.max_document_bytes, self.request_limit.max_bytes)
        return UploadLimits(most, most, 1)

    @property
    def foreign(self) -> tuple[str, ...]:
        """Return the JSON members of POST /api/ocr that make it a request after another service's contract."""
        return (umi_ocr.MEMBER,) if self.settings.compat else ()

    @property
    def batch_concurrency(self) -> int:
        """Return how many files of one batch are read at the same time."""
        return max(4, 2 * self._cpus)

    @property
    def default_model(self) -> str:
        """Return the name of the model for requests that name none; the setting may be a path."""
        return Path(self.settings.model).name

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """Return the recognisers that a request may name; raise Unavailable until they are known."""
        if not self._manifests:
            raise Unavailable("The models are being loaded.", retry_after_seconds=2)
        return self._manifests

    def check_alive(self) -> None:
        """Raise Unavailable if only a restart helps: no models, a dead scheduler, or a run that hangs."""
        self.health.check_alive(engine_alive=self.engine_alive and self.stuck_seconds <= _STUCK_SECONDS)

    @property
    def stuck_seconds(self) -> float:
        """Return for how long the oldest run of a model or decoding has been going on."""
        reader = self._reader
        if reader is None:
            return 0.0
        return max(reader.batcher.load().longest_run_seconds, reader.decoder.longest_seconds)

    def check_ready(self) -> None:
        """Raise Unavailable if requests should go elsewhere."""
        self.health.check_ready(engine_alive=self.engine_alive)

    def check_open(self) -> None:
        """Raise Unavailable if a request would not be answered."""
        self.health.check_open(engine_alive=self.engine_alive, given_up=self.giving_up.done())

    def check_room(self, client: str) -> None:
        """Raise Saturated if the line of a new request would be refused; a cached answer needs no room."""
        if self._reader is not None and self._reader.cache is None:
            deadline = asyncio.get_running_loop().time() + self.settings.deadline_seconds
            self._reader.batcher.check_room(client=client, deadline=deadline)

    async def exposition(self, port: int | None) -> bytes:
        """Return the metrics, of all processes if ``port`` is the one that they share."""
        if self._shared_metrics and port == self._shared_port:
            return await self._shared_metrics.collect()
        return self.metrics.render()

    async def read(
        self, picture: Picture, options: ReadOptions, *, client: str = "", log: StageLog | None = None
    ) -> Document:
        """Return the text of one file of a client; raise OcrError. Call only after ``check_open`` has passed."""
        data = await picture.load(self.pool, limit_bytes=self.settings.max_body_bytes)
        document = await self.reader.read(data, options, client=client, log=log)
        self.metrics.document_read(document.timing_ms)
        return document

    @asynccontextmanager
    async def stream(
        self, picture: Picture, options: ReadOptions, *, client: str = "", log: StageLog | None = None
    ) -> AsyncIterator[PageStream]:
        """Open one file, whose pages are read as they are taken; raise OcrError. As ``read``, after ``check_open``."""
        data = await picture.load(self.pool, limit_bytes=self.settings.max_body_bytes)
        async with self.reader.stream(data, options, client=client, log=log) as stream:
            yield stream

    async def start(self, *, wait: bool = False) -> None:
        """Begin to load the models; with ``wait``, return once they are loaded."""
        self.giving_up = asyncio.get_running_loop().create_future()
        loading = self._keep(self._load())
        self._keep(self._sample_lag())
        if self._shared_metrics:
            await self._shared_metrics.start()
        if wait:
            await loading

    async def stop(self) -> None:
        """Stop all tasks and close the reader; the server has answered or cut off every request by now."""
        self.health.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.jobs.close()
        if self._shared_metrics:
            self._shared_metrics.close()
        if self._reader is not None:
            await self._reader.close()
        if self.tracing is not None:
            loop = asyncio.get_running_loop()
            await asyncio.wait({loop.run_in_executor(self.pool, self.tracing.close)}, timeout=_EXPORT_SECONDS)
        self.pool.shutdown(wait=False, cancel_futures=True)

    def drain(self) -> None:
        """Send requests elsewhere; answer 503 to unfinished ones shortly before the drain time ends.

        The server takes no more connections, and one request more of each that is open.
        Jobs are given back to their store, where another process may go on with them.
        """
        self.health.drain()
        self._keep(self.jobs.pause())
        loop = asyncio.get_running_loop()
        self.request_limit.close(loop.time() + min(_UPLOAD_SECONDS, self.settings.drain_seconds / 2))
        loop.call_later(self.settings.drain_seconds * _GIVE_UP_SHARE, self._give_up)

    def _give_up(self) -> None:
        if not self.giving_up.done():
            self.giving_up.set_result(None)

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        return task

    async def _load(self) -> None:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        try:
            # Opening a reader blocks on files, and the event loop must answer /livez meanwhile.
            reader = await loop.run_in_executor(
                self.pool, self._reader_factory, self.settings, self.metrics.scheduler
            )
            self._reader = reader
            # Kept, because the reader parses every manifest on each call.
            self._manifests = tuple(await loop.run_in_executor(self.pool, reader.models))
            await reader.start()
            self.metrics.scheduler.watch(reader.batcher.load)
            if reader.cache is not None:
                self.metrics.scheduler.watch_cache(reader.cache.usage)
            self.metrics.pixels_inside.set_function(lambda: reader.pixel_limit.inside)
            self.metrics.pixels_waiting.set_function(lambda: reader.pixel_limit.waiting)
        except OcrError as error:
            self.health.failed(error)
            logger.error("the models could not be loaded", extra={"cause": error.detail})
            return
        except Exception as error:
            self.health.failed(error)
            logger.exception("the models could not be loaded")
            return
        self.metrics.describe_build(model=self.settings.model, cpus=self._cpus)
        self.jobs.start(reader)
        self.health.became_ready()
        logger.info(
            "ready", extra={"model": self.settings.model, "seconds": round(time.perf_counter() - began, 2)}
        )

    async def _sample_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_SAMPLE_SECONDS
            await asyncio.sleep(_LAG_SAMPLE_SECONDS)
            self.metrics.loop_lagged(max(0.0, loop.time() - due))
            self._end_long_runs()
            if self.watchdog is not None:
                # Loading models may take minutes, and counts as a decoding because it is done by the same threads.
                self.watchdog.beat(self.stuck_seconds if self.health.started else 0.0)

    def _end_long_runs(self) -> None:
        """End runs of models that hang; while the models are loaded, all runs are slow."""
        if self._reader is None or not self.health.started:
            return
        if ended := self._reader.end_runs(older_than_seconds=self.settings.run_seconds):
            logger.error("runs of a model took too long and are ended", extra={"runs": ended})


def service_of(request: Request) -> Service:
    """Return the service that answers ``request``."""
    return cast(Service, request.app.state.service)
