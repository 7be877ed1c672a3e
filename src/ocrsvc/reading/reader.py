"""The whole way from bytes to a Document, and the only place that knows it.

Decoding and cutting run on a small pool of their own, so that a burst of PDFs cannot keep the models waiting; what is
small is opened on one more thread, so that a line does not wait for pages there.
Detection and recognition share the batcher's workers: both are the same kind of work, one thread of a core at a
time, and two pools would oversubscribe the cores whenever both are busy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import partial
from math import ceil, inf
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.errors import DeadlineExceeded, ShuttingDown, Unavailable
from ocrsvc.machine import cgroup, cpu, memory
from ocrsvc.models.calibration import UNCALIBRATED_THRESHOLD
from ocrsvc.models.manifest import Manifest
from ocrsvc.pages import decoding, enhance, layout
from ocrsvc.pages.decoder import Decoder, OpenedInput, Seen
from ocrsvc.pages.detector import Tile, polygons
from ocrsvc.pages.source import BYTES_PER_PIXEL, Limits, PageImage
from ocrsvc.reading.capacity import capacity
from ocrsvc.reading.lines import LineImage, looks_like_line, prepare
from ocrsvc.reading.pixel_limit import PixelLimit
from ocrsvc.reading.reading import DecodedPage, Reading, ReadOptions, Timer
from ocrsvc.reading.sessions import Answer, Pixels, Sessions, detector_lane
from ocrsvc.recognition import conflicts, segments
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import Document, Line, LineText, Page, Polygon
from ocrsvc.scheduling.batcher import Batcher, Lane
from ocrsvc.scheduling.cost import CostModel
from ocrsvc.scheduling.observer import Observer
from ocrsvc.settings import Settings

T = TypeVar("T")

_LOOK_AHEAD_PAGES = 2  # of one document in work at once: enough to keep cores busy, little enough for memory
_SMALL_HEIGHT = 256  # pixels; a picture this low in which no line was found may still be one
_IDLE_SECONDS = 5.0  # without a batch, after which the memory of runs goes back to the system
_MIN_CONFIDENCE = 0.5  # of a line on a page: what is read worse is mostly no text


class Reader:
    """Reads pictures and documents; made by ``open_reader``. All methods belong to one event loop."""

    def __init__(self, settings: Settings, observer: Observer | None = None) -> None:
        self.settings = settings
        self.cpu = cpu.inspect(cores=settings.workers)
        self.sessions = Sessions(settings, self.cpu)
        self._steps = enhance.parse(settings.enhance)
        workers = settings.workers or self.cpu.effective
        fits = capacity(settings, workers=workers, memory_bytes=cgroup.memory_bytes())
        self.pixel_limit = PixelLimit(fits.inflight_pixels)
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

    @property
    def ready(self) -> bool:
        """Whether the models are loaded and warm and the reader is not closed."""
        return self._ready and not self._closed

    @property
    def alive(self) -> bool:
        """Whether the scheduler runs: False before ``start``, after ``close`` and after a crash."""
        return self.batcher.alive

    def models(self) -> list[Manifest]:
        """The recognisers that a reading may name."""
        return self.sessions.registry.manifests()

    async def start(self, *, warm: bool = True) -> None:
        """Load the default recogniser and the detector and run every shape once, the largest first.

        CorruptModel or UnknownModel if one of them is missing, broken, or gives no sane answer.
        """
        decoding.quieten()
        memory.give_back()
        cv2.setNumThreads(1)  # parallelism is across lines and pages; OpenCV's pool would fight the workers
        recogniser = await self._recogniser(self.settings.model)
        await self.decoder.run(self.sessions.open_detector)
        if warm:
            for lane, rows, seconds in await self.decoder.run(self.sessions.warm, recogniser):
                self.batcher.cost.learn(lane, rows, seconds)
            await self.decoder.start()
        await self.batcher.start()
        if self.settings.arena:
            self._resting = asyncio.create_task(self._rest(), name="rest")
        self._ready = True

    async def read(self, data: bytes, options: ReadOptions | None = None) -> Document:
        """The text of a picture or document given as bytes; raises subclasses of OcrError.

        Cancelling the task that awaits this takes back its lines that are still queued.
        """
        options = options or ReadOptions()
        if self._closed:
            raise ShuttingDown("The service is shutting down.", retry_after_seconds=2)
        if not self._ready:
            raise Unavailable("The models are being loaded.", retry_after_seconds=2)
        begun = time.perf_counter()
        seconds = min(options.deadline_seconds or inf, self.settings.deadline_seconds)
        try:
            async with asyncio.timeout(seconds) as limit:
                recogniser = await self._recogniser(options.model or self.settings.model)
                charset = recogniser.charset(options.charset) if options.charset else None
                reading = Reading(options, recogniser, charset, cast(float, limit.when()))
                results = await self._read_pages(data, reading)
        except TimeoutError as error:
            raise DeadlineExceeded(f"The reading took longer than {seconds:g} seconds.") from error
        spent = {**reading.spent_ms, "total": (time.perf_counter() - begun) * 1000}
        return Document(
            lines=tuple(line for _, lines in results for line in lines),
            pages=tuple(page for page, _ in results),
            model=recogniser.id,
            timing_ms=spent,
        )

    async def close(self, grace_seconds: float | None = None) -> None:
        """Refuse new readings, finish what is queued (default: within ``drain_seconds``), end all threads."""
        self._closed = True
        if self._resting is not None:
            self._resting.cancel()
        await self.batcher.close(self.settings.drain_seconds if grace_seconds is None else grace_seconds)
        self.decoder.close()

    async def _rest(self) -> None:
        """Give memory back whenever nothing has run for a while: a burst of pages leaves 100 MB a worker."""
        given = -1
        while True:
            before = self.batcher.counters.batches
            await asyncio.sleep(_IDLE_SECONDS)
            now = self.batcher.counters.batches
            if given != now == before and not self.batcher.load().outstanding:
                await self.decoder.run(self.sessions.detector.give_back)
                given = now

    # --- pages ---

    async def _read_pages(self, data: bytes, reading: Reading) -> list[tuple[Page, list[Line]]]:
        async with Timer(reading, "decode"):
            source = await self.decoder.open(
                data, reading.options.pages, partial(self._look, reading=reading)
            )
        if isinstance(source, Seen):
            decoded = source.result
            async with self.pixel_limit.hold(decoded.page.width * decoded.page.height):
                decoded = await self._find_lines(decoded, reading)
            return [await self._read_lines(decoded, reading)]
        reading.page_count = len(source.numbers)
        try:
            if reading.page_count == 1:
                return [await self._read_page(source, source.numbers[0], reading)]
            look_ahead = asyncio.Semaphore(_LOOK_AHEAD_PAGES)

            async def one(number: int) -> tuple[Page, list[Line]]:
                async with look_ahead:
                    return await self._read_page(source, number, reading)

            return await _all_or_none([asyncio.create_task(one(number)) for number in source.numbers])
        finally:
            source.close()

    def _look(self, picture: PageImage, reading: Reading) -> DecodedPage:
        """A decoded page, and its line if it is one line alone."""
        height, width = picture.pixels.shape[:2]
        mode = reading.options.mode
        alone = mode == "line" or (reading.auto and looks_like_line(picture.pixels))
        spec = reading.recogniser.spec
        page = Page(picture.number, width, height)
        if alone:
            return DecodedPage(page, None, prepare(picture.pixels, None, spec, self._steps), alone=True)
        return DecodedPage(page, picture.pixels, [], alone=False)

    async def _read_page(self, source: OpenedInput, number: int, reading: Reading) -> tuple[Page, list[Line]]:
        async with Timer(reading, "decode"):
            decode_bytes = await source.decode_bytes(number)
        # A document that was let in is not refused half-way.
        latest = inf if reading.admitted else reading.deadline
        async with self.pixel_limit.hold(ceil(decode_bytes / BYTES_PER_PIXEL), deadline=latest) as place:
            async with Timer(reading, "decode"):
                decoded = await self.decoder.run(self._look, await source.page(number), reading)
            place.shrink(decoded.page.width * decoded.page.height)
            decoded = await self._find_lines(decoded, reading)
        return await self._read_lines(decoded, reading)

    def _line(self, text: LineText, polygon: Polygon, number: int, reading: Reading) -> Line:
        """The reading of a line with its confidence, and whether it wants a second look."""
        # A charset shares all probability out among its own characters: no map that was fitted without it holds.
        calibration = None if reading.charset else reading.recogniser.calibration
        rated = calibration.apply(text) if calibration else text
        threshold = reading.options.review_threshold
        if threshold is None:
            threshold = self.settings.review_threshold
        if threshold is None:
            threshold = calibration.review_threshold if calibration else UNCALIBRATED_THRESHOLD
        differs = (
            conflicts.differs(text) if reading.options.charset_mode == "report" else conflicts.omits(text)
        )
        return Line(
            rated.text,
            rated.confidence,
            polygon,
            number,
            rated.characters,
            needs_review=rated.confidence < threshold or differs,
            free_text=text.free.text if text.free and differs else None,
        )

    async def _find_lines(self, decoded: DecodedPage, reading: Reading) -> DecodedPage:
        """The page with all of its lines and without its pixels."""
        if decoded.pixels is None:
            return decoded
        tiles, boxes = await self._detect(decoded.pixels, reading)
        most = max(0, min(self.settings.max_page_lines, self.settings.max_request_lines - reading.lines))
        async with Timer(reading, "recognise"):
            lines, omitted = await self.decoder.run(self._cut, decoded, tiles, boxes, most, reading)
        reading.lines += len(lines)
        return DecodedPage(replace(decoded.page, lines_omitted=omitted), None, lines, alone=False)

    async def _read_lines(self, decoded: DecodedPage, reading: Reading) -> tuple[Page, list[Line]]:
        reading.flow.alone = decoded.alone and reading.page_count == 1
        async with Timer(reading, "recognise"):
            texts = await self._recognise(decoded.lines, reading)
        read = [
            self._line(text, line.polygon, decoded.page.number, reading)
            for line, text in zip(decoded.lines, texts, strict=True)
            if decoded.alone or _is_text(text) or (text.free and _is_text(text.free))
        ]
        return decoded.page, read

    async def _detect(self, pixels: Pixels, reading: Reading) -> tuple[list[Tile], list[NDArray[np.float32]]]:
        """The tiles of a page and the boxes on each of them."""
        detector = self.sessions.detector
        async with Timer(reading, "detect"):
            tiles = detector.tiles(pixels)
            inputs = await self.decoder.run(lambda: [tile.pixels(pixels) for tile in tiles])
            items = [(detector_lane(detector, each), each) for each in inputs]
            return tiles, cast("list[NDArray[np.float32]]", await self._submit(items, reading))

    def _cut(
        self,
        decoded: DecodedPage,
        tiles: Sequence[Tile],
        boxes: Sequence[NDArray[np.float32]],
        most: int,
        reading: Reading,
    ) -> tuple[list[LineImage], int]:
        """The lines of a page, the first ``most`` of them, and how many boxes were left out."""
        pixels = cast(Pixels, decoded.pixels)
        found = polygons(pixels, tiles, boxes)
        omitted = max(0, len(found) - most)
        if omitted:
            found = layout.first(found, most)
        # Text that fills the picture has no surroundings for the detector to see.
        alone = reading.auto and not found and decoded.page.height <= _SMALL_HEIGHT
        return prepare(pixels, None if alone else found, reading.recogniser.spec, self._steps), omitted

    async def _recognise(self, lines: Sequence[LineImage], reading: Reading) -> list[LineText]:
        spec = reading.recogniser.spec
        charset = reading.charset.spec if reading.charset else ""
        items = [
            (Lane(spec.name, spec.buckets.of(part.shape[1]), charset), part)
            for line in lines
            for part in line.pixels
        ]
        answers = iter(cast("list[LineText]", await self._submit(items, reading)))
        texts = []
        for line in lines:
            parts = [next(answers) for _ in line.parts]
            text = segments.join(line.parts, parts, spec.input.height)
            if reading.charset:
                free = [cast(LineText, part.free) for part in parts]
                text = replace(text, free=segments.join(line.parts, free, spec.input.height))
            texts.append(text)
        return texts

    async def _submit(self, items: Sequence[tuple[Lane, Pixels]], reading: Reading) -> list[Answer]:
        """The batcher's answers, in order."""
        futures = self.batcher.submit(
            items, flow=reading.flow, deadline=reading.deadline, admitted=reading.admitted
        )
        reading.admitted = True  # a document that was let in is not refused half-way
        return await _all_or_none(futures)

    async def _recogniser(self, name: str) -> Recogniser:
        """The recogniser of this name or path, opened when it is first asked for."""
        loaded = self.sessions.recognisers.get(name)
        if loaded is not None:
            return loaded
        async with self._opening:
            return await self.decoder.run(self.sessions.open_recogniser, name)


def open_reader(settings: Settings, observer: Observer | None = None) -> Reader:
    """A reader for these settings; ``await reader.start()`` loads its models."""
    return Reader(settings, observer)


async def _all_or_none(futures: Sequence[asyncio.Future[T]]) -> list[T]:
    """All results in order; at the first failure, or if the caller is cancelled, the others are cancelled.

    Returns or raises when all have ended, so that nothing of a failed reading holds memory any more.
    """
    try:
        return list(await asyncio.gather(*cast("Sequence[Awaitable[T]]", futures)))
    finally:
        left = [future for future in futures if not future.done()]
        for future in left:
            future.cancel()
        if left:
            await asyncio.wait(left)


def _is_text(text: LineText) -> bool:
    """Whether what was read where the detector saw a line is text; ``text`` is not calibrated yet."""
    return bool(text.text) and text.confidence >= _MIN_CONFIDENCE
