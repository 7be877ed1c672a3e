"""Decoding for the event loop: quick pictures in threads, everything else in processes that can be killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ocrsvc.pages import decoding
from ocrsvc.pages.decoder_processes import DecoderProcesses
from ocrsvc.pages.source import DocumentOptions, Limits, PageImage, Source

T = TypeVar("T")

_SMALL_BYTES = 1_250_000  # most memory of a picture, such as a line, that is opened and decoded in one step
_SMALL_FILE_BYTES = 256 * 1024  # largest file for the separate pool, in which lines do not wait


class OpenedInput(Protocol):
    """An opened input whose pages are decoded one at a time; see ``source.Source``."""

    @property
    def numbers(self) -> tuple[int, ...]: ...
    async def decode_bytes(self, number: int) -> int: ...
    async def page(self, number: int) -> PageImage: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """Result of ``look`` for a small picture, which was opened and decoded in one step."""

    result: T


class Decoder:
    """Pools of threads and processes for decoding. All methods belong to one event loop."""

    def __init__(self, limits: Limits, *, threads: int, processes: int, cpu_seconds: float) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._small_pool = ThreadPoolExecutor(threads, thread_name_prefix="decode-small")
        self._processes = DecoderProcesses(processes, limits, cpu_seconds=cpu_seconds)
        self._begun: dict[object, float] = {}  # start of each running piece of work, by time.monotonic

    @property
    def longest_seconds(self) -> float:
        """Return for how long the oldest running work has been running; 0 if there is none."""
        now = time.monotonic()
        return max(self._processes.longest_seconds, now - min([*self._begun.values()], default=now))

    async def start(self) -> None:
        """Start a process, so that the first document does not wait for it. Unavailable if that fails."""
        await self._processes.start()

    async def open(
        self,
        data: bytes,
        pages: str | None,
        look: Callable[[PageImage], T],
        options: DocumentOptions | None = None,
        *,
        max_pages: int | None = None,
    ) -> OpenedInput | Seen[T]:
        """Open an input; a single small picture is decoded, passed to ``look`` and closed at once.

        ``max_pages`` replaces the limit on pages for this input. Decoding a small picture at once takes one call of
        the thread pool instead of three. Raises as ``decoding.open_source`` and ``Source.page``;
        Unavailable if no process can be started.
        """
        pool = self._small_pool if len(data) <= _SMALL_FILE_BYTES else self._pool
        found = await self._in(pool, self._open, data, pages, look)
        return found or await self._processes.open(data, pages, options, max_pages)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Call ``work(*arguments)`` on one of the threads and return its result."""
        return await self._in(self._pool, work, *arguments)

    def close(self) -> None:
        """Kill all processes at once, and end the threads when their work is done."""
        self._processes.close()
        for pool in (self._pool, self._small_pool):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _in(self, pool: Executor, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, self._watched, work, *arguments)

    def _watched(self, work: Callable[..., T], *arguments: object) -> T:
        key = object()
        self._begun[key] = time.monotonic()
        try:
            return work(*arguments)
        finally:
            del self._begun[key]

    def _open(
        self, data: bytes, pages: str | None, look: Callable[[PageImage], T]
    ) -> OpenedInput | Seen[T] | None:
        source = decoding.open_quick(data, self._limits, pages)
        if source is None:
            return None
        (number,) = source.numbers
        if source.decode_bytes(number) > _SMALL_BYTES:
            return _ThreadSource(self, source)
        try:
            return Seen(look(source.page(number)))
        finally:
            source.close()


class _ThreadSource:
    """A picture that is decoded on a thread."""

    def __init__(self, decoder: Decoder, source: Source) -> None:
        self._decoder = decoder
        self._source = source
        self.numbers = source.numbers

    async def decode_bytes(self, number: int) -> int:
        return self._source.decode_bytes(number)

    async def page(self, number: int) -> PageImage:
        return await self._decoder.run(self._source.page, number)

    def close(self) -> None:
        self._source.close()
