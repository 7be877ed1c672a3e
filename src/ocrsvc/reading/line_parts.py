"""Part of a line that lies in a region, by the places of its characters.

Characters are taken in units: a run of letters and digits with the signs within it, such as 1,234.50, is one; of
other writing, each character. A unit is in a region if its middle is, so the edge of a region never cuts a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocrsvc.fields.region import centre, contains
from ocrsvc.formats.words import part, piece
from ocrsvc.results import Character, Line, LineText, Point, Polygon, TimeStep, TimeSteps

_SIGNS = ".,-/:%()¥￥$€£"  # that join letters and digits to one unit


@dataclass(frozen=True, slots=True)
class LinePart:
    """Part of a line, and the characters beside it without white space between: "" at an end of the line.

    ``text`` has the time steps of the part; None if they are not known.
    """

    line: Line
    text: LineText | None
    before: str = ""
    after: str = ""


def part_in(polygon: Polygon, line: Line, text: LineText) -> LinePart | None:
    """Return the part of a line that lies in a region, None if nothing of it does.

    A line without places of its characters is in a region as a whole if its middle is.
    """
    spelt = line.characters
    if not line.is_spelt:
        return LinePart(line, text) if contains(polygon, centre(line.polygon)) else None
    inside = [i for unit in _units(spelt) if contains(polygon, _middle(line, spelt, unit)) for i in unit]
    if not inside:
        return None
    first, last = min(inside), max(inside)
    said = "".join(each.text for each in spelt[first : last + 1])
    if said.strip() == line.text.strip():
        return LinePart(line, text)
    own = piece(line, spelt[first : last + 1], spelt[first].start, spelt[last].end)
    steps = _steps(text, first, last) if text.text == line.text else None
    known = None if steps is None else LineText(said, text.confidence, steps=steps)
    return LinePart(own, known, line.text[:first].rstrip()[-1:], line.text[last + 1 :].lstrip()[:1])


def _units(spelt: Sequence[Character]) -> list[list[int]]:
    """Return the places of characters in units, without white space."""
    units: list[list[int]] = []
    joined = False
    for i, each in enumerate(spelt):
        if each.text.isspace():
            joined = False
            continue
        joins = each.text in _SIGNS or (each.text.isascii() and each.text.isalnum())
        if joined and joins:
            units[-1].append(i)
        else:
            units.append([i])
        joined = joins
    return units


def _middle(line: Line, spelt: Sequence[Character], unit: Sequence[int]) -> Point:
    corners = part(line.polygon, spelt[unit[0]].start, spelt[unit[-1]].end)
    return sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4


def _steps(text: LineText, first: int, last: int) -> TimeSteps | None:
    """Return the time steps from a character to another; None if the best classes do not spell the line."""
    if text.steps is None:
        return None
    places: list[tuple[int, int]] = []
    spelt, before = "", ""
    for i, step in enumerate(text.steps.steps):
        best = step[0][0] if step else ""
        if best and best == before:
            places[-1] = (places[-1][0], i)
        elif best:
            spelt += best
            places.append((i, i))
        before = best
    if spelt != text.text or len(places) != len(text.text):
        return None
    start = places[first - 1][1] + 1 if first else 0
    end = places[last + 1][0] if last + 1 < len(places) else len(text.steps.steps)
    kept: tuple[TimeStep, ...] = text.steps.steps[start:end]
    return TimeSteps(kept, text.steps.width_pixels)
