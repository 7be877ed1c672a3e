"""The jobs of a running service: takes them in, tells how far they are, and ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ocrsvc.errors import DocumentNotKept, NotFound, Saturated, Unavailable
from ocrsvc.jobs.job import Job, Limits, Order, new_id
from ocrsvc.jobs.place import place_of
from ocrsvc.jobs.rows import StoredPage
from ocrsvc.jobs.runner import JobRunner
from ocrsvc.jobs.store import ADMITTED_SHARE, NO_SUCH_JOB, Store
from ocrsvc.jobs.store_thread import StoreThread
from ocrsvc.reading.page_stream import BackgroundLimits
from ocrsvc.reading.reader import Reader
from ocrsvc.service.job_metrics import JobMetrics
from ocrsvc.settings import Settings

_DISK_BYTES, _MEMORY_BYTES = 2**30, 64 * 2**20
_MOST_LISTENERS = 256  # clients who listen to events; each asks the store once a second


class JobDesk:
    """Jobs of one service. ``start`` begins to read them; until then they can be looked at."""

    def __init__(self, settings: Settings, metrics: JobMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        place = place_of(settings)
        max_bytes = settings.jobs_max_bytes or (_MEMORY_BYTES if place is None else _DISK_BYTES)
        limits = Limits(max_bytes, settings.jobs_max_count, settings.jobs_keep_seconds)
        self.max_document_bytes = min(settings.jobs_max_body_bytes, int(max_bytes * ADMITTED_SHARE))
        self._limits = limits
        self._store = StoreThread(place, limits)
        self._runner: JobRunner | None = None
        self._listeners = 0

    @property
    def usable(self) -> bool:
        """Return whether the store could be used at the last attempt, which is a second ago at most."""
        return self._store.failure is None

    def start(self, reader: Reader) -> None:
        """Begin to read jobs, those of an earlier process first."""
        settings = self._settings
        runner = JobRunner(
            self._store,
            reader,
            at_once=settings.jobs_at_once,
            limits=BackgroundLimits(settings.jobs_page_seconds, settings.jobs_max_pages),
            watcher=self._metrics,
        )
        self._runner = runner
        self._metrics.watch(
            lambda: runner.usage, limit_bytes=self._limits.max_bytes, usable=lambda: self.usable
        )
        runner.start()

    async def pause(self) -> None:
        """Stop reading, and give unfinished jobs back to the store; looking at jobs goes on."""
        if self._runner is not None:
            await self._runner.close()

    async def close(self) -> None:
        """Stop reading and close the store."""
        await self.pause()
        await asyncio.to_thread(self._store.close)

    async def add(self, order: Order, data: bytes, *, key: str) -> Job:
        """Queue a job of an API key ("" without keys) and return it; JobStoreFull or JobStoreUnavailable."""
        job = await self._store.call(Store.add, new_id(), replace(order, key=key), data)
        if self._runner is not None:
            self._runner.look()
        return job

    async def get(self, job: str, *, key: str) -> Job:
        """Return a job; NotFound, also if another API key sent it, or JobStoreUnavailable.

        ``key``: the name of the key that asks; "" for one who may see every job.
        """
        found = await self._store.call(Store.get, job)
        if key and found.order.key not in ("", key):
            raise NotFound(NO_SUCH_JOB)
        return found

    async def pages(self, job: str, after: int = 0, count: int = -1) -> list[StoredPage]:
        """Return stored pages with numbers above ``after``, at most ``count`` (-1: all)."""
        return await self._store.call(Store.pages, job, after, count)

    async def unread(self, job: str) -> list[StoredPage]:
        """Return stored pages that an earlier call has not returned."""
        return await self._store.call(Store.unread, job)

    async def document(self, job: str) -> bytes:
        """Return the document of a job; DocumentNotKept if it has been deleted."""
        data = await self._store.call(Store.document, job)
        if data is None:
            raise DocumentNotKept(
                "The document of this job has been deleted, and a searchable PDF contains it: send the job with "
                "format=pdf, or ask for another format."
            )
        return data

    async def remove(self, job: str, *, key: str) -> None:
        """Delete a job; return once this process does no more work for it. NotFound as for ``get``."""
        await self.get(job, key=key)
        await self._store.call(Store.remove, job)
        if self._runner is not None:
            await self._runner.stop(job)

    async def change(self) -> None:
        """Wait until a job may have changed, a second at most."""
        if self._runner is None:
            raise Unavailable("The models are being loaded.", retry_after_seconds=2)
        await self._runner.change()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count one client who listens for the duration of the block; Saturated if there are too many."""
        if self._listeners >= _MOST_LISTENERS:
            raise Saturated(
                "Too many clients listen to jobs; ask for the job instead.", retry_after_seconds=2
            )
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1
