"""Reads the regions of a page: the lines in them, or else the region itself as a line, and values of their types.

Regions are places on the upright page; fields have polygons on the page as given, as lines do. A region has the parts
of lines whose characters lie in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from ocrsvc.errors import UnknownCharset
from ocrsvc.fields import anchoring
from ocrsvc.fields.decoding import decode_lines
from ocrsvc.fields.region import Area, Region, centre, contains, is_on_page
from ocrsvc.fields.types import TYPES
from ocrsvc.pages.decoder import Decoder
from ocrsvc.pages.source import Pixels
from ocrsvc.pages.turns import Turn, advanced, returned, turned
from ocrsvc.reading.line_parts import LinePart, part_in
from ocrsvc.reading.lines import LineImage, prepare
from ocrsvc.reading.rating import is_text, rated
from ocrsvc.reading.reading import DecodedPage, Reading
from ocrsvc.recognition.automaton import Within
from ocrsvc.results import Field, FieldError, Line, LineText, Page, Polygon

Recognise = Callable[[Sequence[LineImage], Reading], Awaitable[list[LineText]]]


@dataclass(frozen=True, slots=True)
class ReadLine:
    """Line of the answer, what it was decoded from, and its image; a line of a text layer has no image."""

    line: Line
    text: LineText
    image: LineImage | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A region on one page: its corners on the ``upright`` page, and as a ``polygon`` on the page as given."""

    region: Region
    upright: Polygon
    polygon: Polygon


class FieldReader:
    """Reads regions; ``review_threshold`` is the setting."""

    def __init__(
        self, decoder: Decoder, recognise: Recognise, steps: Sequence[str], review_threshold: float | None
    ) -> None:
        self._decoder = decoder
        self._recognise = recognise
        self._steps = steps
        self._threshold = review_threshold

    async def fields(self, decoded: DecodedPage, lines: Sequence[ReadLine], reading: Reading) -> list[Field]:
        """Return the fields of one page in the order of their regions; one that has no value says why."""
        page, options = decoded.page, reading.options
        found = [] if page.number != reading.page_numbers[0] else _elsewhere(options.regions, reading)
        for region in options.regions:
            if region.page in (None, page.number):
                width, height = upright_size(page)
                found.append(await self._field(region, region.on(width, height), decoded, lines, reading))
        if options.template is not None:
            found += await self._of_template(decoded, lines, reading)
        return found

    async def _of_template(
        self, decoded: DecodedPage, lines: Sequence[ReadLine], reading: Reading
    ) -> list[Field]:
        page, template = decoded.page, reading.options.template
        if template is None:
            return []
        width, height = upright_size(page)
        turn = _turn(page)
        upright = [
            replace(each.line, polygon=advanced(each.line.polygon, turn, page.width, page.height))
            for each in lines
        ]
        placement = await self._decoder.run(anchoring.place, template, upright, width, height)
        regions = [region for region in template.regions if region.page in (None, page.number)]
        if isinstance(placement, str):
            error = FieldError("template-unmatched", placement)
            return [Field(region.name, page.number, (), error=error) for region in regions]
        ignored = [
            returned(placement.placed(template.stretched(area, width, height)), turn, page.width, page.height)
            for area in template.ignore
            if area.page in (None, page.number)
        ]
        kept = [each for each in lines if not is_in(each.line.polygon, ignored)]
        return [
            await self._field(
                region, placement.placed(template.stretched(region, width, height)), decoded, kept, reading
            )
            for region in regions
        ]

    async def _field(
        self,
        region: Region,
        upright: Polygon,
        decoded: DecodedPage,
        lines: Sequence[ReadLine],
        reading: Reading,
    ) -> Field:
        page = decoded.page
        place = _Place(region, upright, returned(upright, _turn(page), page.width, page.height))
        nothing = Field(region.name, page.number, place.polygon, valid=False if region.type else None)
        width, height = upright_size(page)
        if not is_on_page(upright, width, height):
            detail = f"The region is not on the page, which is {width} by {height} pixels, or is too small."
            return replace(nothing, error=FieldError("outside-page", detail))
        if region.charset is not None:
            try:
                charset = reading.recogniser.charset(region.charset)
            except UnknownCharset as error:
                return replace(nothing, error=FieldError("bad-charset", error.detail))
            reading = replace(reading, charset=charset)
        if region.charset is not None:
            lines = [each for each in lines if part_in(place.polygon, each.line, each.text)]
            lines = await self._again(lines, reading, page)
        mine = [part for each in lines if (part := part_in(place.polygon, each.line, each.text))]
        if region.type and any(part.text is None for part in mine):
            mine = []  # no value is taken for certain
        if not mine:
            mine = [LinePart(each.line, each.text) for each in await self._cut_out(place, decoded, reading)]
        if not mine:
            return replace(nothing, error=FieldError("no-text", "There is no text in the region."))
        return await self._valued(nothing, region, mine)

    async def _valued(self, nothing: Field, region: Region, lines: Sequence[LinePart]) -> Field:
        text = "\n".join(each.line.text for each in lines)
        field = replace(
            nothing, text=text, value=text, confidence=min(each.line.confidence for each in lines)
        )
        if region.type is None:
            return field
        field_type = TYPES[region.type]
        texts = [each.text for each in lines if each.text is not None]
        decoded = await self._decoder.run(decode_lines, texts, field_type)
        if decoded.value is None:
            error = FieldError("no-value", f"Nothing in the region is a valid {region.type}.")
            return replace(field, value=None, error=error)
        return replace(
            field,
            value=decoded.value,
            valid=decoded.valid and not any(_goes_on(each, field_type.grammar) for each in lines),
            changed_from=text if decoded.changed else None,
            margin=decoded.margin,
        )

    async def _again(self, lines: Sequence[ReadLine], reading: Reading, page: Page) -> list[ReadLine]:
        """Return the lines, read again with the charset of the reading; those of a text layer stay."""
        images = [each.image for each in lines if each.image is not None]
        texts = iter(await self._recognise(images, reading) if images else ())
        return [
            each if each.image is None else self._read(next(texts), each.image, reading, page)
            for each in lines
        ]

    async def _cut_out(self, place: _Place, decoded: DecodedPage, reading: Reading) -> list[ReadLine]:
        """Return the region itself, read as one line, if that is text."""
        if decoded.kept is None:
            return []
        images = await self._decoder.run(self._images, place, decoded.kept, decoded.page, reading)
        texts = await self._recognise(images, reading) if images else []
        return [
            self._read(text, image, reading, decoded.page)
            for text, image in zip(texts, images, strict=True)
            if is_text(text)
        ]

    def _images(self, place: _Place, pixels: Pixels, page: Page, reading: Reading) -> list[LineImage]:
        turn, scale = (
            _turn(page),
            pixels.shape[1] / page.width,
        )  # large photographs are decoded at a smaller size
        a, b, c, d = ((x * scale, y * scale) for x, y in place.upright)
        images = prepare(turned(pixels, turn), [(a, b, c, d)], reading.recogniser.spec, self._steps)
        return [replace(image, polygon=place.polygon) for image in images]

    def _read(self, text: LineText, image: LineImage, reading: Reading, page: Page) -> ReadLine:
        return ReadLine(rated(text, image.polygon, page.number, reading, self._threshold), text, image)


