"""``OCR``: reads pictures and documents from any thread of a Python program."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, Unpack, overload

from ocrsvc.engine.futures import in_order
from ocrsvc.engine.handle import ReaderHandle
from ocrsvc.engine.inputs import ColourOrder, Source, load
from ocrsvc.engine.options import Options, read_options
from ocrsvc.engine.reading import in_flight, next_of, page_results, read
from ocrsvc.engine.result import Result


class OCR:
    """Reads pictures and PDFs in this process; models are loaded at the first call.

    ``model``, ``detector``: names as in ``ocrsvc models``, or folders. ``settings``: any other setting by its name in
    docs/settings.md without ``OCRSVC_``, such as ``workers=4``; variables of the environment count, too.
    All engines of a process with the same settings share one reader. Engines may be used by several threads at once,
    and close at the end of a ``with`` block or of the program. Raises InvalidSettings.
    """

    def __init__(self, *, model: str | None = None, detector: str | None = None, **settings: Any) -> None:
        self._handle = ReaderHandle({"model": model, "detector": detector, **settings})

    @overload
    def __call__(
        self, source: Source, *, colours: ColourOrder = ..., **options: Unpack[Options]
    ) -> Result: ...

    @overload
    def __call__(
        self,
        source: list[Source] | tuple[Source, ...] | Iterator[Source],
        *,
        colours: ColourOrder = ...,
        **options: Unpack[Options],
    ) -> Generator[Result, None, None]: ...

    def __call__(
        self,
        source: Source | list[Source] | tuple[Source, ...] | Iterator[Source],
        *,
        colours: ColourOrder = "BGR",
        **options: Unpack[Options],
    ) -> Result | Generator[Result, None, None]:
        """Return the Result of one source (``read``); of a list, tuple or iterator of sources, yield that of each."""
        if isinstance(source, (list, tuple, Iterator)):
            return self.read_many(source, colours=colours, **options)
        return self.read(source, colours=colours, **options)

    def read(self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[Options]) -> Result:
        """Return the text of a path, bytes, a NumPy array, a Pillow image or a PDF.

        ``colours``: of an array; the other arguments are those of ``Options``. Raises OSError for a file that cannot be
        opened, and subclasses of ``ocrsvc.errors.OcrError``.
        """
        wanted = read_options(options)
        thread = self._handle.thread()
        return thread.submit(read(thread, load(source, colours), wanted)).result()

    def read_many(
        self, sources: Iterable[Source], *, colours: ColourOrder = "BGR", **options: Unpack[Options]
    ) -> Generator[Result, None, None]:
        """Yield the Result of each source, in order; a few are read ahead, so that all cores are busy.

        Sources are taken from the iterable as they are needed. An error of a source is raised at its turn and ends the
        iteration: catch it by reading each source with ``read``.
        """
        wanted = read_options(options)
        thread = self._handle.thread()
        futures = (thread.submit(read(thread, load(source, colours), wanted)) for source in sources)
        yield from in_order(futures, in_flight(thread))

    def pages(
        self, source: Source, *, colours: ColourOrder = "BGR", **options: Unpack[Options]
    ) -> Generator[Result, None, None]:
        """Yield a Result for each page of a document as it is read; memory stays flat.

        An error of a page is raised at its turn and ends the iteration; headers and footers are not found, for
        which all pages are needed.
        """
        wanted = read_options(options)
        thread = self._handle.thread()
        stream = page_results(thread, load(source, colours), wanted)
        try:
            while (result := thread.submit(next_of(stream)).result()) is not None:
                yield result
        finally:
            thread.submit(stream.aclose()).result()

    def close(self) -> None:
        """Release the models, unless another engine uses them."""
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
