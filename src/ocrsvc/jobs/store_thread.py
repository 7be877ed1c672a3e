"""The job store for the event loop: all its calls go through one thread, because databases block."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from ocrsvc.errors import JobStoreUnavailable, ShuttingDown
from ocrsvc.jobs.job import Limits
from ocrsvc.jobs.place import Place
from ocrsvc.jobs.store import Store

logger = logging.getLogger("ocrsvc.jobs")

# Longest time that a call may wait for its turn and for another process that writes. Changes by other processes take
# some milliseconds, those with a large document a second; a client can wait for no more, and pages are kept.
_BUSY_SECONDS, _LEAST_BUSY_SECONDS = 0.8, 0.1

P = ParamSpec("P")
T = TypeVar("T")


class StoreThread:
    """A store that is opened at the first call, and again at the next one if that failed.

    ``failure``: why the store could not be used; None once something has been written since. Meanwhile calls do not
    wait for other processes, so that each is refused at once.
    """

    def __init__(self, place: Place, limits: Limits) -> None:
        self.failure: JobStoreUnavailable | None = None
        self._place = place
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ocrsvc-jobs")
        self._store: Store | None = None
        self._closed = False

    async def call(self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return ``work(store, ...)``, run on the thread; raises what it raises, and JobStoreUnavailable."""
        if self._closed:
            raise ShuttingDown("The service is shutting down.", retry_after_seconds=2)
        loop = asyncio.get_running_loop()
        asked = time.monotonic()
        # Shielded, because a call that has begun ends anyhow, and its caller may still have to undo it.
        return await asyncio.shield(
            loop.run_in_executor(self._pool, lambda: self._work(asked, work, *args, **kwargs))
        )

    def close(self) -> None:
        """Finish the calls so far, refuse others, and close the store."""
        self._closed = True
        self._pool.submit(self._close)
        self._pool.shutdown(wait=True)

    def _work(
        self, asked: float, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            store = self._opened(self._patience(asked))
            result = work(store, *args, **kwargs)
        except JobStoreUnavailable as error:
            if self.failure is None:
                place = str(self._place) if self._place else "memory"
                logger.error("the job store cannot be used", extra={"cause": error.cause, "path": place})
            self.failure = error
            raise
        if self.failure is not None:
            self._look_again(store)
        return result

    def _patience(self, asked: float) -> float:
        if self.failure is not None:
            return 0.0
        return max(_LEAST_BUSY_SECONDS, _BUSY_SECONDS - (time.monotonic() - asked))

    def _opened(self, busy_seconds: float) -> Store:
        if self._store is None:
            self._store = Store(self._place, self._limits, busy_seconds=busy_seconds)
        else:
            self._store.wait_at_most(busy_seconds)
        return self._store

    def _look_again(self, store: Store) -> None:
        """Find out whether the failure is over: what only reads also works on a full disk."""
        try:
            store.check()
        except JobStoreUnavailable as error:
            self.failure = error
        else:
            self.failure = None
            logger.info("the job store can be used again")

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
