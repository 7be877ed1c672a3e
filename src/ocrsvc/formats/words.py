"""Words and characters of a line, with their place on the page.

A word is a run of characters without white space. Chinese is written without spaces, so a run of Chinese characters is
one word, with the letters and digits that touch it; to cut it into words of the language would need a dictionary, and
boxes of single characters serve the same purposes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ocrsvc.results import Character, Line, Point, Polygon


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a line: ``polygon`` as that of a line, ``confidence`` the mean of its characters'.

    ``start`` and ``end``: fractions of the line's length, as of a character. ``characters``: empty if the line has
    none.
    """

    text: str
    confidence: float
    polygon: Polygon
    start: float
    end: float
    characters: tuple[Character, ...]


def words_of(line: Line) -> Iterator[Word]:
    """Yield the words of a line in reading order; the whole line is one if the place of its characters is unknown."""
    if not line.characters:
        if text := line.text.strip():
            yield Word(text, line.confidence, line.polygon, 0.0, 1.0, ())
        return
    run: list[Character] = []
    for character in (*line.characters, None):
        if character is not None and not character.text.isspace():
            run.append(character)
        elif run:
            yield _word(line, tuple(run))
            run = []


def polygon_of(line: Line, character: Character) -> Polygon:
    """Return the corners of a character, from its own top left."""
    return part(line.polygon, character.start, character.end)


def part(polygon: Polygon, start: float, end: float) -> Polygon:
    """Return the piece of ``polygon`` between two fractions of its reading direction."""
    top_left, top_right, bottom_right, bottom_left = polygon
    return (
        _between(top_left, top_right, start),
        _between(top_left, top_right, end),
        _between(bottom_left, bottom_right, end),
        _between(bottom_left, bottom_right, start),
    )


def piece(line: Line, characters: Sequence[Character], start: float, end: float) -> Line:
    """Return these characters of a line as a line between two fractions of its reading direction.

    It has no alternatives and no free text, which are of the whole line.
    """
    width = max(1e-6, end - start)

    def moved(share: float) -> float:
        return min(1.0, max(0.0, (share - start) / width))

    return replace(
        line,
        text="".join(each.text for each in characters),
        polygon=part(line.polygon, start, end),
        characters=tuple(replace(each, start=moved(each.start), end=moved(each.end)) for each in characters),
        alternatives=(),
        free_text=None,
    )


def bounds(polygon: Polygon) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the bounding box of ``polygon``, in whole pixels."""
    xs, ys = [point[0] for point in polygon], [point[1] for point in polygon]
    return round(min(xs)), round(min(ys)), round(max(xs)), round(max(ys))


def _word(line: Line, run: tuple[Character, ...]) -> Word:
    start, end = run[0].start, run[-1].end
    mean = sum(one.confidence for one in run) / len(run)
    return Word("".join(one.text for one in run), mean, part(line.polygon, start, end), start, end, run)


def _between(a: Point, b: Point, fraction: float) -> Point:
    return a[0] + (b[0] - a[0]) * fraction, a[1] + (b[1] - a[1]) * fraction
