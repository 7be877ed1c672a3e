"""The threads that run batches, with a spare one for short readings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Generic

from ocrsvc.scheduling.fairness import Flow, Wait
from ocrsvc.scheduling.lanes import Payload, Result
from ocrsvc.scheduling.observer import Observer
from ocrsvc.scheduling.runner import Runner
from ocrsvc.scheduling.waiting import Batch

_MOST_WAITS = 1000  # of one reading


class Workers(Generic[Payload, Result]):
    """Set of ``count`` workers and a spare one. All methods belong to one event loop.

    ``freed`` is called when a worker becomes idle, before the last results of its batch are set. ``ended`` is called
    at the end of a batch, with the error if the runner itself failed, else None.
    """

    def __init__(
        self,
        count: int,
        runner: Runner[Payload, Result],
        observer: Observer,
        *,
        freed: Callable[[], None],
        ended: Callable[[BaseException | None], None],
    ) -> None:
        self.idle = count
        self.running: dict[asyncio.Task[None], float] = {}  # start of each batch, in loop time
        self._runner = runner
        self._observer = observer
        self._freed = freed
        self._ended = ended
        self._long_runs = 0  # workers that run batches of long readings
        self._spare_idle = True

    @property
    def spare_wanted(self) -> bool:
        """Return whether the spare thread is idle and all workers are busy, at least one with a long reading."""
        return self._spare_idle and self._long_runs > 0 and not self.idle

    def run(self, batch: Batch[Payload, Result]) -> None:
        """Run the batch on an idle worker."""
        short = batch.items[0].short
        self.idle -= 1
        self._long_runs += not short
        self._launch(batch, partial(self._free, short))

    def run_spare(self, batch: Batch[Payload, Result]) -> None:
        """Run the batch on the spare thread."""
        self._spare_idle = False
        self._launch(batch, self._free_spare)

    def _launch(self, batch: Batch[Payload, Result], free: Callable[[], None]) -> None:
        now = asyncio.get_running_loop().time()
        waited = now - min(item.arrived for item in batch.items)
        self._observer.released(batch.release, len(batch.items), waited)
        _record_waits(batch, now)
        task = asyncio.create_task(self._runner.execute(batch.lane, batch.items, free))
        self.running[task] = now
        task.add_done_callback(self._done)

    def _free(self, short: bool) -> None:
        self.idle += 1
        self._long_runs -= not short
        self._freed()

    def _free_spare(self) -> None:
        self._spare_idle = True
        self._freed()

    def _done(self, task: asyncio.Task[None]) -> None:
        del self.running[task]
        self._ended(None if task.cancelled() else task.exception())


def _record_waits(batch: Batch[Payload, Result], now: float) -> None:
    """Record for each reading of the batch how long its first line had waited; ``now`` in loop time."""
    arrived: dict[Flow, float] = {}
    for item in batch.items:
        flow = item.submission.flow
        if flow.waits is not None:
            arrived[flow] = min(item.arrived, arrived.get(flow, now))
    for flow, since in arrived.items():
        if flow.waits is not None and len(flow.waits) < _MOST_WAITS:
            ended = time.perf_counter()
            flow.waits.append(Wait(batch.lane.model, len(batch.items), ended - (now - since), ended))
