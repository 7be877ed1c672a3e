"""Runs a batch on a worker thread and distributes the results; a line that breaks the engine fails alone."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic

from ocrsvc.errors import EngineFailure, OcrError, RunTooLong
from ocrsvc.scheduling.cost import CostModel
from ocrsvc.scheduling.lanes import Item, Lane, Payload, Result
from ocrsvc.scheduling.observer import BatchReport, Observer

_log = logging.getLogger(__name__)


class Runner(Generic[Payload, Result]):
    """Calls ``run(lane, payloads)`` on the executor's threads and reports its time to the cost model."""

    def __init__(
        self,
        run: Callable[[Lane, Sequence[Payload]], Sequence[Result]],
        *,
        executor: Executor,
        cost: CostModel,
        observer: Observer,
        measure: Callable[[Lane, Payload], int] | None,
        timer: Callable[[], float],
    ) -> None:
        self._run = run
        self._executor = executor
        self._cost = cost
        self._observer = observer
        self._measure = measure
        self._timer = timer

    async def execute(self, lane: Lane, batch: list[Item[Payload, Result]], free: Callable[[], None]) -> None:
        """Run the batch; if it fails, run its halves, until each line that breaks the engine is isolated.

        Isolating one such line among n takes at most 2 * ceil(log2 n) further runs. ``free`` is called when no run is
        left, but before the last results are set, so that the worker need not wait for the requests to use them.
        """
        parts = [batch]
        freed = False
        while parts:
            part = [item for item in parts.pop() if not item.future.done()]
            if not part:
                continue
            try:
                results = await self._attempt(lane, part)
            except Exception as error:
                # The halves of a run that took too long would take as long again.
                if isinstance(error, RunTooLong):
                    for item in part:
                        fail(item.future, error)
                elif len(part) > 1:
                    self._observer.split(len(part))
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                else:
                    fail(part[0].future, error)
            else:
                if not parts:
                    freed = True
                    free()
                for item, result in zip(part, results, strict=True):
                    if not item.future.done():
                        item.future.set_result(result)
        if not freed:
            free()

    async def _attempt(self, lane: Lane, part: Sequence[Item[Payload, Result]]) -> Sequence[Result]:
        payloads = [item.payload for item in part]
        used = lane.width * len(payloads)
        if self._measure is not None:
            used = sum(self._measure(lane, payload) for payload in payloads)
        seconds = math.nan

        def work() -> Sequence[Result]:
            # Timed on the thread, because the event loop may notice the end late.
            nonlocal seconds
            started = self._timer()
            try:
                return self._run(lane, payloads)
            finally:
                seconds = self._timer() - started

        failed = True
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._executor, work)
            if len(results) != len(part):
                raise EngineFailure(f"The engine gave {len(results)} results for {len(part)} lines.")
            self._cost.learn(lane, len(part), seconds)
            failed = False
        finally:
            self._observer.ran(BatchReport(lane.model, lane.width, len(part), used, seconds, failed))
        return results


def fail(future: asyncio.Future[Result], error: Exception) -> None:
    """Set the error on the future; log any error but an OcrError, and hide it behind an EngineFailure."""
    if future.done():
        return
    if isinstance(error, OcrError):
        future.set_exception(error)
        return
    _log.error("The engine failed on a line", exc_info=error)
    failure = EngineFailure("The recogniser failed on this line.")
    failure.__cause__ = error
    future.set_exception(failure)
