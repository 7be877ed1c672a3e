"""Reads the items of one block with a Reader and makes their rows. Every error is a row; none ends the block."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocrsvc.errors import OcrError, TooLarge, WorkerKilled
from ocrsvc.scaleout.blocks import Block, Rows
from ocrsvc.scaleout.ledger import MOST_POINTS, Watch
from ocrsvc.scaleout.rows import ItemRows, Row
from ocrsvc.scaleout.stores import Store, StoreFailure

if TYPE_CHECKING:
    from ocrsvc.reading.reader import Reader
    from ocrsvc.reading.reading import ReadOptions

_HELD_BYTES = 256 * 2**20  # of the items in work; one item may be larger, and is then alone
_PER_WORKER = 4  # items in work for each thread that runs models
_ROWS_AT_ONCE = 64  # of a Parquet file
_HOPELESS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """How items are fetched: ``tries`` for each, ``wait_seconds`` before the second, ``seconds`` for one try.

    ``max_bytes``: a larger one is not read.
    """

    max_bytes: int = 2**30
    tries: int = 3
    wait_seconds: float = 1.0
    seconds: float = 120.0

    def wait_before(self, tried: int) -> float:
        """Return the seconds to wait after so many tries: none before the first, then four times as long each time."""
        return self.wait_seconds * 4 ** (tried - 1) if tried else 0.0

    def is_final(self, error: OSError, tried: int) -> bool:
        """Return whether no try follows one that ended with this error after ``tried`` others."""
        return isinstance(error, _HOPELESS) or tried == self.tries - 1


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a block: ``load`` fetches its bytes (blocking) and raises OSError or OcrError."""

    number: int
    name: str
    size: int
    load: Callable[[], bytes]


class BlockReader:
    """Reads blocks one after the other; all methods belong to the reader's event loop."""

    def __init__(
        self, reader: Reader, options: ReadOptions, store: Store, *, workers: int, limits: LoadLimits
    ) -> None:
        self._reader = reader
        self._options = options
        self._store = store
        self._at_once = _PER_WORKER * workers
        self._limits = limits
        # A store that does not answer keeps its threads; more of them let the other items go on.
        self._threads = ThreadPoolExecutor(4 * self._at_once, thread_name_prefix="load")

    async def read(
        self,
        block: Block,
        watch: Watch,
        *,
        columns: tuple[str, str | None] | None = None,
        only: Collection[int] | None = None,
    ) -> list[Row]:
        """Return the rows of a block's items, or of those that are in ``only``, in any order.

        ``columns``: of a Parquet file, the bytes and the names. Items that workers may have died of come last, one at a
        time, so that the next death says which it was.
        """
        suspects = await watch.begin()
        items = await self._load_in_thread(lambda: list(self._items(block, columns)), math.inf)
        wanted = [item for item in items if only is None or item.number in only]
        rows: list[Row] = []
        ending = asyncio.create_task(self._end_long_runs())
        try:
            rows += await self._side_by_side([item for item in wanted if item.number not in suspects], watch)
            for item in wanted:
                if suspects.get(item.number, 0) >= MOST_POINTS:
                    killed = WorkerKilled("The processes that read this file crashed or were killed, twice.")
                    rows.append(ItemRows(item.number, item.name).error(killed))
                elif item.number in suspects:
                    rows += await self._one(item, watch)
        finally:
            ending.cancel()
        return rows

    async def _end_long_runs(self) -> None:
        """End runs of a model that hang, as the service does."""
        while True:
            await asyncio.sleep(1)
            self._reader.end_runs(older_than_seconds=self._reader.settings.run_seconds)

    async def _side_by_side(self, items: list[Item], watch: Watch) -> list[Row]:
        rows: list[Row] = []
        waiting = iter(items)
        budget = _Bytes(_HELD_BYTES)

        async def work() -> None:
            for item in waiting:
                held = await budget.take(item.size)
                try:
                    rows.extend(await self._one(item, watch))
                finally:
                    budget.give(held)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(self._at_once, len(items))):
                tasks.create_task(work())
        return rows

    async def _one(self, item: Item, watch: Watch) -> list[Row]:
        await watch.reading(item.number)
        rows = [row async for row in self._rows(item)]
        await watch.read(item.number)
        return rows

    async def _rows(self, item: Item) -> Any:
        made = ItemRows(item.number, item.name)
        try:
            data = await self._fetch(item)
            made.loaded(len(data), hashlib.sha256(data).hexdigest())
            async with (
                self._reader.stream(data, self._options) as stream,
                aclosing(stream.pages()) as pages,
            ):
                made.opened(len(stream.numbers))
                async for page in pages:
                    if page.document is not None:
                        yield made.page(page.document, page.number)
                    else:
                        yield made.error(page.error or OcrError("The page was not read."), page.number)
        except Exception as error:  # must not stop the other items
            yield made.error(error)

    async def _fetch(self, item: Item) -> bytes:
        for tried in range(self._limits.tries):
            await asyncio.sleep(self._limits.wait_before(tried))
            try:
                return bytes(await self._load_in_thread(item.load, self._limits.seconds))
            except OSError as error:
                if self._limits.is_final(error, tried):
                    raise
        raise StoreFailure("The file was not fetched.")

    async def _load_in_thread(self, load: Callable[[], Any], seconds: float) -> Any:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                return await loop.run_in_executor(self._threads, load)
        except TimeoutError as error:
            raise StoreFailure(f"The store did not answer within {seconds:g} seconds.") from error

    # --- the items of a block ---

    def _items(self, block: Block, columns: tuple[str, str | None] | None) -> Iterator[Item]:
        if block.rows is not None and columns is not None:
            yield from self._items_of_rows(block.rows, block.items, *columns)
            return
        for number, file in zip(block.items, block.files, strict=True):
            load = _FileLoad(self._store, file.path, file.size, self._limits.max_bytes)
            yield Item(number, file.name, file.size or 0, load)

    def _items_of_rows(self, rows: Rows, numbers: range, column: str, names: str | None) -> Iterator[Item]:
        values: list[Any] = [None] * len(numbers)
        titles = [f"{rows.name}#{rows.first + i}" for i in range(len(numbers))]
        failure: OSError | None = None
        try:
            table = self._table(rows, [column] if names is None else [column, names])
            values = table.column(column).to_pylist()
            if names is not None:
                titles = [str(name) for name in table.column(names).to_pylist()]
        except Exception as error:
            failure = StoreFailure(f"{type(error).__name__}: {' '.join(str(error).split())}")
        for number, title, value in zip(numbers, titles, values, strict=True):
            size = len(value) if isinstance(value, (bytes, str)) else 0
            yield Item(number, title, size, _ValueLoad(value, failure, self._limits.max_bytes))

    def _table(self, rows: Rows, columns: list[str]) -> Any:
        """Return the rows of these columns, tried as often as a file is."""
        import pyarrow.parquet as pq

        for tried in range(self._limits.tries):
            time.sleep(self._limits.wait_before(tried))
            try:
                with pq.ParquetFile(rows.path, filesystem=self._store.arrow()) as file:
                    return _slice(file, rows, columns)
            except OSError as error:
                if self._limits.is_final(error, tried):
                    raise
        raise StoreFailure("The rows were not fetched.")


