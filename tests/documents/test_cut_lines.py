"""Lines that reach over a vertical rule of a table: cut between two cells, and only there."""

from __future__ import annotations

import pytest

from ocrsvc.documents.page_structure import blocks_of
from ocrsvc.documents.rules import Rule
from ocrsvc.results import Character, Line, Page

PAGE = Page(1, 600, 400)


def line(text: str, left: float, top: float, *, spelt: bool = True) -> Line:
    """A line of characters that are 20 pixels wide and high."""
    step = 1 / len(text)
    own = tuple(Character(one, 0.9, i * step, (i + 1) * step) for i, one in enumerate(text))
    right, bottom = left + 20 * len(text), top + 20
    polygon = ((left, top), (right, top), (right, bottom), (left, bottom))
    return Line(text, 0.9, polygon, 1, own if spelt else ())


def grid(*xs: float) -> list[Rule]:
    """Rules of three rows that are 40 high, from 100 on."""
    across = [Rule((xs[0], y), (xs[-1], y)) for y in (100.0, 140.0, 180.0, 220.0)]
    return across + [Rule((x, 100.0), (x, 220.0)) for x in xs]


def test_a_line_over_a_rule_becomes_the_texts_of_two_cells() -> None:
    lines = [line("单价 数量", 160, 110), line("12", 110, 150), line("3", 260, 150), line("4", 110, 190)]
    (block,) = blocks_of(PAGE, lines, grid(100, 210, 320))
    assert block.table is not None
    texts = {
        (c.row, c.column): "".join(each.text for row in c.rows for each in row) for c in block.table.cells
    }
    assert texts == {(0, 0): "单价", (0, 1): "数量", (1, 0): "12", (1, 1): "3", (2, 0): "4", (2, 1): ""}
    first, second = block.lines[:2]
    assert first.polygon[1][0] == second.polygon[0][0] == pytest.approx(210)
    assert [each.start for each in second.characters] == pytest.approx([0.2, 0.6])
    assert second.characters[-1].end == pytest.approx(1)


@pytest.mark.parametrize(
    ("whole", "rules"),
    [
        (line("单价 数量", 160, 110, spelt=False), grid(100, 210, 320)),
        (line("单价数量", 215, 110), grid(100, 210, 320)),
        (line("单价 数量", 160, 110), [*grid(100, 320), Rule((210.0, 140.0), (210.0, 220.0))]),
    ],
)
def test_other_lines_stay_whole(whole: Line, rules: list[Rule]) -> None:
    lines = [whole, line("12", 110, 150), line("3", 260, 150), line("4", 110, 190)]
    blocks = blocks_of(PAGE, lines, rules)
    assert sorted(each.text for block in blocks for each in block.lines) == sorted(
        each.text for each in lines
    )


def test_a_stroke_that_looks_like_a_rule_cuts_no_line_outside_of_tables() -> None:
    """The upright stroke of 利 in a large heading is as long as the line is high."""
    heading = line("和平路便利店", 200, 20)
    lines = [heading, line("单价 数量", 160, 110), line("12", 110, 150), line("3", 260, 150)]
    blocks = blocks_of(PAGE, lines, [Rule((290.0, 15.0), (290.0, 45.0)), *grid(100, 210, 320)])
    texts = [each.text for block in blocks for each in block.lines]
    assert texts[0] == heading.text
    assert {"单价", "数量"} <= set(texts)  # the rule of the table still cuts
