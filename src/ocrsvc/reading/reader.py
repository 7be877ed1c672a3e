"""Reads a picture or document, from bytes to a Document.

Decoding and cutting have their own small pool of threads, so that a burst of PDFs cannot delay the models. Small inputs
are opened on separate threads, so that a line does not wait for pages.
Detection and recognition share the batcher's workers, because both keep one core busy, and two pools would
oversubscribe the cores whenever both have work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from math import inf

import cv2

from ocrsvc.documents.repeats import with_repeats
from ocrsvc.errors import DeadlineExceeded, ShuttingDown, Unavailable
from ocrsvc.machine import cgroup, cpu, memory
from ocrsvc.models.manifest import Manifest
from ocrsvc.pages import decoding
from ocrsvc.pages.decoder import Decoder, OpenedInput, Seen
from ocrsvc.pages.source import Limits, Pixels
from ocrsvc.reading.capacity import capacity
from ocrsvc.reading.line_finder import LineFinder
from ocrsvc.reading.line_reader import LineReader
from ocrsvc.reading.model_runs import ModelRuns
from ocrsvc.reading.page_reader import PageReader
from ocrsvc.reading.page_stream import PAGES_IN_WORK, BackgroundLimits, PageStream
from ocrsvc.reading.pixel_limit import PixelLimit
from ocrsvc.reading.reading import DecodedPage, Reading, ReadOptions, ReadPage, Timer
from ocrsvc.reading.run_cache import RunCache
from ocrsvc.reading.sessions import Answer, Sessions
from ocrsvc.reading.stage_log import StageLog
from ocrsvc.reading.tasks import all_or_none
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import Document
from ocrsvc.scheduling.batcher import Batcher
from ocrsvc.scheduling.cost import CostModel
from ocrsvc.scheduling.fairness import Flow
from ocrsvc.scheduling.observer import Observer
from ocrsvc.settings import Settings

_BACKGROUND = "\0background"  # all jobs are one client, whose name no other can have
_IDLE_SECONDS = 5.0  # after this time without a batch, the memory of runs is returned to the system


class Reader:
    """Reads pictures and documents once ``start`` has loaded the models. All methods belong to one event loop."""

    def __init__(self, settings: Settings, observer: Observer | None = None) -> None:
        self.settings = settings
        self.cpu = cpu.inspect(cores=settings.workers)
        self.sessions = Sessions(settings, self.cpu)
        workers = settings.workers or self.cpu.effective
        fits = capacity(settings, workers=workers, memory_bytes=cgroup.memory_bytes())
        self.decoder = Decoder(
            Limits(settings.max_image_pixels, settings.max_pages, settings.pdf_dpi, fits.decode_bytes),
            threads=settings.decode_threads,
            processes=settings.decode_processes,
            cpu_seconds=settings.decode_seconds,
        )
        self._opening = asyncio.Lock()
        self._ready = False
        self._closed = False
        self._resting: asyncio.Task[None] | None = None
        self.batcher: Batcher[Pixels, Answer] = Batcher(
            self.sessions.run,
            workers=workers,
            max_batch=settings.max_batch,
            t_max_ms=settings.t_max_ms,
            max_wait_ms=settings.max_wait_ms,
            max_queue_seconds=settings.max_queue_seconds,
            cost=CostModel(),
            observer=observer,
            measure=self.sessions.used_pixels,
        )
        self.cache = self._cache()
        runs = ModelRuns(self.batcher, self.decoder, self.cache)
        self._finder = LineFinder(settings, self.sessions, self.decoder, runs)
        lines = LineReader(self.decoder, runs)
        self._pages = PageReader(settings, self.decoder, self._finder, lines, fits.inflight_pixels)

    @property
    def pixel_limit(self) -> PixelLimit:
        """Return the limit on the pixels of pages that are in memory at the same time."""
        return self._pages.pixel_limit

    @property
    def ready(self) -> bool:
        """Return whether the models are loaded and warm and the reader is not closed."""
        return self._ready and not self._closed

    @property
    def alive(self) -> bool:
        """Return whether the scheduler is running: False before ``start``, after ``close`` and after a crash."""
        return self.batcher.alive

    def models(self) -> list[Manifest]:
        """Return the manifests of the recognisers that a reading may name."""
        return self.sessions.registry.manifests()

    async def start(self, *, warm: bool = True) -> None:
        """Load the default recogniser and the detector; with ``warm``, run each lane before, the widest first.

        Raises UnknownModel or CorruptModel if a model is missing or broken, or fails to run.
        """
        decoding.quieten()
        memory.give_back()
        cv2.setNumThreads(1)  # lines and pages run in parallel; OpenCV's threads would slow the workers
        recogniser = await self._recogniser(self.settings.model)
        await self.decoder.run(self.sessions.open_detector)
        if warm:
            cascade = self.sessions.cascades.get(self.settings.model)
            used = [cascade.first, cascade.second] if cascade else [recogniser]
            for lane, rows, seconds in await self.decoder.run(self.sessions.warm, *used):
                self.batcher.cost.learn(lane, rows, seconds)
            await self.decoder.start()
        await self.batcher.start()
        if self.settings.arena:
            self._resting = asyncio.create_task(self._rest(), name="rest")
        self._ready = True

    async def read(
        self,
        data: bytes,
        options: ReadOptions | None = None,
        *,
        client: str = "",
        log: StageLog | None = None,
    ) -> Document:
        """Return the text of a picture or document given as bytes; raise subclasses of OcrError.

        Clients share the workers equally. Cancelling the task that awaits this withdraws the lines that are still
        queued. ``log`` records the stages.
        """
        options = options or ReadOptions()
        self._check_open()
        begun = time.perf_counter()
        seconds = self._seconds(options)
        try:
            async with asyncio.timeout(seconds):
                reading = await self._reading(options, seconds, client, log)
                results = await self._read_pages(data, reading)
        except TimeoutError as error:
            raise DeadlineExceeded(f"The reading took longer than {seconds:g} seconds.") from error
        spent = {**reading.spent_ms, "total": (time.perf_counter() - begun) * 1000}
        document = Document(
            lines=tuple(line for each in results for line in each.lines),
            pages=tuple(each.page for each in results),
            model=reading.model,
            timing_ms=spent,
            blocks=tuple(block for each in results for block in each.blocks),
            layout=reading.options.layout,
            fields=tuple(field for each in results for field in each.fields),
        )
        return with_repeats(document)

    @asynccontextmanager
    async def stream(
        self,
        data: bytes,
        options: ReadOptions | None = None,
        *,
        background: BackgroundLimits | None = None,
        client: str = "",
        log: StageLog | None = None,
    ) -> AsyncIterator[PageStream]:
        """Open an input, whose pages are then read as they are taken; the block's end releases it.

        Raises as ``read`` does, but an error of one page is yielded in its place. The deadline counts from now. A
        reading in the ``background`` has none, and all other readings go first.
        """
        options = options or ReadOptions()
        self._check_open()
        seconds = None if background else self._seconds(options)
        try:
            async with asyncio.timeout(seconds):
                reading = await self._reading(options, seconds or inf, client, log)
                if background:
                    reading.flow = Flow(background=True, client=_BACKGROUND)
                source = await self._open(data, reading, background.max_pages if background else None)
        except TimeoutError as error:
            raise DeadlineExceeded(f"Opening the input took longer than {seconds:g} seconds.") from error
        if isinstance(source, Seen):
            seen = source.result
            reading.page_numbers = (seen.page.number,)
            yield PageStream(
                reading,
                (seen.page.number,),
                lambda _, page: self._pages.seen(seen, page),
                background=background,
            )
            return
        opened = source
        reading.page_count, reading.page_numbers = len(opened.numbers), opened.numbers
        try:
            yield PageStream(
                reading,
                opened.numbers,
                lambda number, page: self._pages.page(opened, number, page),
                background=background,
            )
        finally:
            opened.close()

    def end_runs(self, *, older_than_seconds: float) -> int:
        """End runs of models that have taken longer, and return their number; their lines fail with RunTooLong."""
        return self.sessions.watch.end(older_than_seconds=older_than_seconds)

    async def close(self, grace_seconds: float | None = None) -> None:
        """Refuse new readings, finish queued work within ``grace_seconds`` (by default ``drain_seconds``), and stop."""
        self._closed = True
        if self._resting is not None:
            self._resting.cancel()
        await self.batcher.close(self.settings.drain_seconds if grace_seconds is None else grace_seconds)
        self.decoder.close()

    async def _rest(self) -> None:
        """Return memory to the system after each idle time; a burst of pages leaves 100 MB a worker."""
        given = -1
        while True:
            before = self.batcher.counters.batches
            await asyncio.sleep(_IDLE_SECONDS)
            now = self.batcher.counters.batches
            if given != now == before and not self.batcher.load().outstanding:
                await self.decoder.run(self.sessions.detector.give_back)
                given = now

    # --- pages ---

    async def _open(
        self, data: bytes, reading: Reading, max_pages: int | None = None
    ) -> OpenedInput | Seen[DecodedPage]:
        async with Timer(reading, "decode"):
            look = partial(self._finder.look, reading=reading)
            return await self.decoder.open(
                data, reading.options.pages, look, reading.options.document, max_pages=max_pages
            )

    async def _read_pages(self, data: bytes, reading: Reading) -> list[ReadPage]:
        source = await self._open(data, reading)
        if isinstance(source, Seen):
            reading.page_numbers = (source.result.page.number,)
            return [await self._pages.seen(source.result, reading)]
        reading.page_count, reading.page_numbers = len(source.numbers), source.numbers
        try:
            if reading.page_count == 1:
                return [await self._pages.page(source, source.numbers[0], reading)]
            look_ahead = asyncio.Semaphore(PAGES_IN_WORK)

            async def one(number: int) -> ReadPage:
                async with look_ahead:
                    return await self._pages.page(source, number, reading)

            return await all_or_none([asyncio.create_task(one(number)) for number in source.numbers])
        finally:
            source.close()

    def _cache(self) -> RunCache | None:
        """Return the cache of runs, if the settings want one."""
        if not self.settings.run_cache_bytes:
            return None
        return RunCache(
            max_bytes=self.settings.run_cache_bytes,
            max_entries=self.settings.run_cache_entries,
            identity=self.sessions.identity,
        )

    def _check_open(self) -> None:
        if self._closed:
            raise ShuttingDown("The service is shutting down.", retry_after_seconds=2)
        if not self._ready:
            raise Unavailable("The models are being loaded.", retry_after_seconds=2)

    def _seconds(self, options: ReadOptions) -> float:
        return min(options.deadline_seconds or inf, self.settings.deadline_seconds)

    async def _reading(
        self, options: ReadOptions, seconds: float, client: str, log: StageLog | None
    ) -> Reading:
        deadline = asyncio.get_running_loop().time() + seconds
        name = options.model or self.settings.model
        recogniser = await self._recogniser(name)
        cascade = self.sessions.cascades.get(name)
        charset = recogniser.charset(options.charset) if options.charset else None
        flow = Flow(client=client, waits=log.waits if log else None)
        return Reading(options, recogniser, charset, deadline, flow=flow, log=log, cascade=cascade)

    async def _recogniser(self, name: str) -> Recogniser:
        """Return the recogniser of this name or path, opened at its first use."""
        loaded = self.sessions.recognisers.get(name)
        if loaded is not None:
            return loaded
        async with self._opening:
            return await self.decoder.run(self.sessions.open_recogniser, name)
