"""Operators that write the lines of a page as invisible text, each word over its own ink.

A word is written in runs of characters of equal width, and each run is scaled to its place on the page. Runs of one
word touch each other, and between words there is a gap and a space, so that readers of PDFs see spaces where the line
has them and nowhere else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import dist

from ocrsvc.formats.glyphless import ASCENT, DESCENT, GlyphlessFont, is_wide, width_of
from ocrsvc.formats.words import Word, part, words_of
from ocrsvc.results import Line, Point, Polygon

Place = Callable[[Point], Point]  # from pixels of the page to the coordinates of the PDF

FONT_NAME = "OcrsvcText"  # in the resources of a page
_BASELINE = -DESCENT / (ASCENT - DESCENT)  # share of a line's height
_LEAST_GAP = 0.25  # between words, in heights of the line; poppler sees a space from 0.1 on
_LEAST_LENGTH = 0.02  # of a run, in heights of the line, so that no matrix is singular


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
    if height <= 0 or length <= 0:
        return
    gap, least = _LEAST_GAP * height / length, _LEAST_LENGTH * height / length
    for word, following in itertools.zip_longest(words, words[1:]):
        end = word.end
        if following is not None:  # spaces have a width of their own, but not always enough of it
            end = max((word.start + end) / 2, min(end, following.start - gap))
        for texts, start, stop in _runs(word, end):
            yield _run(texts, corners, start, max(stop, start + least), font, place)
        if following is not None:
            yield _run((" ",), corners, end, max(following.start, end + least), font, place)


def _runs(word: Word, end: float) -> Iterator[tuple[tuple[str, ...], float, float]]:
    """Yield the characters of a word that have the same width, with the start and end of each run."""
    if not word.characters:
        yield tuple(word.text), word.start, end
        return
    groups = [list(group) for _, group in itertools.groupby(word.characters, lambda one: is_wide(one.text))]
    start = word.start
    for group, following in itertools.zip_longest(groups, groups[1:]):
        stop = end if following is None else min(end, (group[-1].end + following[0].start) / 2)
        yield tuple(one.text for one in group), start, stop
        start = max(start, stop)


def _run(
    texts: Sequence[str], line: Polygon, start: float, end: float, font: GlyphlessFont, place: Place
) -> bytes:
    """Return the operators of one run, which fills the piece of the line between two fractions of its length."""
    piece = part(line, start, end)
    top_left, _, bottom_right, bottom_left = (place(corner) for corner in piece)
    advance = sum(map(width_of, texts))
    across = [(a - b) / advance for a, b in zip(bottom_right, bottom_left, strict=True)]
    up = [a - b for a, b in zip(top_left, bottom_left, strict=True)]
    origin = [a + _BASELINE * b for a, b in zip(bottom_left, up, strict=True)]
    matrix = " ".join(f"{value:.4f}".rstrip("0").rstrip(".") for value in (*across, *up, *origin))
    return b"%s Tm %s Tj\n" % (matrix.encode(), font.encode(tuple(texts)))
