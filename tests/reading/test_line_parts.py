"""Parts of lines in regions: units of characters, their time steps, and what stands beside them."""

from __future__ import annotations

import pytest

from ocrsvc.fields.decoding import decode
from ocrsvc.fields.types import TYPES
from ocrsvc.reading.line_parts import LinePart, part_in
from ocrsvc.recognition.grammar_search import certain
from ocrsvc.results import Character, Line, LineText, Polygon, TimeSteps

TEXT = "合计 1,234.50 元 TOTAL 37.20"


def box(left: float, right: float) -> Polygon:
    return (left, -5), (right, -5), (right, 25), (left, 25)


def read(text: str, *, spelt: bool = True) -> tuple[Line, LineText]:
    """A line of characters that are 10 pixels wide and 20 high."""
    step = 1 / len(text)
    own = tuple(Character(one, 0.9, i * step, (i + 1) * step) for i, one in enumerate(text))
    polygon: Polygon = ((0, 0), (10.0 * len(text), 0), (10.0 * len(text), 20), (0, 20))
    line = Line(text, 0.9, polygon, 1, own if spelt else ())
    return line, LineText(text, 0.9, own, steps=TimeSteps(certain(text), 8))


def part(left: float, right: float, text: str = TEXT) -> LinePart:
    found = part_in(box(left, right), *read(text))
    assert found is not None
    return found


def test_a_region_within_a_line_has_the_characters_in_it() -> None:
    assert part(0, 1000).line.text == TEXT
    assert part(0, 20).line.text == "合计"
    assert part(18, 135).line.text == "1,234.50 元"
    assert part(140, 250).line.text == "TOTAL 37.20"
    assert part_in(box(111, 119), *read(TEXT)) is None
    own = part(0, 20).line
    assert [x for x, _ in own.polygon] == pytest.approx([0, 20, 20, 0])
    assert [each.start for each in own.characters] == pytest.approx([0, 0.5])


def test_the_edge_of_a_region_never_cuts_a_number() -> None:
    assert part(50, 1000).line.text == TEXT[3:]  # its middle is in the region
    assert part(80, 1000).line.text == TEXT[12:]
    assert part(0, 60).line.text == "合计"


def test_lines_without_places_belong_to_the_region_of_their_middle() -> None:
    line, text = read(TEXT, spelt=False)
    assert part_in(box(0, 1000), line, text) == LinePart(line, text)
    assert part_in(box(0, 20), line, text) is None


def test_a_part_has_its_time_steps() -> None:
    found = part(20, 118)
    assert found.text is not None
    assert found.text.steps is not None
    assert [step[0][0] for step in found.text.steps.steps if step[0][0].strip()] == list("1,234.50")
    value = decode(found.text, TYPES["amount"])
    assert (value.value, value.valid, value.changed) == ("1234.50", True, False)
    assert (found.before, found.after) == ("计", "元")


def test_steps_that_spell_another_text_are_not_used() -> None:
    line, _ = read(TEXT)
    other = LineText(TEXT, 0.9, steps=TimeSteps(certain(TEXT.replace("7", "1")), 8))
    found = part_in(box(0, 20), line, other)
    assert found is not None
    assert found.text is None
