"""Finds out which way up a page is, by what the recogniser says about a few lines read both ways up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ocrsvc.pages.patches import Patches, upright_cells
from ocrsvc.pages.source import Pixels
from ocrsvc.pages.turns import Turn, turned
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
_LETTER_SHARE = 0.25  # largest share of letters and digits in a column of Chinese
# A line is a column of upright characters if its cells, read side by side, have so many of its characters or so much
# confidence.
_CELLS_SHARED, _LEAST_SHARED, _CELLS_SURE = 0.5, 2, 0.85
_LEGIBLE = 0.5
_ADDED: Mapping[Turn, Turn] = MappingProxyType({0: 90, 90: 180, 180: 270, 270: 0})  # 90 degrees more
_LEAST_SCORE, _MARGIN = 0.3, 0.12  # a page is turned if it then reads at least so well, and better by so much


@dataclass(frozen=True, slots=True)
class Orientation:
    """Clockwise ``turn`` that makes a page upright, and how well its lines then read: ``score``, 0 to 1."""

    turn: Turn
    score: float

    @property
    def is_legible(self) -> bool:
        """Return whether the lines read well enough for the turn to be believed."""
        return self.score >= _LEGIBLE


async def find_turn(patches: Patches, read: Read) -> Orientation:
    """Return by how many degrees clockwise a page has to be turned to be upright; 0 in doubt.

    ``read`` returns the texts of patches. An upright page costs two short readings, or three if it is all Chinese:
    recognisers also read columns of upright characters that lie on their left side.
    """
    first = patches.rows[:_FIRST]
    known: list[LineText] = []  # texts of the first rows, which need not be read again
    if patches.row_share >= _MOSTLY_ROWS and len(first) == _FIRST:
        known = await read(first)
        if all(map(_is_sure, known)) and not await _stand(first[:1], known[:1], read):
            return Orientation(0, _score(known))
    scores: dict[Turn, float] = dict.fromkeys((0, 90, 180, 270), 0.0)
    share = patches.row_share
    # Where a page has to be turned if a group of lines reads well as cut, or on its head, and has upright characters
    # along the line or across it.
    groups: tuple[tuple[Sequence[Pixels], float, tuple[Turn, Turn], tuple[Turn, Turn]], ...] = (
        (patches.rows, share, (0, 180), (90, 270)),
        (patches.columns, 1 - share, (270, 90), (0, 180)),
    )
    for lines, weight, along, across in groups:
        if not lines:
            continue
        both = lines, [turned(line, 180) for line in lines]
        answers = [*known, *await read([*both[0][len(known) :], *both[1]])]
        known = []
        said = answers[: len(lines)], answers[len(lines) :]
        score = _score(said[0]), _score(said[1])
        head = score[1] > score[0]
        turns = across if await _stand(both[head], said[head], read) else along
        scores[turns[head]] += weight * score[head]
        scores[turns[not head]] += weight * score[not head]
    return _best(scores)


def surer(given: Orientation, lying: Orientation) -> Orientation:
    """Return the better of what was found on a page as ``given``, and ``lying``, turned clockwise by 90 degrees."""
    turn: Turn = _ADDED[lying.turn]
    better = lying.is_legible and lying.score > given.score + _MARGIN
    return Orientation(turn, lying.score) if better else given


def _best(scores: Mapping[Turn, float]) -> Orientation:
    turn = max(scores, key=lambda each: scores[each])
    if scores[turn] <= max(_LEAST_SCORE, scores[0] + _MARGIN):
        turn = 0
    return Orientation(turn, scores[turn])


async def _stand(lines: Sequence[Pixels], texts: Sequence[LineText], read: Read) -> bool:
    """Return whether lines with these texts are columns of upright characters, turned counter-clockwise.

    Texts of letters and digits are not, and the longer texts speak for all lines. What is hardly legible says nothing.
    The cells of a row show characters on their side, which read as others, now and then with confidence.
    """
    legible = [each for each in zip(lines, texts, strict=True) if each[1].confidence >= _LEGIBLE]
    chinese = [each for each in legible if _may_stand(each[1])]
    if 2 * sum(text.length for _, text in chinese) <= sum(text.length for _, text in legible):
        return False
    cells = await read([upright_cells(line) for line, _ in chinese])
    shared = sum(_shared(cell, text) for cell, (_, text) in zip(cells, chinese, strict=True))
    wanted = max(_LEAST_SHARED, _CELLS_SHARED * sum(text.length for _, text in chinese))
    return shared >= wanted or _confidence(cells) >= _CELLS_SURE


def _shared(cells: LineText, line: LineText) -> int:
    return sum((Counter(cells.text) & Counter(line.text)).values())


def _confidence(texts: Sequence[LineText]) -> float:
    """Return the mean confidence of texts, weighted by their characters; 0 without any."""
    return sum(text.confidence * text.length for text in texts) / max(1, sum(text.length for text in texts))


def _score(texts: Sequence[LineText]) -> float:
    """Return the mean confidence of texts, 0 to 1, weighted by their characters; a letter alone says nothing (O, N)."""
    lengths = [0 if text.text.isascii() and text.length < 2 else text.length for text in texts]
    lengths = [min(length, _MOST_CHARACTERS) for length in lengths]
    wanted = sum(max(length, _FEW_CHARACTERS) for length in lengths)
    return sum(text.confidence * length for text, length in zip(texts, lengths, strict=True)) / max(1, wanted)


def _is_sure(text: LineText) -> bool:
    return text.confidence >= _SURE and text.length >= _SURE_CHARACTERS


def _may_stand(text: LineText) -> bool:
    """Return whether a text may be a column: several characters, of which few are letters or digits."""
    letters = sum(character.isascii() and not character.isspace() for character in text.text)
    return text.length > 1 and letters <= _LETTER_SHARE * text.length
