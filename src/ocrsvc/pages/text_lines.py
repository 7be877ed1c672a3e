"""Joins the characters of a PDF page to lines, as the detector would find them: apart where the gap is wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import cast

from ocrsvc.pages.characters import is_wide
from ocrsvc.pages.pdf_glyphs import Glyph, corner
from ocrsvc.results import Polygon

_BASE_EMS = 0.5  # most distance of base lines within a line: superscripts are raised by less
_SAME_BASE_EMS = 0.25  # of two pieces of a line that are apart in the file
_GAP_EMS = 1.2  # widest gap within a line, as of justified text; columns of tables are further apart
_PIECE_GAP_EMS = 0.6  # between pieces of a line that are apart in the file
_SPACE_EMS = 0.2  # gap between such pieces from which there is a space
_WIDE_SPACE_EMS = 0.3  # gap within a line from which there is a space, whatever PDFium says: before leaders
_BACK_EMS = 0.3  # most overlap of neighbours, as by kerning
_COLUMN_EMS = (0.6, 1.35)  # least and most distance of characters that stand below each other
_ASIDE_EMS = 0.3  # most distance of the middles of such characters


@dataclass(frozen=True, slots=True)
class GlyphLine:
    """The characters of one line in reading order; ``upright``: they stand below each other."""

    glyphs: tuple[Glyph, ...]
    upright: bool = False


def lines_of(glyphs: Sequence[Glyph]) -> list[GlyphLine]:
    """Return the lines of a page, in no particular order; the characters come in the order of the file."""
    pieces = _pieces(glyphs)
    columns, pieces = _columns(pieces)
    return columns + [GlyphLine(tuple(piece)) for piece in _joined(pieces)]


def text_and_spans(line: GlyphLine) -> tuple[str, tuple[tuple[float, float], ...]]:
    """Return the text of a line, with single spaces, and the start and end of its characters as fractions of it."""
    first, last = _ends(line)
    length = max(1e-6, last - first)
    characters: list[str] = []
    spans: list[tuple[float, float]] = []
    for glyph in line.glyphs:
        start, end = _extent(glyph, upright=line.upright)
        span = (_share((start - first) / length), _share((end - first) / length))
        if glyph.spaced and characters:
            characters.append(" ")
            spans.append((spans[-1][1], max(spans[-1][1], span[0])))
        characters.append(glyph.text)
        spans.append(span)
    return "".join(characters), tuple(spans)


def polygon_of(line: GlyphLine) -> Polygon:
    """Return the corners of a line on the page in pixels, from the top left of its text."""
    first, last = _ends(line)
    turn = line.glyphs[0].style.degrees
    if line.upright:
        left = min(glyph.start for glyph in line.glyphs)
        right = max(glyph.end for glyph in line.glyphs)
        # Such a line begins at its top right: turned to be read, its right side is on top.
        places = [(right, first), (right, last), (left, last), (left, first)]
    else:
        top, bottom = min(glyph.top for glyph in line.glyphs), max(glyph.bottom for glyph in line.glyphs)
        places = [(first, top), (last, top), (last, bottom), (first, bottom)]
    return cast(Polygon, tuple(corner(along, across, turn) for along, across in places))


def _pieces(glyphs: Iterable[Glyph]) -> list[list[Glyph]]:
    """Return the characters in pieces that follow each other in the file and on the page."""
    pieces: list[list[Glyph]] = []
    for glyph in glyphs:
        if pieces and _follows(pieces[-1], glyph):
            if not glyph.spaced and _is_apart(pieces[-1][-1], glyph):
                glyph = replace(glyph, spaced=True)
            pieces[-1].append(glyph)
        else:
            pieces.append([glyph])
    return pieces


def _is_apart(last: Glyph, glyph: Glyph) -> bool:
    """Return whether there is a gap like a space before a character that PDFium gives no space for."""
    least = _SPACE_EMS if glyph.broken else _WIDE_SPACE_EMS  # it begins a line at each raised character
    both_wide = is_wide(last.text) and is_wide(glyph.text)  # they stand apart only to fill a line
    return not both_wide and glyph.start - last.end > least * glyph.style.em_pixels


def _follows(piece: Sequence[Glyph], glyph: Glyph) -> bool:
    last = piece[-1]
    em = max(last.style.em_pixels, glyph.style.em_pixels)
    return (
        last.style.degrees == glyph.style.degrees
        and last.style.visible == glyph.style.visible
        and abs(glyph.base - last.base) <= _BASE_EMS * em
        and -_BACK_EMS * em <= glyph.start - last.end <= _GAP_EMS * em
    )


def _columns(pieces: Sequence[list[Glyph]]) -> tuple[list[GlyphLine], list[list[Glyph]]]:
    """Return the lines of characters that stand below each other, and the other pieces."""
    columns: list[GlyphLine] = []
    others: list[list[Glyph]] = []
    column: list[Glyph] = []

    def end() -> None:
        if len(column) > 1:
            columns.append(GlyphLine(tuple(column), upright=True))
        else:
            others.extend([glyph] for glyph in column)
        column.clear()

    for piece in pieces:
        goes_on = len(piece) == 1 and bool(column) and _stands_below(column, piece[0])
        if not goes_on:
            end()
        if goes_on or (len(piece) == 1 and is_wide(piece[0].text)):
            column.append(piece[0])
        else:
            others.append(piece)
    end()
    return columns, others


def _stands_below(column: Sequence[Glyph], glyph: Glyph) -> bool:
    """Return whether a character goes on a column; digits and letters do only in one of several characters."""
    above = column[-1]
    em = above.style.em_pixels
    aside = abs(above.start + above.end - glyph.start - glyph.end) / 2
    least, most = _COLUMN_EMS
    return (
        above.style.degrees == glyph.style.degrees
        and above.style.visible == glyph.style.visible
        and (is_wide(glyph.text) or len(column) > 1)
        and aside <= _ASIDE_EMS * em
        and least * em <= glyph.base - above.base <= (most + glyph.spaced) * em
    )


def _joined(pieces: Iterable[list[Glyph]]) -> list[list[Glyph]]:
    """Join the pieces that are neighbours on the page but not in the file, such as words written one by one."""
    joined: list[list[Glyph]] = []
    ordered = sorted(
        pieces, key=lambda piece: (piece[0].style.degrees, piece[0].style.visible, piece[0].base)
    )
    for _, group in groupby(ordered, key=lambda piece: (piece[0].style.degrees, piece[0].style.visible)):
        row: list[list[Glyph]] = []
        for piece in group:
            if row and piece[0].base - row[0][0].base > _SAME_BASE_EMS * row[0][0].style.em_pixels:
                joined += _row(row)
                row = []
            row.append(piece)
        joined += _row(row)
    return joined


def _row(pieces: Sequence[list[Glyph]]) -> list[list[Glyph]]:
    """Join the neighbours of one row; a piece that repeats the one before it, as a drawn shadow does, is dropped."""
    found: list[list[Glyph]] = []
    for piece in sorted(pieces, key=lambda each: each[0].start):
        if found:
            last = found[-1]
            em = max(last[-1].style.em_pixels, piece[0].style.em_pixels)
            gap = piece[0].start - last[-1].end
            if abs(piece[0].start - last[0].start) < _BACK_EMS * em and _same(piece, last):
                continue
            if (
                -_BACK_EMS * em <= gap <= _PIECE_GAP_EMS * em
                and abs(piece[0].base - last[-1].base) < _BASE_EMS * em
            ):
                last += [replace(piece[0], spaced=gap > _SPACE_EMS * em), *piece[1:]]
                continue
        found.append(list(piece))
    return found


def _same(piece: Sequence[Glyph], other: Sequence[Glyph]) -> bool:
    return [glyph.text for glyph in piece] == [glyph.text for glyph in other]


def _ends(line: GlyphLine) -> tuple[float, float]:
    extents = [_extent(glyph, upright=line.upright) for glyph in line.glyphs]
    return min(start for start, _ in extents), max(end for _, end in extents)


def _extent(glyph: Glyph, *, upright: bool) -> tuple[float, float]:
    return (glyph.top, glyph.bottom) if upright else (glyph.start, glyph.end)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
