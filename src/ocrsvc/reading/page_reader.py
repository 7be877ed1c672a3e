"""Reads one page: from its pixels or its text layer to lines, blocks and fields."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from math import ceil, inf

from ocrsvc.documents.page_structure import blocks_of, by_upper_edge, in_order
from ocrsvc.pages import enhance
from ocrsvc.pages.decoder import Decoder, OpenedInput
from ocrsvc.pages.source import BYTES_PER_PIXEL
from ocrsvc.reading import layers
from ocrsvc.reading.field_reader import FieldReader, ReadLine, without_ignored
from ocrsvc.reading.line_finder import LineFinder
from ocrsvc.reading.line_reader import LineReader
from ocrsvc.reading.lines import LineImage
from ocrsvc.reading.pixel_limit import PixelLimit
from ocrsvc.reading.rating import are_text, rated
from ocrsvc.reading.reading import DecodedPage, Reading, ReadPage, Timer
from ocrsvc.results import Field, Line, LineText
from ocrsvc.settings import Settings


class PageReader:
    """Reads pages within ``inflight_pixels``, of which readings in the background may hold half."""

    def __init__(
        self,
        settings: Settings,
        decoder: Decoder,
        finder: LineFinder,
        lines: LineReader,
        inflight_pixels: int,
    ) -> None:
        self.pixel_limit = PixelLimit(inflight_pixels)
        self._background_limit = PixelLimit(max(1, inflight_pixels // 2))  # the rest is for requests
        self._threshold = settings.review_threshold
        self._decoder = decoder
        self._finder = finder
        self._lines = lines
        steps = enhance.parse(settings.enhance)
        self._layers = layers.LayerCheck(decoder, lines.texts, steps)
        self._fields = FieldReader(decoder, lines.texts, steps, settings.review_threshold)

    async def seen(self, decoded: DecodedPage, reading: Reading) -> ReadPage:
        """Return what a page says that was decoded when the input was opened."""
        async with self.pixel_limit.hold(
            decoded.page.width * decoded.page.height, client=reading.flow.client
        ):
            decoded = await self._finder.find(decoded, reading)
            if decoded.kept is not None:
                return await self._read_lines(decoded, reading)
        return await self._read_lines(decoded, reading)

    async def page(self, source: OpenedInput, number: int, reading: Reading) -> ReadPage:
        """Return what a page of an opened input says; it waits until there is room for its pixels."""
        async with Timer(reading, "decode"):
            decode_bytes = await source.decode_bytes(number)
        pixels = ceil(decode_bytes / BYTES_PER_PIXEL)
        # An accepted document is not refused half-way.
        latest = inf if reading.tally.admitted else reading.deadline
        share = self._background_limit.hold(pixels) if reading.flow.background else nullcontext()
        async with share, self.pixel_limit.hold(pixels, deadline=latest, client=reading.flow.client) as place:
            async with Timer(reading, "decode"):
                decoded = await self._decoder.run(self._finder.look, await source.page(number), reading)
            copies = 2 if decoded.layer and decoded.layer.areas else 1  # one without the lines of the layer
            place.shrink(copies * decoded.page.width * decoded.page.height)
            decoded = await self._layers.believed(decoded, reading)
            decoded = await self._finder.find(decoded, reading)
            if decoded.kept is not None:  # its pixels stay in memory until its fields are read
                return await self._read_lines(decoded, reading)
        return await self._read_lines(decoded, reading)

    async def _read_lines(self, decoded: DecodedPage, reading: Reading) -> ReadPage:
        reading.flow.alone = decoded.alone and reading.page_count == 1
        if reading.options.ignore:
            decoded = without_ignored(decoded, reading.options.ignore)
        async with Timer(reading, "recognise"):
            lines, texts = await self._lines.upright(decoded.lines, reading)
            kept = [True] * len(texts) if decoded.alone else are_text(texts)
            found = list(itertools.compress(zip(texts, lines, strict=True), kept))
            texts = await self._lines.with_alternatives([text for text, _ in found], reading)
        read = [
            rated(text, line.polygon, decoded.page.number, reading, self._threshold)
            for text, (_, line) in zip(texts, found, strict=True)
        ]
        origins = {id(line): origin for line, origin in zip(read, found, strict=True)}
        if decoded.layer is not None:
            read = await self._decoder.run(
                layers.merged, decoded.layer, read, decoded.page.number, reading.options.n_best
            )
        fields = await self._fields_of(decoded, read, origins, reading) if reading.options.has_fields else []
        return await self._laid_out(decoded, read, fields, reading)

    async def _fields_of(
        self,
        decoded: DecodedPage,
        read: Sequence[Line],
        origins: Mapping[int, tuple[LineText, LineImage]],
        reading: Reading,
    ) -> list[Field]:
        """Return the fields of a page; ``origins``: what the recognised lines were made of, by their identity."""
        async with Timer(reading, "recognise"):
            seen = [ReadLine(line, *origins.get(id(line), (LineText(line.text, 1.0),))) for line in read]
            return await self._fields.fields(decoded, seen, reading)

    async def _laid_out(
        self, decoded: DecodedPage, read: list[Line], fields: Sequence[Field], reading: Reading
    ) -> ReadPage:
        """Return a page with its lines in the order that the layout asks for, and its blocks if it needs them."""
        is_raw = reading.options.layout == "raw"
        if not reading.options.with_blocks:
            return ReadPage(decoded.page, by_upper_edge(read) if is_raw else read, fields=fields)
        blocks = await self._decoder.run(blocks_of, decoded.page, read, decoded.rules)
        lines = list(in_order(blocks))
        if is_raw:
            lines = by_upper_edge(lines)
        return ReadPage(decoded.page, lines, blocks, fields)