def _goes_on(part: LinePart, grammar: Within) -> bool:
    """Return whether what stands beside a part of a line may belong to a value in it."""
    before, after = (grammar.fold(each) if each else "" for each in (part.before, part.after))
    return before in grammar.before or after in grammar.after


def upright_size(page: Page) -> tuple[int, int]:
    """Return width and height in pixels of the page once it is upright."""
    return (page.height, page.width) if page.orientation in (90, 270) else (page.width, page.height)


def without_ignored(decoded: DecodedPage, ignore: Sequence[Area]) -> DecodedPage:
    """Return the page without the lines whose centres lie in these areas."""
    page = decoded.page
    width, height = upright_size(page)
    areas = [
        returned(area.on(width, height), _turn(page), page.width, page.height)
        for area in ignore
        if area.page in (None, page.number)
    ]
    if not areas:
        return decoded
    layer = decoded.layer
    if layer is not None:
        layer = replace(layer, lines=tuple(line for line in layer.lines if not is_in(line.polygon, areas)))
    lines = [line for line in decoded.lines if not is_in(line.polygon, areas)]
    return replace(decoded, lines=lines, layer=layer)


def is_in(polygon: Polygon, areas: Sequence[Polygon]) -> bool:
    """Return whether the centre of a polygon lies in one of the areas."""
    middle = centre(polygon)
    return any(contains(area, middle) for area in areas)


def _turn(page: Page) -> Turn:
    for turn in (90, 180, 270):
        if page.orientation == turn:
            return turn
    return 0


def _elsewhere(regions: Sequence[Region], reading: Reading) -> list[Field]:
    """Return the fields of regions on pages that are not read."""
    return [
        Field(
            region.name,
            region.page,
            (),
            valid=False if region.type else None,
            error=FieldError("page-not-read", f"Page {region.page} is not among the pages that were read."),
        )
        for region in regions
        if region.page is not None and region.page not in reading.page_numbers
    ]
