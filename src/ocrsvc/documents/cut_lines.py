"""Cuts lines that reach over a vertical rule: the detector took the texts of two cells for one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ocrsvc.documents.frame import Frame, Straight
from ocrsvc.formats.words import piece
from ocrsvc.pages.layout import Box
from ocrsvc.results import Line

_INNER = 0.4  # least distance of the rule from the ends of the line, in heights of the line
_MISSING = 0.15  # of the height of a line a rule may leave out at its upper and lower edge


def parts_of(lines: Sequence[Line], frame: Frame) -> dict[int, list[Line]]:
    """Return the parts of those lines that a vertical rule crosses, by their places in ``lines``."""
    found = {
        box.index: _parts(lines[box.index], sorted(_shares(lines[box.index], box, frame.down)))
        for box in frame.boxes
    }
    return {index: parts for index, parts in found.items() if len(parts) > 1}


def cut(lines: Sequence[Line], frame: Frame, parts: Mapping[int, Sequence[Line]]) -> list[Line]:
    """Return all lines in the order of the frame, those in ``parts`` in parts."""
    return [line for box in frame.boxes for line in parts.get(box.index, [lines[box.index]])]


def _shares(line: Line, box: Box, down: Sequence[Straight]) -> list[float]:
    """Return where rules cross a line, as shares of its width; none if it is not read from left to right."""
    (left, _), (right, _), *_ = line.polygon
    inner, missing = _INNER * box.height, _MISSING * box.height
    if box.right - box.left <= 2 * inner or left >= right or line.free_text is not None:
        return []
    return [
        (rule.at - box.left) / (box.right - box.left)
        for rule in down
        if box.left + inner < rule.at < box.right - inner
        and rule.start <= box.top + missing
        and rule.end >= box.bottom - missing
    ]


def _parts(line: Line, shares: Sequence[float]) -> list[Line]:
    """Return the parts of a line with a text; characters belong to the part in which their middle lies."""
    if not shares or not line.is_spelt:
        return [line]
    parts = []
    for start, end in pairwise((0.0, *shares, 1.0)):
        own = [
            each
            for each in line.characters
            if start <= (each.start + each.end) / 2 < end or (end == 1.0 and each.end + each.start >= 2)
        ]
        while own and own[-1].text.isspace():
            own.pop()
        while own and own[0].text.isspace():
            own.pop(0)
        if not own:
            continue
        parts.append(piece(line, own, start, end))
    return parts if len(parts) > 1 else [line]
