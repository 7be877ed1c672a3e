"""Pool of processes that decode inputs which may take long or much memory, and that are killed if they do.

A codec in a thread cannot be stopped: a JPEG of 60 000 scans or a PDF of nested forms would hold its thread, and
PDFium the lock of all PDFs, for minutes. PDF, TIFF, WebP, BMP, GIF and large pictures are decoded here, in processes
with limits on memory and processor time (setrlimit(2)); cancelling a request kills its process.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from ocrsvc.errors import ShuttingDown, UndecodableImage, by_slug
from ocrsvc.pages import memory_files, text_layer
from ocrsvc.pages.buffers import Buffer, Buffers
from ocrsvc.pages.decoder_connection import DecoderConnection
from ocrsvc.pages.source import DocumentOptions, Limits, PageImage

_MOST_DPI = 10_000.0
_KEPT_BYTES = 16 << 20  # largest file for pixels that is reused: an A4 page at 200 dpi fits


class DecoderProcesses:
    """Up to ``count`` processes, each started when first needed. All methods belong to one event loop.

    ``cpu_seconds``: limit of processor time for one page, or for opening one input.
    """

    def __init__(self, count: int, limits: Limits, *, cpu_seconds: float) -> None:
        self._limits = limits
        self._cpu_seconds = cpu_seconds
        self._free = asyncio.Semaphore(count)
        self._idle: list[DecoderConnection] = []
        self._busy: dict[DecoderConnection, float] = {}  # with the start of its work, in loop time
        self._buffers = Buffers(count + 1, min(_KEPT_BYTES, limits.max_decode_bytes // 8))
        self._inputs = itertools.count()
        # One more than processes, so that an input can be copied while all of them work.
        self._pool = ThreadPoolExecutor(count + 1, thread_name_prefix="decoders")
        self._lock = threading.Lock()  # guards the two attributes below, which the threads change
        self._running: set[DecoderConnection] = set()
        self._closed = False

    @property
    def longest_seconds(self) -> float:
        """Return for how long the oldest page in work has been decoded; 0 if there is none."""
        now = asyncio.get_running_loop().time()
        return now - min(self._busy.values(), default=now)

    async def start(self) -> None:
        """Start one process, so that the first document does not wait for it. Unavailable if that fails."""
        async with self._free:
            self._give_back(await self._started())

    async def open(
        self,
        data: bytes,
        pages: str | None,
        options: DocumentOptions | None = None,
        max_pages: int | None = None,
    ) -> ProcessSource:
        """Open an input; raises as ``decoding.open_source`` and ``Source.decode_bytes``.

        ``max_pages`` replaces the limit on pages for this input.
        """
        limits = self._limits if max_pages is None else replace(self._limits, max_pages=max_pages)
        loop = asyncio.get_running_loop()
        file = await loop.run_in_executor(self._pool, memory_files.holding, data)
        document = ProcessSource(self, next(self._inputs), file, pages, options or DocumentOptions(), limits)
        try:
            document.opened(await self.ask(document, page=None))
        except BaseException:
            document.close()
            raise
        return document

    async def decode(self, document: ProcessSource, page: int) -> PageImage:
        """Decode a page, whose pixels are read-only; raises as ``ask``."""
        buffer = self._buffers.take()
        answer = await self.ask(document, page=page, buffer=buffer)
        pixels = self._buffers.pixels(buffer, int(answer["height"]), int(answer["width"]))
        width, height = answer["full_size"] or (pixels.shape[1], pixels.shape[0])
        text = None
        if text_bytes := int(answer["text_bytes"]):
            loop = asyncio.get_running_loop()
            data = buffer.read(pixels.nbytes, min(text_bytes, text_layer.MOST_BYTES + 1))
            text = await loop.run_in_executor(self._pool, text_layer.decode, data, int(width), int(height))
        return PageImage(page, pixels, (int(width), int(height)), text, _dpi(answer.get("dpi")))

    async def ask(
        self, document: ProcessSource, *, page: int | None, buffer: Buffer | None = None
    ) -> dict[str, Any]:
        """Ask a process about a document or one of its pages, decoded into ``buffer`` if given; return the answer.

        Raises the OcrError that decoding raised; UndecodableImage if the process ended. Cancelling kills the process.
        """
        message = {
            "input": document.input,
            "pages": document.pages,
            "options": asdict(document.options),
            "page": page,
            "buffer": buffer.number if buffer else None,
            "keep_bytes": self._buffers.keep_bytes,
            "limits": asdict(document.limits),
            "cpu_seconds": self._cpu_seconds,
        }
        loop = asyncio.get_running_loop()
        async with self._free:
            process = self._take(document.input) or await self._started()
            self._busy[process] = loop.time()
            files = [document.file, buffer.file] if buffer else [document.file]
            work = loop.run_in_executor(self._pool, process.ask, message, files)
            try:
                answer = await asyncio.shield(work)
            except asyncio.CancelledError:
                process.kill()  # so that the thread stops waiting
                # It closes the connection unless the answer had come already.
                work.add_done_callback(lambda _: self._end_soon(process))
                raise
            finally:
                del self._busy[process]
                self._give_back(process)
        if "error" in answer:
            raise by_slug(str(answer["error"]))(str(answer["detail"]), **answer["extra"])
        if "ended" in answer:
            raise UndecodableImage(self._reason(str(answer["ended"])))
        return answer

    def close(self) -> None:
        """Kill all processes."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._closed = True
        for process in self._running:
            process.end()
        self._idle.clear()

    async def _started(self) -> DecoderConnection:
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._start)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(_end)
            raise

    def _start(self) -> DecoderConnection:
        process = DecoderConnection()
        with self._lock:
            if not self._closed:
                self._running = {each for each in self._running if each.usable} | {process}
                return process
        process.end()
        raise ShuttingDown("The service is shutting down.", retry_after_seconds=2)

    def _take(self, number: int) -> DecoderConnection | None:
        """Return an idle process, preferably the one that has this input open; None if there is none.

        One that was killed while it had nothing to do, for want of memory perhaps, is no fault of this input.
        """
        for dead in [each for each in self._idle if not each.usable]:
            dead.end()
            self._idle.remove(dead)
        if not self._idle:
            return None
        process = next((each for each in self._idle if each.last_input == number), self._idle[0])
        self._idle.remove(process)
        return process

    def _give_back(self, process: DecoderConnection) -> None:
        if self._closed:
            process.end()
        elif process.usable:
            self._idle.append(process)

    def _end_soon(self, process: DecoderConnection) -> None:
        with contextlib.suppress(RuntimeError):  # the pool is shut down, and ``close`` has ended the process
            self._pool.submit(process.end)

    def _reason(self, ended: str) -> str:
        if ended == "seconds":
            return (
                f"Decoding takes more than {self._cpu_seconds:g} s of processor time, the limit for one page."
            )
        if ended == "memory":
            allowed = self._limits.max_decode_bytes / 2**20
            return f"Decoding takes more than {allowed:,.0f} MiB of memory, the limit for one page."
        return "The decoder crashed: the input is damaged, or takes more memory than one page may."


