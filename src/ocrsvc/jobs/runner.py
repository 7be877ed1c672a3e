"""Reads the jobs of a store, a few at a time, behind everything that a client waits for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ocrsvc.errors import JobStoreFull, JobStoreUnavailable, OcrError, ShuttingDown, Unavailable
from ocrsvc.jobs import page_codec, rows
from ocrsvc.jobs.job import STATES, Claim
from ocrsvc.jobs.store import Store, Usage
from ocrsvc.jobs.store_thread import StoreThread
from ocrsvc.reading.page_stream import BackgroundLimits, PageReading
from ocrsvc.reading.reader import Reader

logger = logging.getLogger("ocrsvc.jobs")

_TICK_SECONDS = 1.0  # a job that another process has removed stops within this time
_SWEEP_SECONDS = 60.0
_RETRY_SECONDS = 5.0  # after a failure of the scheduler, or of this module
_GRACE_SECONDS = 3.0  # after a failure of the store, in which its other processes renew their leases

P = ParamSpec("P")
T = TypeVar("T")


class Watcher(Protocol):
    """Counts what the runner does."""

    def page_stored(self, *, failed: bool) -> None:
        """Count a page of a job."""

    def job_ended(self, outcome: str) -> None:
        """Count a job: ``done`` or ``failed``."""


class JobRunner:
    """Claims and reads jobs until it is closed. All methods belong to one event loop.

    ``at_once``: jobs that this process reads at the same time. ``usage`` is the store's, a tick ago at most.
    """

    def __init__(
        self, store: StoreThread, reader: Reader, *, at_once: int, limits: BackgroundLimits, watcher: Watcher
    ) -> None:
        self.usage = Usage(dict.fromkeys(STATES, 0), 0)
        self._store = store
        self._reader = reader
        self._at_once = at_once
        self._limits = limits
        self._watcher = watcher
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()  # set and replaced at each change of a job
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read jobs."""
        self._task = asyncio.create_task(self._run(), name="jobs")

    async def close(self) -> None:
        """Stop reading and give unfinished jobs back to the store, where this or another process goes on with them."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def look(self) -> None:
        """Look for queued jobs now, because one has been added."""
        self._wake.set()

    async def stop(self, job: str) -> None:
        """Stop reading a job that has been removed; return once its lines are withdrawn."""
        task = self._running.get(job)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self._tell()

    async def change(self) -> None:
        """Wait until this process has changed a job, or for a tick, in which another process may have done so."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TICK_SECONDS):
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # --- the loop ---

    async def _run(self) -> None:
        swept = -_SWEEP_SECONDS
        claims_from = 0.0
        while True:
            pause = _TICK_SECONDS
            try:
                await self._keep()
                if time.monotonic() >= claims_from:
                    await self._claim()
                if (now := time.monotonic()) >= swept + _SWEEP_SECONDS:
                    swept = now
                    await self._store.call(Store.sweep)
                self.usage = await self._store.call(Store.usage)
            except JobStoreUnavailable:
                claims_from = time.monotonic() + _GRACE_SECONDS
            except Exception:
                logger.exception("the jobs could not be looked after")
                pause = _RETRY_SECONDS
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for of Python 3.11 may lose a cancellation
                await self._wake.wait()
        self._wake.clear()

    async def _claim(self) -> None:
        while len(self._running) < self._at_once:
            claim = await self._store.call(Store.claim, tuple(self._running))
            if claim is None:
                return
            logger.info("job begins", extra={"job": short(claim.id), "pages_known": len(claim.known)})
            task = asyncio.create_task(self._work(claim), name=f"job {short(claim.id)}")
            self._running[claim.id] = task
            task.add_done_callback(partial(self._left, claim.id))
            self._tell()

    def _left(self, job: str, _: asyncio.Task[None]) -> None:
        del self._running[job]
        self._tell()
        self._wake.set()

    async def _keep(self) -> None:
        """Renew the leases of the jobs in work, and stop those that are this process's no more."""
        if not self._running:
            return
        mine = await self._store.call(Store.renew, tuple(self._running))
        for job, task in self._running.items():
            if job not in mine:
                task.cancel()

    # --- one job ---

    async def _work(self, claim: Claim) -> None:
        begun = time.perf_counter()
        problem: dict[str, Any] | None = None
        try:
            if not await self._read(claim):
                logger.info("job taken away", extra={"job": short(claim.id)})
                return
        except asyncio.CancelledError:
            await self._release(claim.id)
            raise
        except ShuttingDown:
            await self._release(claim.id)
            return
        except JobStoreFull as error:
            problem = rows.problem(error)
        except Unavailable as error:  # the scheduler or the decoders: not the document's fault
            logger.warning("job interrupted", extra={"job": short(claim.id), "cause": error.detail})
            await asyncio.sleep(_RETRY_SECONDS)
            await self._release(claim.id)
            return
        except Exception as error:
            if not isinstance(error, OcrError):
                logger.exception("a job failed", extra={"job": short(claim.id)})
            problem = rows.problem(error)
        outcome = "done" if problem is None else "failed"
        seconds = round(time.perf_counter() - begun, 2)
        try:
            if not await self._stored(Store.finish, claim.id, problem):
                return
        except OcrError as error:  # whoever takes it finds all pages read
            logger.warning("job not ended", extra={"job": short(claim.id), "cause": error.detail})
            return
        self._watcher.job_ended(outcome)
        logger.info("job ended", extra={"job": short(claim.id), "outcome": outcome, "seconds": seconds})

    async def _read(self, claim: Claim) -> bool:
        """Read and store the pages that are missing; return False once the job belongs to nobody or another."""
        async with self._reader.stream(claim.data, claim.order.options, background=self._limits) as stream:
            if not await self._stored(Store.opened, claim.id, len(stream.numbers)):
                return False
            self._tell()
            async with aclosing(stream.pages(without=claim.known)) as pages:
                async for page in pages:
                    if not await self._put(claim.id, page):
                        return False
                    self._watcher.page_stored(failed=page.error is not None)
                    self._tell()
        return True

    async def _put(self, job: str, page: PageReading) -> bool:
        if page.error is not None:
            if not isinstance(page.error, OcrError):
                logger.error("a page failed", extra={"job": short(job)}, exc_info=page.error)
            return await self._stored(Store.put_page, job, page.number, None, rows.problem(page.error))
        document = page.document

        def put(store: Store) -> bool:
            return store.put_page(job, page.number, page_codec.pack(document) if document else None)

        return await self._stored(put)

    async def _stored(
        self, change: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Change the store, once it can be used: what has been read is kept until then, and nothing more is read."""
        while True:
            try:
                return await self._store.call(change, *args, **kwargs)
            except JobStoreUnavailable:
                await asyncio.sleep(_TICK_SECONDS)

    async def _release(self, job: str) -> None:
        with contextlib.suppress(OcrError):  # then it is taken again once the store can be used
            await self._store.call(Store.release, job)


def short(job: str) -> str:
    """Return the first part of an id, for the log: the whole id would give access to the text."""
    return job[:6]
