"""Coroutines of the reader's loop that make Results."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ocrsvc.engine.inputs import Input
from ocrsvc.engine.result import Result
from ocrsvc.machine import cpu

if TYPE_CHECKING:
    from ocrsvc.engine.loop import ReaderThread
    from ocrsvc.reading.reading import ReadOptions

_IN_FLIGHT_PER_WORKER = (
    4  # sources read ahead: cores stay busy, and a photograph of 12 megapixels takes 36 MB
)


def in_flight(thread: ReaderThread) -> int:
    """Return how many sources are read at once."""
    return _IN_FLIGHT_PER_WORKER * (thread.settings.workers or cpu.inspect().effective)


async def read(thread: ReaderThread, given: Input, options: ReadOptions) -> Result:
    """Return the Result of one input."""
    document = await thread.reader.read(given.data, options)
    return Result(document, given, options.password, thread.settings.pdf_dpi)


async def page_results(
    thread: ReaderThread, given: Input, options: ReadOptions
) -> AsyncGenerator[Result, None]:
    """Yield the Result of each page as it is read; raises the error of a page at its turn."""
    async with (
        thread.reader.stream(given.data, options) as stream,
        aclosing(stream.pages()) as pages,
    ):
        async for page in pages:
            if page.document is None:
                raise page.error or RuntimeError(f"Page {page.number} has neither a document nor an error.")
            yield Result(page.document, given, options.password, thread.settings.pdf_dpi)


async def next_of(stream: AsyncGenerator[Result, None]) -> Result | None:
    """Return the next Result of ``page_results``, or None at the end."""
    return await anext(stream, None)
