"""The job store for the event loop: all its calls go through one thread, because SQLite blocks on files and locks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ocrsvc.errors import JobStoreUnavailable, ShuttingDown
from ocrsvc.jobs.job import Limits
from ocrsvc.jobs.store import Store

logger = logging.getLogger("ocrsvc.jobs")

P = ParamSpec("P")
T = TypeVar("T")


class StoreThread:
    """A store that is opened at the first call, and again at the next one if that failed.

    ``failure``: why the store could not be used at the last call, None if it could.
    """

    def __init__(self, path: Path | None, limits: Limits) -> None:
        self.failure: JobStoreUnavailable | None = None
        self._path = path
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ocrsvc-jobs")
        self._store: Store | None = None
        self._closed = False

    async def call(self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return ``work(store, ...)``, run on the thread; raises what it raises, and JobStoreUnavailable."""
        if self._closed:
            raise ShuttingDown("The service is shutting down.", retry_after_seconds=2)
        loop = asyncio.get_running_loop()
        # Shielded, because a call that has begun ends anyhow, and its caller may still have to undo it.
        return await asyncio.shield(
            loop.run_in_executor(self._pool, lambda: self._work(work, *args, **kwargs))
        )

    def close(self) -> None:
        """Finish the calls so far, refuse others, and close the store."""
        self._closed = True
        self._pool.submit(self._close)
        self._pool.shutdown(wait=True)

    def _work(self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            if self._store is None:
                self._store = Store(self._path, self._limits)
            result = work(self._store, *args, **kwargs)
        except JobStoreUnavailable as error:
            if self.failure is None:
                place = str(self._path) if self._path else "memory"
                logger.error("the job store cannot be used", extra={"cause": error.detail, "path": place})
            self.failure = error
            raise
        if self.failure is not None:
            self.failure = None
            logger.info("the job store can be used again")
        return result

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
