"""Takes the text layer of PDF pages as lines of the answer, if the picture does not contradict it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from ocrsvc.models.manifest import Manifest
from ocrsvc.pages import layout
from ocrsvc.pages.decoder import Decoder
from ocrsvc.pages.source import Pixels
from ocrsvc.pages.text_layer import TextLayer, TextLine
from ocrsvc.reading import text_check
from ocrsvc.reading.lines import LineImage, prepare
from ocrsvc.reading.reading import DecodedPage, Reading, Timer
from ocrsvc.results import Alternative, Character, Line, LineText, Polygon
from ocrsvc.text import fold

Recognise = Callable[[Sequence[LineImage], Reading], Awaitable[list[LineText]]]

_DOUBLE_SHARE = (
    0.5  # of the bounds of a line that was read: as much within a line of the layer is the same text
)


class LayerCheck:
    """Reads a sample of the lines of a page and compares it with the page's text layer."""

    def __init__(self, decoder: Decoder, recognise: Recognise, steps: Sequence[str] = ()) -> None:
        self._decoder = decoder
        self._recognise = recognise
        self._steps = steps

    async def believed(self, decoded: DecodedPage, reading: Reading) -> DecodedPage:
        """Return the page without its text layer if the picture says something else in one of the fonts."""
        layer, pixels = decoded.layer, decoded.pixels
        if layer is None or pixels is None:
            return decoded
        async with reading.comparing:  # the next page need not compare the same fonts
            await self._check_fonts(layer, pixels, reading)
        if any(not reading.fonts.get(line.font, True) for line in layer.lines):
            return replace(decoded, layer=None)
        return decoded

    async def _check_fonts(self, layer: TextLayer, pixels: Pixels, reading: Reading) -> None:
        lines = text_check.sample(layer, reading.fonts)
        if not lines:
            return
        async with Timer(reading, "recognise"):
            spec = reading.recogniser.spec
            found = await self._decoder.run(self._cut, pixels, lines, spec)
            texts = await self._recognise([image for _, image in found], reading)
        characters = frozenset(fold("".join(spec.charset)))
        for (line, _), text in zip(found, texts, strict=True):
            right = not text_check.contradicts(line, text, characters)
            reading.fonts[line.font] = reading.fonts.get(line.font, True) and right

    def _cut(
        self, pixels: Pixels, lines: Sequence[TextLine], spec: Manifest
    ) -> list[tuple[TextLine, LineImage]]:
        images = ((line, prepare(pixels, [line.polygon], spec, self._steps)) for line in lines)
        return [(line, image) for line, found in images for image in found]


def merged(layer: TextLayer, read: Sequence[Line], page: int, n_best: int) -> list[Line]:
    """Return the lines of a page's layer and those that were read beside them, in reading order."""
    said = [line_of(line, page, n_best) for line in layer.lines]
    boxes = [_bounds(line.polygon) for line in said]
    lines = said + [line for line in read if not _is_within(_bounds(line.polygon), boxes)]
    return [lines[index] for index in layout.order([line.polygon for line in lines])]


def line_of(line: TextLine, page: int, n_best: int = 0) -> Line:
    """Return a line of a text layer as a line of the answer; it is what the file says, so its confidence is 1."""
    return Line(
        line.text,
        1.0,
        line.polygon,
        page,
        tuple(
            Character(text, 1.0, start, end, (Alternative(text, 1.0),) if n_best else ())
            for text, (start, end) in zip(line.text, line.spans, strict=True)
        ),
        alternatives=(Alternative(line.text, 1.0),) if n_best else (),
        source="pdf_text",
    )


def _bounds(polygon: Polygon) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    return min(xs), min(ys), max(xs), max(ys)


def _is_within(box: tuple[float, ...], others: Sequence[tuple[float, ...]]) -> bool:
    left, top, right, bottom = box
    area = max(1e-6, (right - left) * (bottom - top))
    return any(
        max(0, min(right, other[2]) - max(left, other[0]))
        * max(0, min(bottom, other[3]) - max(top, other[1]))
        > _DOUBLE_SHARE * area
        for other in others
    )
