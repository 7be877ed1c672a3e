"""``AsyncOCR``: the same as ``OCR`` for programs with an event loop of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, Unpack

from ocrsvc.engine.handle import ReaderHandle
from ocrsvc.engine.inputs import ColourOrder, Source, load
from ocrsvc.engine.loop import ReaderThread
from ocrsvc.engine.options import Options, read_options
from ocrsvc.engine.reading import in_flight, next_of, page_results, read
from ocrsvc.engine.result import Result
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.reading.tasks import ordered


class AsyncOCR:
    """Reads pictures and PDFs in this process; the arguments and the shared reader are those of ``OCR``.

    The caller's event loop is never blocked: files are opened and read by other threads. Cancelling a task that awaits
    a reading withdraws its work.
    """

    def __init__(self, *, model: str | None = None, detector: str | None = None, **settings: Any) -> None:
        self._handle = ReaderHandle({"model": model, "detector": detector, **settings})

    async def __call__(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[Options]
    ) -> Result:
        """Return the text of one source, as ``OCR.read`` does."""
        return await self.read(source, colours=colours, **options)

    async def read(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[Options]
    ) -> Result:
        """Return the text of one source, as ``OCR.read`` does."""
        wanted = read_options(options)
        thread = await asyncio.to_thread(self._handle.thread)
        return await self._read(thread, source, colours, wanted)

    async def read_many(
        self,
        sources: Iterable[Source] | AsyncIterable[Source],
        *,
        colours: ColourOrder = "BGR",
        **options: Unpack[Options],
    ) -> AsyncGenerator[Result, None]:
        """Yield the Result of each source, in order, as ``OCR.read_many`` does."""
        wanted = read_options(options)
        thread = await asyncio.to_thread(self._handle.thread)

        async def ask(source: Source) -> Result:
            return await self._read(thread, source, colours, wanted)

        async with aclosing(ordered(sources, ask, in_flight=in_flight(thread))) as answers:
            async for _, result in answers:
                yield result

    async def pages(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[Options]
    ) -> AsyncGenerator[Result, None]:
        """Yield a Result for each page of a document as it is read, as ``OCR.pages`` does."""
        wanted = read_options(options)
        thread = await asyncio.to_thread(self._handle.thread)
        given = await asyncio.to_thread(load, source, colours)
        stream = page_results(thread, given, wanted)
        try:
            while (result := await asyncio.wrap_future(thread.submit(next_of(stream)))) is not None:
                yield result
        finally:
            await asyncio.wrap_future(thread.submit(stream.aclose()))

    async def _read(
        self, thread: ReaderThread, source: Source, colours: ColourOrder, wanted: ReadOptions
    ) -> Result:
        given = await asyncio.to_thread(load, source, colours)
        return await asyncio.wrap_future(thread.submit(read(thread, given, wanted)))

    async def close(self) -> None:
        """Release the models, unless another engine uses them."""
        await asyncio.to_thread(self._handle.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
