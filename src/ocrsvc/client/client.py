"""``Client``: asks a running service from any thread of a Python program."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, Unpack, overload

import httpx

from ocrsvc.client.requests import PATH, ServiceOptions, arguments_of, check, page_of, result_of
from ocrsvc.client.retrying import Retries
from ocrsvc.engine.futures import in_order
from ocrsvc.engine.inputs import ColourOrder, Source, load
from ocrsvc.engine.result import Result

TIMEOUT_SECONDS = 120.0
RETRIES = 5
AT_ONCE = 8  # requests of read_many


class Client:
    """Reads pictures and PDFs with the service at ``base_url``.

    ``api_key``: sent as ``Authorization: Bearer``. ``retries``: how often a request is sent again if the service is
    busy or cannot be reached; it waits as long as the service asks for (Retry-After). ``options``: further arguments of
    ``httpx.Client``, such as ``verify``. A client may be used by several threads at once.
    """

    def __init__(
        self,
        base_url: str = "http://localhost:8000",
        *,
        api_key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        **options: Any,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=timeout_seconds, **options)
        if api_key is not None:
            self._http.headers["Authorization"] = f"Bearer {api_key}"
        self._retries = retries

    @overload
    def __call__(
        self, source: Source, *, colours: ColourOrder = ..., **options: Unpack[ServiceOptions]
    ) -> Result: ...

    @overload
    def __call__(
        self,
        source: list[Source] | tuple[Source, ...] | Iterator[Source],
        *,
        colours: ColourOrder = ...,
        **options: Unpack[ServiceOptions],
    ) -> Generator[Result, None, None]: ...

    def __call__(
        self,
        source: Source | list[Source] | tuple[Source, ...] | Iterator[Source],
        *,
        colours: ColourOrder = "BGR",
        **options: Unpack[ServiceOptions],
    ) -> Result | Generator[Result, None, None]:
        """Return the Result of one source (``read``); of a list, tuple or iterator of sources, yield that of each."""
        if isinstance(source, (list, tuple, Iterator)):
            return self.read_many(source, colours=colours, **options)
        return self.read(source, colours=colours, **options)

    def read(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[ServiceOptions]
    ) -> Result:
        """Return the text of a path, bytes, a NumPy array, a Pillow image or a PDF.

        Raises what the service answers as the same subclass of OcrError that it raised there, httpx.TransportError if
        it cannot be reached, and OSError for a file that cannot be opened.
        """
        given = load(source, colours)
        answer = self._post(arguments_of(given, "json", "char", options))
        return result_of(answer.json(), given, options)

    def render(
        self,
        source: Source,
        format_name: str,
        *,
        granularity: str = "line",
        colours: ColourOrder = "BGR",
        **options: Unpack[ServiceOptions],
    ) -> bytes:
        """Return what the service makes of a source in one of its formats, such as ``pdf`` or ``xlsx``."""
        return self._post(arguments_of(load(source, colours), format_name, granularity, options)).content

    def read_many(
        self,
        sources: Iterable[Source],
        *,
        colours: ColourOrder = "BGR",
        **options: Unpack[ServiceOptions],
    ) -> Generator[Result, None, None]:
        """Yield the Result of each source, in order, with up to eight requests at once.

        An error of a source is raised at its turn and ends the iteration.
        """
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ocrsvc-client")
        try:
            futures = (pool.submit(self.read, source, colours=colours, **options) for source in sources)
            yield from in_order(futures, 2 * AT_ONCE)
        finally:
            pool.shutdown(cancel_futures=True)

    def pages(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[ServiceOptions]
    ) -> Generator[Result, None, None]:
        """Yield a Result for each page of a document as soon as the service has read it.

        An error of a page is raised at its turn and ends the iteration, which withdraws the rest. Only what fails
        before the first page is tried again.
        """
        given = load(source, colours)
        arguments = arguments_of(given, "jsonl", "char", options)
        retries = Retries(self._retries)
        while True:
            try:
                with self._http.stream("POST", PATH, **arguments) as answer:
                    if (wait := retries.wait_seconds(answer)) is None:
                        if not answer.is_success:
                            answer.read()
                            check(answer)
                        for record in answer.iter_lines():
                            if (page := page_of(record, given, options)) is not None:
                                yield page
                        return
            except httpx.ConnectError:
                if (wait := retries.wait_seconds(None)) is None:
                    raise
            time.sleep(wait)

    def _post(self, arguments: dict[str, Any]) -> httpx.Response:
        retries = Retries(self._retries)
        while True:
            try:
                answer = self._http.post(PATH, **arguments)
            except (httpx.ConnectError, httpx.RemoteProtocolError):
                if (wait := retries.wait_seconds(None)) is None:
                    raise
            else:
                if (wait := retries.wait_seconds(answer)) is None:
                    check(answer)
                    return answer
            time.sleep(wait)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
