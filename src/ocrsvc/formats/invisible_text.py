"""Operators that write the lines of a page as invisible text, each word over its own ink.

A word is written in runs of characters of equal width, and each run is scaled to its place on the page. Runs of one
word touch each other, and between words there is a gap and a space, so that readers of PDFs see spaces where the line
has them and nowhere else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import cos, dist, pi, radians, sin

from ocrsvc.formats.glyphless import ASCENT, DESCENT, GlyphlessFont, is_wide, width_of
from ocrsvc.formats.markup import angle_degrees
from ocrsvc.formats.words import Word, part, words_of
from ocrsvc.results import Line, Point, Polygon

Place = Callable[[Point], Point]  # from pixels of the page to the coordinates of the PDF

FONT_NAME = "OcrsvcText"  # in the resources of a page
_BASELINE = -DESCENT / (ASCENT - DESCENT)  # share of a line's height
_LEAST_GAP = 0.25  # between words, in heights of the line; poppler sees a space from 0.1 on
# Beyond this angle a line is one run, because PDFium orders the runs of one line from left to right.
_UPSIDE_DOWN_DEGREES = 135.0
# Of the baseline from start to end, in heights of the line: of a word, and of a line whose words are levelled. PDFium
# takes the words of steeper lines for those of their neighbours.
_MOST_DRIFT, _MOST_LINE_DRIFT = 0.35, 1.0
# Of a word or space, in heights of the line, and of a run, in lengths of the word, so that no matrix is singular.
_LEAST_LENGTH, _LEAST_SHARE = 0.02, 0.001


def operators(lines: Iterable[Line], font: GlyphlessFont, place: Place) -> bytes:
    """Return the content stream that writes these lines; empty if there is nothing to write."""
    runs = [run for line in lines for run in _line(line, font, place)]
    if not runs:
        return b""
    return b"q BT\n/%s 1 Tf 3 Tr\n%sET Q\n" % (FONT_NAME.encode(), b"".join(runs))


def _line(line: Line, font: GlyphlessFont, place: Place) -> Iterator[bytes]:
    words = list(words_of(line))
    corners = line.polygon
    height = max(dist(corners[0], corners[3]), dist(corners[1], corners[2]))
    length = max(dist(corners[0], corners[1]), dist(corners[3], corners[2]))
    if not words or height <= 0 or length <= 0:
        return
    if abs(angle_degrees(corners)) > _UPSIDE_DOWN_DEGREES:
        piece = _levelled(part(corners, words[0].start, words[-1].end))
        yield _run(tuple(line.text.strip()), piece, font, place)
        return
    level = _levelled if _drift(corners) <= _MOST_LINE_DRIFT else _as_it_is
    gap, least = _LEAST_GAP * height / length, _LEAST_LENGTH * height / length
    for word, following in itertools.zip_longest(words, words[1:]):
        end = word.end
        if following is not None:  # spaces have a width of their own, but not always enough of it
            end = max((word.start + end) / 2, min(end, following.start - gap))
        end = max(end, word.start + least)
        piece = level(part(corners, word.start, end))
        for texts, start, stop in _runs(word, end):
            yield _run(texts, part(piece, start, stop), font, place)
        if following is not None:
            space = part(corners, end, max(following.start, end + least))
            yield _run((" ",), level(space), font, place)


def _as_it_is(piece: Polygon) -> Polygon:
    return piece


def _drift(piece: Polygon) -> float:
    """Return by how many heights of a line the baseline of a piece leaves the next right angle."""
    turn = radians(angle_degrees(piece))
    away = turn - round(turn / (pi / 2)) * pi / 2
    return abs(sin(away)) * dist(piece[0], piece[1]) / max(1e-6, dist(piece[0], piece[3]))


def _levelled(piece: Polygon) -> Polygon:
    """Return a piece of a line turned to the next right angle, if it then still lies on its ink.

    Poppler cuts a word where its baseline has moved by half a point.
    """
    if _drift(piece) > _MOST_DRIFT:
        return piece
    height, length = dist(piece[0], piece[3]), dist(piece[0], piece[1])
    level = round(radians(angle_degrees(piece)) / (pi / 2)) * pi / 2
    middle = tuple(sum(corner[axis] for corner in piece) / 4 for axis in (0, 1))
    along = (cos(level) * length / 2, -sin(level) * length / 2)
    down = (sin(level) * height / 2, cos(level) * height / 2)
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    a, b, c, d = (
        (middle[0] + u * along[0] + v * down[0], middle[1] + u * along[1] + v * down[1]) for u, v in signs
    )
    return a, b, c, d


def _runs(word: Word, end: float) -> Iterator[tuple[tuple[str, ...], float, float]]:
    """Yield the characters of a word that have the same width, with the start and end of each run within the word.

    ``end``: where the word ends in its line; what is yielded are fractions of the word.
    """
    if not word.characters:
        yield tuple(word.text), 0.0, 1.0
        return
    groups = [list(group) for _, group in itertools.groupby(word.characters, lambda one: is_wide(one.text))]
    edges = [(one[-1].end + next_[0].start) / 2 for one, next_ in itertools.pairwise(groups)]
    shares = [min(1.0, max(0.0, (edge - word.start) / (end - word.start))) for edge in edges]
    for group, (start, stop) in zip(groups, itertools.pairwise([0.0, *shares, 1.0]), strict=True):
        yield tuple(one.text for one in group), start, max(stop, start + _LEAST_SHARE)


def _run(texts: Sequence[str], piece: Polygon, font: GlyphlessFont, place: Place) -> bytes:
    """Return the operators of one run, which fills a piece of the line."""
    top_left, _, bottom_right, bottom_left = (place(corner) for corner in piece)
    advance = sum(map(width_of, texts))
    across = [(a - b) / advance for a, b in zip(bottom_right, bottom_left, strict=True)]
    up = [a - b for a, b in zip(top_left, bottom_left, strict=True)]
    origin = [a + _BASELINE * b for a, b in zip(bottom_left, up, strict=True)]
    matrix = " ".join(f"{value:.4f}".rstrip("0").rstrip(".") for value in (*across, *up, *origin))
    return b"%s Tm %s Tj\n" % (matrix.encode(), font.encode(tuple(texts)))