class ProcessSource:
    """An input opened by decoder processes; made by ``DecoderProcesses.open``."""

    def __init__(
        self,
        processes: DecoderProcesses,
        number: int,
        file: int,
        pages: str | None,
        options: DocumentOptions,
        limits: Limits,
    ) -> None:
        self._processes = processes
        self.limits = limits
        self.input = number
        self.file = file
        self.pages = pages
        self.options = options
        self.numbers: tuple[int, ...] = ()
        self._first_bytes = 0

    def opened(self, answer: dict[str, Any]) -> None:
        """Store the answer to opening the input."""
        self.numbers = tuple(int(number) for number in answer["numbers"])
        self._first_bytes = int(answer["decode_bytes"])

    async def decode_bytes(self, number: int) -> int:
        """Return the memory of decoding a page, as ``Source.decode_bytes``."""
        if number == self.numbers[0]:
            return self._first_bytes
        answer = await self._processes.ask(self, page=number)
        return int(answer["decode_bytes"])

    async def page(self, number: int) -> PageImage:
        """Decode a page as ``Source.page``; the pixels are read-only."""
        return await self._processes.decode(self, number)

    def close(self) -> None:
        """Release the input's bytes."""
        file, self.file = self.file, -1
        if file >= 0:
            os.close(file)


def _dpi(stated: Any) -> float | None:
    """Return a resolution that a process states, which is not trusted; None if it is no possible one."""
    return float(stated) if isinstance(stated, int | float) and 0 < stated < _MOST_DPI else None


def _end(work: asyncio.Future[DecoderConnection]) -> None:
    """End a process that has started after its request was cancelled."""
    if not work.cancelled() and work.exception() is None:
        work.result().end()