def _slice(file: Any, rows: Rows, columns: list[str]) -> Any:
    """Return the rows as a table, without ever holding the whole row group."""
    import pyarrow as pa

    taken, place = [], 0
    for batch in file.iter_batches(_ROWS_AT_ONCE, row_groups=[rows.group], columns=columns):
        first, last = max(rows.start - place, 0), min(rows.stop - place, batch.num_rows)
        if first < last:
            taken.append(batch.slice(first, last - first))
        place += batch.num_rows
        if place >= rows.stop:
            break
    return pa.Table.from_batches(taken)


@dataclass(frozen=True, slots=True)
class _FileLoad:
    store: Store
    path: str
    size: int | None
    max_bytes: int

    def __call__(self) -> bytes:
        if self.size is not None and self.size > self.max_bytes:
            raise _too_large(self.size, self.max_bytes)
        data = self.store.open_at(self.path, size=self.size, limit_bytes=self.max_bytes)
        if len(data) > self.max_bytes:
            raise _too_large(len(data), self.max_bytes)
        return data


@dataclass(frozen=True, slots=True)
class _ValueLoad:
    value: Any
    failure: OSError | None
    max_bytes: int

    def __call__(self) -> bytes:
        if self.failure is not None:
            raise self.failure
        if self.value is None:
            return b""
        if isinstance(self.value, dict) and isinstance(self.value.get("bytes"), bytes):
            return bytes(self.value["bytes"])  # pictures as Hugging Face's data sets have them
        if not isinstance(self.value, bytes):
            raise StoreFailure(f"The column has no bytes but {type(self.value).__name__}.")
        if len(self.value) > self.max_bytes:
            raise _too_large(len(self.value), self.max_bytes)
        return self.value


def _too_large(size: int, most: int) -> TooLarge:
    return TooLarge(f"The file has {size:,} bytes; the limit is {most:,}.", limit_bytes=most)


class _Bytes:
    """Bytes that may be held at once; whoever wants more than all of them waits until nobody holds any."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = most
        self._changed = asyncio.Condition()

    async def take(self, size: int) -> int:
        """Wait for so many bytes and return how many are held."""
        size = min(size, self._most)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        return size

    def give(self, size: int) -> None:
        """Give them back."""
        self._free += size
        asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()
