"""Joins rows of text to paragraphs, headings and footnotes, by the gaps between them, indents, sizes and lists."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ocrsvc.documents.frame import Frame
from ocrsvc.pages.layout import Box
from ocrsvc.results import BlockKind, Line
from ocrsvc.text import is_list_item

_EXTRA_GAP = 0.4  # a gap that is wider than the usual one by this many text heights ends a paragraph
_USUAL_GAP = 0.5  # in text heights, where a page has too few rows to tell
_SIZE_RATIO = 1.22  # rows whose heights differ by more belong to different paragraphs
_LONG, _SURE_RATIO = 15.0, 1.6  # width of a long row in its heights; ratio of sizes that counts even there
_INDENT = 0.7  # least indent of the first row of a paragraph, in text heights
_MOST_INDENT = 6.0
_HEADING_RATIO = 1.25  # least height of a heading relative to most text
_MOST_HEADING_ROWS = 3
_MOST_HEADING_CHARACTERS = 120
_FOOTNOTE_RATIO = 0.88  # most height of a footnote relative to most text
_FOOTNOTE_PLACE = 0.5  # a footnote lies in the part of the page's text below this share of its height
_FULL = 0.85  # a row that reaches this share of the width of its paragraph goes on in the next row

_NOTE_MARK = re.compile(r"\s*(?:\[?\(?\d{1,3}[\])]?|[*†‡§¹²³⁴⁵⁶⁷⁸⁹①-⑳※]|注)\s*\S")
_SENTENCE_END = re.compile(r"[.!?。！？…:：;；”\"'）)]\s*$")

Row = list[Box]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one paragraph, heading or footnote."""

    kind: BlockKind
    rows: tuple[Row, ...]


def find(rows: Sequence[Row], lines: Sequence[Line], frame: Frame) -> list[Part]:
    """Return the parts that rows in reading order make; every row is in one of them."""
    if not rows:
        return []
    usual = _usual_gap(rows, frame.height)
    groups: list[list[Row]] = [[rows[0]]]
    for before, row in itertools.pairwise(rows):
        if _begins(groups[-1], before, row, lines, usual, frame.height):
            groups.append([row])
        else:
            groups[-1].append(row)
    groups = [part for group in groups for part in _by_indent(group, lines, frame.height)]
    parts = [Part(_kind(group, lines, frame), tuple(group)) for group in groups]
    return _with_footnotes(parts, lines, frame)


def text_of(row: Row, lines: Sequence[Line]) -> str:
    """Return the text of a row."""
    return " ".join(lines[box.index].text for box in row)


def _height(row: Row) -> float:
    return median(box.height for box in row)


def _gap(upper: Row, lower: Row) -> float:
    """Return the white space between two rows in pixels, by their middles, because crooked boxes are too high."""
    step = median(b.middle for b in lower) - median(b.middle for b in upper)
    return step - (_height(upper) + _height(lower)) / 2


