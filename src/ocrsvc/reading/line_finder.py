"""Finds the line images of a decoded page: the whole picture as one line, or the lines that the detector finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ocrsvc.pages import enhance, layout
from ocrsvc.pages.boxes import Boxes
from ocrsvc.pages.decoder import Decoder
from ocrsvc.pages.detector import polygons
from ocrsvc.pages.source import PageImage, Pixels
from ocrsvc.pages.tiles import Tile
from ocrsvc.reading.lines import LineImage, looks_like_line, prepare
from ocrsvc.reading.model_runs import ModelRuns
from ocrsvc.reading.reading import DecodedPage, Reading, Timer
from ocrsvc.reading.sessions import Sessions, detector_lane
from ocrsvc.results import Page, Polygon
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
        alone = mode == "line" or (reading.auto and looks_like_line(picture.pixels))
        spec = reading.recogniser.spec
        page = Page(picture.number, *picture.size)
        if alone:
            lines = prepare(picture.pixels, None, spec, self._steps)
            return DecodedPage(page, None, _in_page(lines, page, picture.pixels), alone=True)
        return DecodedPage(page, picture.pixels, [], alone=False)

    async def find(self, decoded: DecodedPage, reading: Reading) -> DecodedPage:
        """Return the page with all of its lines and without its pixels."""
        pixels = decoded.pixels
        if pixels is None:
            return decoded
        tiles, boxes = await self._detect(pixels, reading)
        most = max(
            0, min(self._settings.max_page_lines, self._settings.max_request_lines - reading.tally.lines)
        )
        async with Timer(reading, "recognise"):
            lines, omitted = await self._decoder.run(
                self._cut, pixels, decoded.page, tiles, boxes, most, reading
            )
        reading.tally.lines += len(lines)
        return DecodedPage(replace(decoded.page, lines_omitted=omitted), None, lines, alone=False)

    async def _detect(self, pixels: Pixels, reading: Reading) -> tuple[list[Tile], list[Boxes]]:
        """Return the tiles of a page and the boxes on each of them."""
        detector = self._sessions.detector
        async with Timer(reading, "detect"):
            tiles = detector.tiles(pixels)
            inputs = await self._decoder.run(lambda: [tile.pixels(pixels) for tile in tiles])
            items = [(detector_lane(detector, each), each) for each in inputs]
            return tiles, await self._runs.boxes(items, reading)

    def _cut(
        self,
        pixels: Pixels,
        page: Page,
        tiles: Sequence[Tile],
        boxes: Sequence[Boxes],
        most: int,
        reading: Reading,
    ) -> tuple[list[LineImage], int]:
        """Return the first ``most`` lines of a page, and the number of boxes left out."""
        found = polygons(pixels, tiles, boxes)
        omitted = max(0, len(found) - most)
        if omitted:
            found = layout.first(found, most)
        # Text that fills the picture has no surroundings, so the detector may miss it.
        alone = reading.auto and not found and page.height <= _SMALL_HEIGHT
        lines = prepare(pixels, None if alone else found, reading.recogniser.spec, self._steps)
        return _in_page(lines, page, pixels), omitted


def _in_page(lines: list[LineImage], page: Page, pixels: Pixels) -> list[LineImage]:
    """Return the lines with polygons in the page's own pixels; it may have been decoded at a smaller size."""
    scale = page.width / pixels.shape[1]
    if scale == 1:
        return lines
    return [
        replace(line, polygon=cast(Polygon, tuple((x * scale, y * scale) for x, y in line.polygon)))
        for line in lines
    ]
