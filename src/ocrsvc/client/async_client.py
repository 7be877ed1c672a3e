"""``AsyncClient``: the same as ``Client`` for programs with an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from ocrsvc.client.client import AT_ONCE, RETRIES, TIMEOUT_SECONDS
from ocrsvc.client.requests import PATH, ServiceOptions, arguments_of, check, page_of, result_of
from ocrsvc.client.retrying import Retries
from ocrsvc.engine.inputs import ColourOrder, Source, load
from ocrsvc.engine.result import Result
from ocrsvc.reading.tasks import ordered


class AsyncClient:
    """Reads pictures and PDFs with the service at ``base_url``; the arguments are those of ``Client``."""

    def __init__(
        self,
        base_url: str = "http://localhost:8000",
        *,
        api_key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        **options: Any,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout_seconds, **options)
        if api_key is not None:
            self._http.headers["Authorization"] = f"Bearer {api_key}"
        self._retries = retries

    async def __call__(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[ServiceOptions]
    ) -> Result:
        """Return the text of one source, as ``Client.read`` does."""
        return await self.read(source, colours=colours, **options)

    async def read(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[ServiceOptions]
    ) -> Result:
        """Return the text of one source, as ``Client.read`` does."""
        given = await asyncio.to_thread(load, source, colours)
        answer = await self._post(arguments_of(given, "json", "char", options))
        return result_of(answer.json(), given, options)

    async def render(
        self,
        source: Source,
        format_name: str,
        *,
        granularity: str = "line",
        colours: ColourOrder = "BGR",
        **options: Unpack[ServiceOptions],
    ) -> bytes:
        """Return what the service makes of a source in one of its formats, such as ``pdf`` or ``xlsx``."""
        given = await asyncio.to_thread(load, source, colours)
        return (await self._post(arguments_of(given, format_name, granularity, options))).content

    async def read_many(
        self,
        sources: Iterable[Source] | AsyncIterable[Source],
        *,
        colours: ColourOrder = "BGR",
        **options: Unpack[ServiceOptions],
    ) -> AsyncGenerator[Result, None]:
        """Yield the Result of each source, in order, as ``Client.read_many`` does."""

        async def ask(source: Source) -> Result:
            return await self.read(source, colours=colours, **options)

        async with aclosing(ordered(sources, ask, in_flight=AT_ONCE)) as answers:
            async for _, result in answers:
                yield result

    async def pages(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[ServiceOptions]
    ) -> AsyncGenerator[Result, None]:
        """Yield a Result for each page of a document as soon as it is read, as ``Client.pages`` does."""
        given = await asyncio.to_thread(load, source, colours)
        arguments = arguments_of(given, "jsonl", "char", options)
        retries = Retries(self._retries)
        while True:
            try:
                async with self._http.stream("POST", PATH, **arguments) as answer:
                    if (wait := retries.wait_seconds(answer)) is None:
                        if not answer.is_success:
                            await answer.aread()
                            check(answer)
                        async for record in answer.aiter_lines():
                            if (page := page_of(record, given, options)) is not None:
                                yield page
                        return
            except httpx.ConnectError:
                if (wait := retries.wait_seconds(None)) is None:
                    raise
            await asyncio.sleep(wait)

    async def _post(self, arguments: dict[str, Any]) -> httpx.Response:
        retries = Retries(self._retries)
        while True:
            try:
                answer = await self._http.post(PATH, **arguments)
            except (httpx.ConnectError, httpx.RemoteProtocolError):
                if (wait := retries.wait_seconds(None)) is None:
                    raise
            else:
                if (wait := retries.wait_seconds(answer)) is None:
                    check(answer)
                    return answer
            await asyncio.sleep(wait)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