def _usual_gap(rows: Sequence[Row], height: float) -> float:
    """Return the white space between rows of a paragraph in pixels: the lower quartile of what the page has."""
    gaps = sorted(
        gap
        for upper, lower in itertools.pairwise(rows)
        if -0.5 * height < (gap := _gap(upper, lower)) < 1.5 * height and _overlap(upper, lower)
    )
    return gaps[len(gaps) // 4] if len(gaps) >= 4 else min([_USUAL_GAP * height, *gaps])


def _overlap(upper: Row, lower: Row) -> bool:
    return upper[0].left < lower[-1].right and lower[0].left < upper[-1].right


def _begins(
    group: Sequence[Row], before: Row, row: Row, lines: Sequence[Line], usual: float, height: float
) -> bool:
    """Return whether a row begins a new part, by its place and size relative to the rows before it."""
    gap = _gap(before, row)
    if gap < -height or not _overlap(before, row):
        return True
    small, large = sorted((_height(before), _height(row)))
    ratio = large / max(1.0, small)
    # A superscript makes a long row of a paragraph higher; a heading is higher still, or has more space around it.
    doubtful = min(_width(before), _width(row)) > _LONG * small and ratio < _SURE_RATIO
    if ratio > _SIZE_RATIO and not doubtful and not _is_short(row, small):
        return True
    spare = _EXTRA_GAP * max(height, small)
    if len(group) >= 2:  # a part with wide spacing of its own
        usual = max(usual, _gap(group[-2], group[-1]))
    return gap > usual + spare


def _width(row: Row) -> float:
    return row[-1].right - row[0].left


def _is_short(row: Row, height: float) -> bool:
    """Return whether a row is so short that its height says little: "aces" is lower than "Tg"."""
    return _width(row) < 3 * height


def _by_indent(group: list[Row], lines: Sequence[Line], height: float) -> list[list[Row]]:
    """Return the paragraphs of rows without wider gaps between them: an indent begins one, a short row ends it."""
    if len(group) < 2:
        return [group]
    left, right = median(row[0].left for row in group), max(row[-1].right for row in group)
    width = right - min(row[0].left for row in group)
    full = [row[-1].right - left >= _FULL * width for row in group]
    if sum(full) < 0.5 * len(group):  # no running text, such as an address: its rows belong together
        return [group]
    parts = [[group[0]]]
    for before, row in itertools.pairwise(group):
        listed = is_list_item(text_of(before, lines))
        indent = row[0].left - left
        indented = (
            _INDENT * height < indent < _MOST_INDENT * height and abs(before[0].left - left) < 0.5 * height
        )
        ended = before[-1].right < right - max(_room(row, lines), 1.5 * height)
        closed = ended and bool(_SENTENCE_END.search(text_of(before, lines)))
        if (indented and not listed) or closed:
            parts.append([])
        parts[-1].append(row)
    return parts


def _room(row: Row, lines: Sequence[Line]) -> float:
    """Return the width in pixels that the first word of a row would have needed at the end of the row before."""
    text = text_of(row, lines)
    word = text.split(" ")[0]
    if not word or ord(word[0]) > 0x2E7F:
        word = word[:2]
    return (row[-1].right - row[0].left) * (len(word) + 1) / max(1, len(text))


def _kind(group: Sequence[Row], lines: Sequence[Line], frame: Frame) -> BlockKind:
    texts = [text_of(row, lines) for row in group]
    large = median(_height(row) for row in group) >= _HEADING_RATIO * frame.height
    short = len(group) <= _MOST_HEADING_ROWS and sum(map(len, texts)) <= _MOST_HEADING_CHARACTERS
    letters = any(sum(c.isalpha() for c in text) >= 2 for text in texts)
    return "heading" if large and short and letters else "paragraph"


def _with_footnotes(parts: list[Part], lines: Sequence[Line], frame: Frame) -> list[Part]:
    """Return the parts with the small print below a column marked as footnotes."""
    top = min(box.top for box in frame.boxes)
    bottom = max(box.bottom for box in frame.boxes)
    result = list(parts)
    noted = False
    for i, part in enumerate(parts):
        first = part.rows[0]
        small = median(_height(row) for row in part.rows) <= _FOOTNOTE_RATIO * frame.height
        low = first[0].middle > top + _FOOTNOTE_PLACE * (bottom - top)
        marked = bool(_NOTE_MARK.match(text_of(first, lines))) or _below_short_rule(first, frame)
        last = not any(
            _height(row) > _FOOTNOTE_RATIO * frame.height and row[0].middle > first[0].middle
            for other in parts[i + 1 :]
            for row in other.rows
            if _overlap(first, row)
        )
        noted = small and low and last and (marked or noted)
        if noted and part.kind == "paragraph":
            result[i] = Part("footnote", part.rows)
    return result


def _below_short_rule(row: Row, frame: Frame) -> bool:
    """Return whether a short rule, as it separates footnotes from the text, is right above a row."""
    width = max(b.right for b in frame.boxes) - min(b.left for b in frame.boxes)
    return any(
        0 < row[0].middle - rule.at < 2.5 * frame.height
        and abs(rule.start - row[0].left) < 2 * frame.height
        and rule.end - rule.start < 0.6 * width
        for rule in frame.across
    )
