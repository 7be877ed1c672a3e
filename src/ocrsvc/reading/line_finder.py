"""Finds the line images of a decoded page: the whole picture as one line, or the lines that the detector finds.

A page that lies on its side or stands on its head is turned first (``orientation``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ocrsvc.documents import rules
from ocrsvc.models.buckets import fit
from ocrsvc.pages import enhance, layout, uncovered
from ocrsvc.pages.decoder import Decoder
from ocrsvc.pages.detector import polygons
from ocrsvc.pages.patches import patches
from ocrsvc.pages.source import PageImage, Pixels
from ocrsvc.pages.text_layer import TextLayer
from ocrsvc.pages.turns import Turn, returned, turned
from ocrsvc.reading.lines import LineImage, looks_like_line, prepare
from ocrsvc.reading.model_runs import ModelRuns
from ocrsvc.reading.orientation import Orientation, find_turn, surer
from ocrsvc.reading.reading import DecodedPage, Reading, Timer
from ocrsvc.reading.sessions import Sessions, detector_lane
from ocrsvc.reading.tasks import all_or_none
from ocrsvc.results import LineText, Page, Polygon
from ocrsvc.scheduling.batcher import Lane
from ocrsvc.settings import Settings

_SMALL_HEIGHT = 256  # pixels; a picture up to this height without detected lines may itself be a line


class LineFinder:
    """Finds the lines of pages; the detector runs in the scheduler, and the decoder's threads cut the lines."""

    def __init__(self, settings: Settings, sessions: Sessions, decoder: Decoder, runs: ModelRuns) -> None:
        self._settings = settings
        self._sessions = sessions
        self._decoder = decoder
        self._runs = runs
        self._steps = enhance.parse(settings.enhance)

    def look(self, picture: PageImage, reading: Reading) -> DecodedPage:
        """Return the decoded page, with its line if it is a single line."""
        mode = reading.options.mode
        alone = mode == "line" or (reading.auto and picture.text is None and looks_like_line(picture.pixels))
        spec = reading.recogniser.spec
        turn: Turn = reading.options.orientation or 0
        page = Page(picture.number, *picture.size, orientation=turn, dpi=picture.dpi)
        if alone:
            lines = prepare(turned(picture.pixels, turn), None, spec, self._steps)
            lines = _in_page(lines, page, picture.pixels, turn)
            return DecodedPage(page, None, lines, alone=True, kept=_kept(picture.pixels, reading))
        return DecodedPage(page, picture.pixels, [], alone=False, layer=picture.text)

    async def find(self, decoded: DecodedPage, reading: Reading) -> DecodedPage:
        """Return the page with all of its lines and without its pixels."""
        pixels = decoded.pixels
        if pixels is None:
            return decoded
        if decoded.layer is not None:
            return await self._beside(decoded, decoded.layer, pixels, reading)
        given = reading.options.orientation
        turn: Turn = given or 0
        upright = turned(pixels, turn)
        found = await self._detect(upright, reading)
        if given is None and (turn := await self._turn(pixels, found, reading)):
            upright = turned(pixels, turn)
            found = await self._detect(upright, reading)
        most = self._most(reading)
        async with Timer(reading, "recognise"):
            lines, omitted = await self._decoder.run(self._cut, upright, found, most, reading)
        page = replace(decoded.page, orientation=turn, lines_omitted=omitted)
        reading.tally.lines += len(lines)
        ruled = await self._rules(upright, found, page, reading)
        lines = _in_page(lines, page, pixels, turn)
        return DecodedPage(page, None, lines, alone=False, rules=ruled, kept=_kept(pixels, reading))

    async def _rules(
        self, upright: Pixels, found: Sequence[Polygon], page: Page, reading: Reading
    ) -> tuple[rules.Rule, ...]:
        """Return the ruled lines of a page, if its tables are wanted, in pixels of the upright page."""
        if not reading.options.with_blocks:
            return ()
        async with Timer(reading, "detect"):
            width = page.height if page.orientation in (90, 270) else page.width
            return await self._decoder.run(rules.find, upright, found, width / upright.shape[1])

    def _most(self, reading: Reading) -> int:
        """Return how many lines of a page may be read. Other pages are found meanwhile, so it is asked for late."""
        return max(
            0, min(self._settings.max_page_lines, self._settings.max_request_lines - reading.tally.lines)
        )

    async def _beside(
        self, decoded: DecodedPage, layer: TextLayer, pixels: Pixels, reading: Reading
    ) -> DecodedPage:
        """Return the page with the lines in the areas that its text layer leaves out."""
        most = self._most(reading)
        omitted = max(0, len(layer.lines) - most)
        if omitted:
            kept = {line.polygon: line for line in layer.lines}
            layer = TextLayer(tuple(kept[each] for each in layout.first([*kept], most)), layer.areas)
        lines: list[LineImage] = []
        if layer.areas:
            said = [line.polygon for line in layer.lines]
            masked = await self._decoder.run(uncovered.masked, pixels, said)
            parts = [(area, masked[area[1] : area[3], area[0] : area[2]]) for area in layer.areas]
            detected = await all_or_none(
                [asyncio.create_task(self._detect(part, reading)) for _, part in parts]
            )
            found = [
                cast(Polygon, tuple((x + area[0], y + area[1]) for x, y in polygon))
                for (area, _), each in zip(parts, detected, strict=True)
                for polygon in each
            ]
            left = max(0, self._most(reading) - len(layer.lines))
            omitted += max(0, len(found) - left)
            spec = reading.recogniser.spec
            async with Timer(reading, "recognise"):
                lines = await self._decoder.run(
                    prepare,
                    masked,
                    layout.first(found, left) if len(found) > left else found,
                    spec,
                    self._steps,
                )
        reading.tally.lines += len(layer.lines) + len(lines)
        page = replace(decoded.page, orientation=0, lines_omitted=omitted)
        boxes = [line.polygon for line in layer.lines] + [line.polygon for line in lines]
        ruled = await self._rules(pixels, boxes, page, reading)
        return DecodedPage(
            page, None, lines, alone=False, layer=layer, rules=ruled, kept=_kept(pixels, reading)
        )

    async def _detect(self, pixels: Pixels, reading: Reading) -> list[Polygon]:
        """Return the polygons of the lines on a page."""
        detector = self._sessions.detector
        async with Timer(reading, "detect"):
            tiles = detector.tiles(pixels)
            inputs = await self._decoder.run(lambda: [tile.pixels(pixels) for tile in tiles])
            items = [(detector_lane(detector, each), each) for each in inputs]
            boxes = await self._runs.boxes(items, reading)
            return await self._decoder.run(polygons, pixels, tiles, boxes)

    async def _turn(self, pixels: Pixels, found: Sequence[Polygon], reading: Reading) -> Turn:
        """Return the clockwise turn that makes a page upright, by what its clearest lines say.

        If they are hardly legible, or there are none, the page may lie on its side: boxes of short labels do not tell,
        and of a few words in a photograph the detector finds fewer when they run downwards.
        """
        spec = reading.recogniser.spec

        async def read(lines: Sequence[Pixels]) -> list[LineText]:
            images = [fit(line, spec.input.height)[:, : spec.buckets.widest] for line in lines]
            items = [(Lane(spec.name, spec.buckets.of(each.shape[1])), each) for each in images]
            return await self._runs.texts(items, reading)

        async def look(image: Pixels, lines: Sequence[Polygon]) -> Orientation:
            async with Timer(reading, "recognise"):
                return await find_turn(await self._decoder.run(patches, image, lines), read)

        given = await look(pixels, found)
        if given.is_legible:
            return given.turn
        lying = turned(pixels, 90)
        return surer(given, await look(lying, await self._detect(lying, reading))).turn

    def _cut(
        self, pixels: Pixels, found: list[Polygon], most: int, reading: Reading
    ) -> tuple[list[LineImage], int]:
        """Return the first ``most`` lines of an upright page, and the number of polygons left out."""
        omitted = max(0, len(found) - most)
        if omitted:
            found = layout.first(found, most)
        # Text that fills the picture has no surroundings, so the detector may miss it.
        alone = reading.auto and not found and pixels.shape[0] <= _SMALL_HEIGHT
        lines = prepare(pixels, None if alone else found, reading.recogniser.spec, self._steps)
        return lines, omitted


def _kept(pixels: Pixels, reading: Reading) -> Pixels | None:
    """Return the pixels if a region may have to be cut out of them."""
    return pixels if reading.options.has_fields else None


def _in_page(lines: list[LineImage], page: Page, pixels: Pixels, turn: Turn) -> list[LineImage]:
    """Return the lines with polygons in the given page's own pixels; ``pixels`` may be decoded at a smaller size."""
    height, width = pixels.shape[:2]
    scale = page.width / width
    if scale == 1 and turn == 0:
        return lines
    return [
        replace(
            line,
            polygon=cast(
                Polygon,
                tuple((x * scale, y * scale) for x, y in returned(line.polygon, turn, width, height)),
            ),
        )
        for line in lines
    ]
