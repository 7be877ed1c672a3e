"""The actor of Ray Data: one reader in one process, which reads blocks and writes their parts."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ocrsvc.errors import OcrError, message
from ocrsvc.scaleout import blocks, rows
from ocrsvc.scaleout.block_reader import BlockReader, LoadLimits
from ocrsvc.scaleout.blocks import Block
from ocrsvc.scaleout.plan import PartFormat, Source, part_name
from ocrsvc.scaleout.stores import Store

if TYPE_CHECKING:
    from ocrsvc.engine.loop import ReaderThread

_TRIES = 3  # of writing a part
_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker is given: ``settings`` and ``options`` as keywords of Settings and ReadOptions."""

    source: Source
    results_url: str
    part_format: PartFormat
    settings: Mapping[str, Any] = field(repr=False)
    options: Mapping[str, Any]
    workers: int
    limits: LoadLimits = field(default_factory=LoadLimits)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a block. ``trouble`` says why it has no part, in one line; then the run must end.

    ``failed``: items of which a page, or all, could not be read.
    """

    block: int
    items: int = 0
    pages: int = 0
    failed: int = 0
    trouble: str = ""


class Worker:
    """Ray Data makes one in each process of its pool and calls it with one block at a time."""

    def __init__(self, work: Work, ledger: Any) -> None:
        self._work = work
        self._ledger = ledger
        self._thread: ReaderThread | None = None
        self._reader: BlockReader | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Return the outcomes of the blocks of a batch, column by column."""
        outcomes = []
        for line, only in zip(batch["block"], batch["only"], strict=True):
            block = blocks.decode(str(line))
            try:
                outcomes.append(self._one(block, set(json.loads(str(only))) if only else None))
            except Exception as error:
                outcomes.append(Outcome(block.number, trouble=message(error)))
        return {name: [asdict(each)[name] for each in outcomes] for name in asdict(outcomes[0])}

    def _one(self, block: Block, only: set[int] | None) -> Outcome:
        results = Store(self._work.results_url)
        name = part_name(block, self._work.part_format)
        if only is None and results.exists(name):  # written by a worker that died before it could say so
            return self._outcome(block, rows.decode(results.read(name), self._work.part_format))
        thread, reader = self._opened()
        watch = RayWatch(self._ledger, block.number)
        column = self._work.source.column
        columns = None if column is None else (column, self._work.source.name_column)
        found = thread.submit(reader.read(block, watch, columns=columns, only=only)).result()
        if only is not None:
            before = rows.decode(results.read(name), self._work.part_format)
            found += [row for row in before if row["item"] not in only]
        self._write(results, name, rows.encode(found, self._work.part_format))
        thread.submit(watch.end()).result()
        return self._outcome(block, found)

    def _outcome(self, block: Block, found: list[rows.Row]) -> Outcome:
        pages = sum(row["page"] is not None for row in found)
        return Outcome(block.number, len(block), pages, len(rows.failed_items(found)))

    def _write(self, results: Store, name: str, part: bytes) -> None:
        for tried in range(_TRIES):
            try:
                results.write(name, part)
                return
            except OSError as error:
                if tried == _TRIES - 1:
                    raise OcrError(f"{results.url} cannot be written: {message(error)}") from error
                time.sleep(_WAIT_SECONDS)

    def _opened(self) -> tuple[ReaderThread, BlockReader]:
        """Return the reader, opened at the first block, so that a missing model is the outcome of that block."""
        if self._thread is None or self._reader is None:
            from ocrsvc.engine.loop import ReaderThread
            from ocrsvc.reading.reading import ReadOptions
            from ocrsvc.settings import Settings

            settings = Settings(**{**self._work.settings, "workers": self._work.workers})
            self._thread = ReaderThread(settings)
            self._reader = BlockReader(
                self._thread.reader,
                ReadOptions(**self._work.options),
                Store(self._work.source.url),
                workers=self._work.workers,
                limits=self._work.limits,
            )
        return self._thread, self._reader


class RayWatch:
    """Reports to the ledger of a run, which is an actor. Without it blocks are read all the same."""

    def __init__(self, ledger: Any, block: int) -> None:
        self._ledger = ledger
        self._block = block

    async def begin(self) -> Mapping[int, int]:
        """Take the block; return the points of items that earlier workers may have died of."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        return await _answered(self._ledger.begin.remote(self._block, node)) or {}

    async def reading(self, item: int) -> None:
        """Note that an item is about to be read."""
        await _answered(self._ledger.reading.remote(self._block, item))

    async def read(self, item: int) -> None:
        """Note that it has been read."""
        self._ledger.read.remote(self._block, item)

    async def end(self) -> None:
        """Note that the block is done."""
        self._ledger.end.remote(self._block)


async def _answered(reference: Awaitable[Any]) -> Any:
    import ray

    try:
        return await reference
    except ray.exceptions.RayError:
        return None
