"""Finds out which way up a page is, by what the recogniser says about a few lines read both ways up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from ocrsvc.pages.patches import Patches, upright_cells
from ocrsvc.pages.source import Pixels
from ocrsvc.pages.turns import Turn
from ocrsvc.results import LineText

Read = Callable[[Sequence[Pixels]], Awaitable[list[LineText]]]

_FIRST = 2  # rows that are read first; if both are sure, nothing else is
_SURE = 0.9  # least mean confidence of the characters of a row that is upright beyond doubt
_SURE_CHARACTERS = 4
_MOSTLY_ROWS = 0.75  # least share of rows on a page that may be upright beyond doubt
_MOST_CHARACTERS, _FEW_CHARACTERS = (
    8,
    3,
)  # a longer text counts like 8 characters, a shorter one as if 3 were wanted
_COLUMN_SHARE = 0.5  # columns of upright characters read so well in cells, compared with the turned line
_LEAST_SCORE, _MARGIN = 0.25, 0.1  # a page is turned if it then reads at least so well, and better by so much


async def find_turn(patches: Patches, read: Read) -> Turn:
    """Return by how many degrees clockwise a page has to be turned to be upright; 0 in doubt.

    ``read`` returns the texts of patches. An upright page of rows costs two short readings.
    """
    first = patches.rows[:_FIRST]
    if patches.row_share >= _MOSTLY_ROWS and len(first) == _FIRST and all(map(_is_sure, await read(first))):
        return 0
    up, down = await _scores(patches.rows, read)
    counter, clockwise = await _scores(patches.columns, read)
    share = patches.row_share
    scores: dict[Turn, float] = {0: share * up, 180: share * down, 90: 0.0, 270: 0.0}
    # A column reads well turned counter-clockwise if it is upright, and if the page lies on its right side.
    best = max(clockwise, counter)
    cells = [
        upright_cells(column if counter >= clockwise else _half_turned(column)) for column in patches.columns
    ]
    upright = _score(await read(cells)) > _COLUMN_SHARE * best if cells else False
    if counter >= clockwise:
        scores[0 if upright else 270] += (1 - share) * counter
    else:
        scores[180 if upright else 90] += (1 - share) * clockwise
    turn = max(scores, key=lambda each: scores[each])
    return turn if scores[turn] > max(_LEAST_SCORE, scores[0] + _MARGIN) else 0


async def _scores(lines: Sequence[Pixels], read: Read) -> tuple[float, float]:
    """Return how well lines read as they are and turned by 180 degrees."""
    if not lines:
        return 0.0, 0.0
    texts = await read([*lines, *(_half_turned(line) for line in lines)])
    return _score(texts[: len(lines)]), _score(texts[len(lines) :])


def _score(texts: Sequence[LineText]) -> float:
    """Return the mean confidence of texts, 0 to 1, weighted by their characters."""
    lengths = [min(_length(text), _MOST_CHARACTERS) for text in texts]
    wanted = sum(max(length, _FEW_CHARACTERS) for length in lengths)
    return sum(text.confidence * length for text, length in zip(texts, lengths, strict=True)) / max(1, wanted)


def _is_sure(text: LineText) -> bool:
    return text.confidence >= _SURE and _length(text) >= _SURE_CHARACTERS


def _length(text: LineText) -> int:
    return len("".join(text.text.split()))


def _half_turned(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[::-1, ::-1])
