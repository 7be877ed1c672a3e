"""POST /api/ocr/batch: one JSON line for each file, sent as it finishes; a bad file affects no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ocrsvc.errors import Saturated
from ocrsvc.formats import Rendering, json_format
from ocrsvc.results import Document
from ocrsvc.service.pictures import Picture
from ocrsvc.service.problems import describe
from ocrsvc.service.record import RequestRecord

logger = logging.getLogger("ocrsvc.service")

ReadOne = Callable[[Picture], Awaitable[Document]]


@dataclass(frozen=True, slots=True)
class BatchReading:
    """Reads the files of one request.

    ``concurrency``: files read at the same time; enough to keep the workers busy, few enough to hold decoded in
    memory. ``patience_seconds``: how long a file is retried while the scheduler is saturated, because an accepted
    request must not fail half-way.
    """

    read: ReadOne
    pictures: tuple[Picture, ...]
    rendering: Rendering
    record: RequestRecord
    instance: str
    concurrency: int
    patience_seconds: float

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield one JSON line for each file as it finishes; closing the generator cancels the rest."""
        waiting = list(enumerate(self.pictures))[::-1]
        running: set[asyncio.Task[bytes]] = set()
        try:
            while waiting or running:
                while waiting and len(running) < self.concurrency:
                    running.add(asyncio.create_task(self._line(*waiting.pop())))
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in running:
                task.cancel()

    async def _line(self, index: int, picture: Picture) -> bytes:
        head: dict[str, Any] = {"file": picture.name, "index": index}
        try:
            document = await self._patiently(picture)
            with self.record.stage("format"):
                line = json_format.encode(head | json_format.as_mapping(document, self.rendering))
        except Exception as error:
            problem = describe(error)
            if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                # The answer's status is 200, so the middleware does not log this failure.
                logger.exception("a file failed", extra={"request_id": self.record.request_id})
            self.record.failed_files += 1
            self.record.fail(problem.slug, error)
            body = problem.body(instance=self.instance, request_id=self.record.request_id)
            line = json_format.encode(head | {"error": body})
        else:
            self.record.add(document)
        finally:
            await picture.close()
        return line + b"\n"

    async def _patiently(self, picture: Picture) -> Document:
        loop = asyncio.get_running_loop()
        until = loop.time() + self.patience_seconds
        while True:
            try:
                return await self.read(picture)
            except Saturated as error:
                if loop.time() + error.retry_after_seconds >= until:
                    raise
                await asyncio.sleep(error.retry_after_seconds)
