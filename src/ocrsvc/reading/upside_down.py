"""Reads doubtful lines again upside down: on an upright page, some lines may stand on their head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocrsvc.pages.turns import turned
from ocrsvc.reading.lines import LineImage
from ocrsvc.results import LineText

_DOUBTFUL = 0.65  # lines of a lower confidence are read again, before calibration
_SURE, _BETTER = 0.8, 0.2  # the second reading counts if it is so sure, and so much surer than the first
_LEAST_CHARACTERS = 3  # shorter texts may be read both ways: 96, 一, HN
_LEAST_ASPECT = 1.5  # width over height of a line that may hold so many
_SHARE, _AT_LEAST = (
    0.1,
    3,
)  # largest share of a page's lines that are read again, and the number that always may


def doubtful(lines: Sequence[LineImage], texts: Sequence[LineText]) -> list[int]:
    """Return the indices of the lines that should be read again upside down, the least certain ones first."""
    candidates = [
        i
        for i, (line, text) in enumerate(zip(lines, texts, strict=True))
        if _free(text).confidence < _DOUBTFUL and len(line.parts) == 1 and _is_long(line)
    ]
    candidates.sort(key=lambda i: _free(texts[i]).confidence)
    return candidates[: max(_AT_LEAST, int(_SHARE * len(lines)))]


def half_turned(line: LineImage) -> LineImage:
    """Return a line of one part turned by 180 degrees; its polygon begins at the opposite corner."""
    (pixels,) = line.pixels
    a, b, c, d = line.polygon
    return replace(
        line,
        polygon=(c, d, a, b),
        pixels=(turned(pixels, 180),),
    )


def is_upside_down(first: LineText, second: LineText) -> bool:
    """Return whether the ``second`` reading of a line, upside down, is the right one."""
    before, after = _free(first), _free(second)
    return after.length >= _LEAST_CHARACTERS and after.confidence >= max(_SURE, before.confidence + _BETTER)


def _free(text: LineText) -> LineText:
    """Return a text as read without the charset, which would make any picture say what it allows."""
    return text.free or text


def _is_long(line: LineImage) -> bool:
    height, width = line.pixels[0].shape[:2]
    return bool(width >= _LEAST_ASPECT * height)
