"""The answer of POST /api/ocr page by page: a record for each page as it is read, and a last one on how it ended.

Records before the last are never taken back: whatever ends the reading, the pages before it have been delivered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from ocrsvc.formats import Rendering, jsonl_format
from ocrsvc.reading.page_stream import PageReading, PageStream
from ocrsvc.service.connection import shutting_down, unless_gone
from ocrsvc.service.parameters import Parameters
from ocrsvc.service.pictures import Picture
from ocrsvc.service.problems import describe
from ocrsvc.service.record import RequestRecord, record_of
from ocrsvc.service.state import service_of
from ocrsvc.service.streamed import EVENTS, KEEP_ALIVE_SECONDS, LINES, Encoding, StreamedResponse
from ocrsvc.service.writing import written

logger = logging.getLogger("ocrsvc.service")


async def page_answer(
    request: Request, picture: Picture, asked: Parameters, resources: AsyncExitStack
) -> StreamedResponse:
    """Open a document, read its first page, and return the answer that delivers this page and the others.

    ``resources`` are closed at the end of the answer. Raises the errors of Reader.stream, and that of the only page.
    """
    service, record = service_of(request), record_of(request.scope)

    async def begin() -> tuple[PageStream, AsyncGenerator[PageReading, None], PageReading]:
        stream = await resources.enter_async_context(
            service.stream(picture, asked.options, client=record.client, log=record.stage_log)
        )
        pages = stream.pages()
        resources.push_async_callback(pages.aclose)
        return stream, pages, await anext(pages)

    resources.callback(lambda: service.metrics.document_read(record.stages_ms))
    stream, pages, first = await unless_gone(begin(), request.receive, service.giving_up)
    if first.error and len(stream.numbers) == 1:
        raise first.error
    answer = PageAnswer(
        first=first,
        pages=pages,
        page_count=len(stream.numbers),
        rendering=Rendering(request_id=record.request_id, granularity=asked.granularity),
        encoding=EVENTS if asked.events else LINES,
        record=record,
        instance=request.url.path,
        giving_up=service.giving_up,
        pool=service.pool,
    )
    return StreamedResponse(answer.pieces(), resources.pop_all(), media_type=answer.encoding.media_type)


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """Writes the records of one document; ``first`` is the page that has been taken from ``pages`` already.

    ``giving_up`` ends the answer before a shutdown cuts the connection.
    """

    first: PageReading
    pages: AsyncGenerator[PageReading, None]
    page_count: int
    rendering: Rendering
    encoding: Encoding
    record: RequestRecord
    instance: str
    giving_up: asyncio.Future[None]
    pool: Executor

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the answer's bytes, page by page; the next page is taken once the one before has been sent."""
        read = failed = 0
        ended: Exception | None = None
        page: PageReading | None = self.first
        upcoming: asyncio.Future[PageReading | None] | None = None
        try:
            while page is not None:
                read, failed = read + (page.error is None), failed + (page.error is not None)
                yield self.encoding.encode(await self._written(page), "page", page.number)
                upcoming = asyncio.ensure_future(anext(self.pages, None))
                while not upcoming.done():
                    watched: set[asyncio.Future[Any]] = {upcoming, self.giving_up}
                    await asyncio.wait(
                        watched,
                        timeout=KEEP_ALIVE_SECONDS,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if self.giving_up.done():
                        raise shutting_down()
                    if not upcoming.done() and self.encoding.keep_alive:
                        yield self.encoding.keep_alive
                page = upcoming.result()
        except Exception as error:
            ended = error
        finally:
            if upcoming is not None and not upcoming.done():
                upcoming.cancel()
                await asyncio.wait({upcoming})
        last: dict[str, Any] = {
            "done": ended is None,
            "page_count": self.page_count,
            "pages_read": read,
            "pages_failed": failed,
            "request_id": self.record.request_id,
        }
        if ended is not None:
            last["error"] = self._problem(ended)
        yield self.encoding.encode(last, "done")

    async def _written(self, page: PageReading) -> dict[str, Any]:
        if page.document is None:
            problem = self._problem(page.error or RuntimeError("a page without a result"))
            return jsonl_format.error_record(problem, page.number, self.page_count)
        document = page.document
        self.record.add_page(document)
        with self.record.stage("format"):
            write, count = jsonl_format.page_record, len(document.lines)
            return await written(
                self.pool, count, write, document, page.number, self.page_count, self.rendering
            )

    def _problem(self, error: Exception) -> dict[str, Any]:
        """Return the problem document, and log what is the service's own fault: the answer's status is 200."""
        problem = describe(error)
        if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("a page failed", extra={"request_id": self.record.request_id}, exc_info=error)
        self.record.fail(problem.slug, error)
        return problem.body(instance=self.instance, request_id=self.record.request_id)
