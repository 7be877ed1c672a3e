"""Decoding for the event loop: what is quick in threads, everything else in processes that can be killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ocrsvc.pages import decoding
from ocrsvc.pages.decoder_processes import DecoderProcesses
from ocrsvc.pages.source import Limits, PageImage, Source

T = TypeVar("T")

_SMALL_BYTES = 1_250_000  # of memory: the picture of a line, decoded in the trip that opens it
_SMALL_FILE_BYTES = 256 * 1024  # most often of a line, which is opened beside those that are large


class OpenedInput(Protocol):
    """An opened input whose pages are decoded one at a time; see ``source.Source``."""

    @property
    def numbers(self) -> tuple[int, ...]: ...
    async def decode_bytes(self, number: int) -> int: ...
    async def page(self, number: int) -> PageImage: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What came of a small picture that was decoded and looked at in one trip."""

    result: T


class Decoder:
    """A pool of threads and one of processes. All methods belong to one event loop."""

    def __init__(self, limits: Limits, *, threads: int, processes: int, cpu_seconds: float) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._small_pool = ThreadPoolExecutor(threads, thread_name_prefix="decode-small")
        self._processes = DecoderProcesses(processes, limits, cpu_seconds=cpu_seconds)
        self._begun: dict[object, float] = {}  # when each thread at work began, by time.monotonic

    @property
    def longest_seconds(self) -> float:
        """For how long the oldest work of a thread or process has been going on; 0 if there is none."""
        now = time.monotonic()
        return max(self._processes.longest_seconds, now - min([*self._begun.values()], default=now))

    async def start(self) -> None:
        """Start a process, so that the first document need not wait for it. Unavailable if that fails."""
        await self._processes.start()

    async def open(
        self, data: bytes, pages: str | None, look: Callable[[PageImage], T]
    ) -> OpenedInput | Seen[T]:
        """The input behind these bytes; if it is one small picture, what ``look`` makes of it, and closed.

        Such a picture takes one trip to the pool instead of three. Raises what ``decoding.open_source`` and
        ``Source.page`` raise; Unavailable if no process can be started.
        """
        pool = self._small_pool if len(data) <= _SMALL_FILE_BYTES else self._pool
        found = await self._in(pool, self._open, data, pages, look)
        return found or await self._processes.open(data, pages)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """What ``work(*arguments)`` returns, called on one of the threads."""
        return await self._in(self._pool, work, *arguments)

    def close(self) -> None:
        """End all processes, whatever they do, and the threads when their work is done."""
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
