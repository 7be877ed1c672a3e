"""Blocks of pages made of boxes: rows, columns, tables, and pages that nobody would want to read."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrsvc.documents.page_structure import blocks_of, by_upper_edge, in_order
from ocrsvc.documents.rules import Rule
from ocrsvc.formats.reflow import cell_text
from ocrsvc.results import Block, Line, Page, Point, Table

PAGE = Page(1, 1000, 1400)


def line(text: str, x: float, y: float, width: float, height: float = 20, angle: float = 0) -> Line:
    """A line of text whose box begins at x and y, on a page that is turned by an angle in degrees."""
    a, b, c, d = (
        turned(p, angle) for p in ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    )
    return Line(text, 0.9, (a, b, c, d), 1)


def turned(point: Point, angle: float) -> Point:
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return point[0] * cosine - point[1] * sine, point[0] * sine + point[1] * cosine


def texts(table: Table | None) -> dict[tuple[int, int, int, int], str]:
    assert table is not None
    return {(c.row, c.column, c.row_span, c.column_span): cell_text(c) for c in table.cells}


def tables(blocks: Sequence[Block]) -> list[Table]:
    return [block.table for block in blocks if block.table is not None]


def prose(x: float, y: float, count: int, width: float, angle: float = 0) -> list[Line]:
    """Lines of running text; the last one is short."""
    return [
        line("running text of a paragraph", x, y + i * 28, width if i < count - 1 else width / 2, angle=angle)
        for i in range(count)
    ]


def frame(xs: Sequence[float], ys: Sequence[float], angle: float = 0) -> list[Rule]:
    ends = [((xs[0], y), (xs[-1], y)) for y in ys] + [((x, ys[0]), (x, ys[-1])) for x in xs]
    return [Rule(turned(a, angle), turned(b, angle)) for a, b in ends]


def test_a_page_without_text_has_no_blocks() -> None:
    assert blocks_of(PAGE, [], frame([0, 100], [0, 100])) == ()


@pytest.mark.parametrize("angle", [0.0, 3.0, -2.0])
def test_rows_that_line_up_are_a_table(angle: float) -> None:
    goods = [line(f"goods {i}", 50, 200 + 40 * i, 90 + 15 * (i % 3), angle=angle) for i in range(5)]
    prices = [
        line(f"{i}.50", 520 - 4 * (i % 2), 200 + 40 * i, 50 + 4 * (i % 2), angle=angle) for i in range(5)
    ]
    title = line("A shop that sells all kinds of goods", 50, 100, 400, angle=angle)
    blocks = blocks_of(PAGE, [title, *prices, *goods])
    assert [block.kind for block in blocks] == ["paragraph", "table"]
    found = texts(blocks[1].table)
    assert found == {(i, 0, 1, 1): f"goods {i}" for i in range(5)} | {
        (i, 1, 1, 1): f"{i}.50" for i in range(5)
    }


def test_two_columns_of_running_text_are_no_table() -> None:
    left, right = prose(50, 100, 12, 400), prose(520, 104, 12, 400)
    mixed = [each for pair in zip(left, right, strict=True) for each in pair]
    blocks = blocks_of(PAGE, mixed)
    assert {block.kind for block in blocks} == {"paragraph"}
    assert list(in_order(blocks)) == left + right


def test_three_columns_are_read_one_after_the_other() -> None:
    columns = [prose(50 + 310 * i, 100 + 7 * i, 10, 280) for i in range(3)]
    lines = [each for column in columns for each in column]
    assert list(in_order(blocks_of(PAGE, random.Random(1).sample(lines, len(lines))))) == lines


@pytest.mark.parametrize("angle", [0.0, 2.0])
def test_rules_make_cells_and_their_absence_spans(angle: float) -> None:
    rules = frame([50, 250, 450], [100, 150, 200, 250], angle)
    # The rule between the two cells of the first row is missing.
    rules[-2] = Rule(turned((250, 150), angle), turned((250, 250), angle))
    lines = [line("title of both", 180, 115, 120, angle=angle)]
    lines += [line(f"{r}{c}", 60 + 200 * c, 115 + 50 * r, 60, angle=angle) for r in (1, 2) for c in (0, 1)]
    (block,) = blocks_of(PAGE, lines, rules)
    assert texts(block.table) == {
        (0, 0, 1, 2): "title of both",
        (1, 0, 1, 1): "10",
        (1, 1, 1, 1): "11",
        (2, 0, 1, 1): "20",
        (2, 1, 1, 1): "21",
    }


def test_two_lines_of_a_cell_belong_together() -> None:
    lines = [line("first", 60, 104, 60), line("second", 60, 126, 60), line("x", 260, 115, 20)]
    lines += [line("third", 60, 170, 60), line("y", 260, 170, 20)]
    (block,) = blocks_of(PAGE, lines, frame([50, 250, 450], [100, 155, 200]))
    assert texts(block.table)[0, 0, 1, 1] == "first second"


def test_a_frame_of_one_cell_is_no_table() -> None:
    (block,) = blocks_of(PAGE, [line("boxed", 60, 115, 80)], frame([50, 450], [100, 150]))
    assert block.kind == "paragraph"


def test_a_page_of_squares_with_one_text_is_no_table() -> None:
    rules = frame([20 * i for i in range(48)], [20 * i for i in range(68)])
    (block,) = blocks_of(PAGE, [line("squared", 45, 45, 80)], rules)
    assert block.kind == "paragraph"


def test_large_text_is_a_heading_and_small_print_below_a_footnote() -> None:
    body = prose(50, 200, 20, 800)
    lines = [line("Title", 50, 100, 150, 40), *body, line("1 see the annex", 50, 1200, 150, 14)]
    blocks = blocks_of(PAGE, lines)
    assert [block.kind for block in blocks] == ["heading", "paragraph", "footnote"]


def test_a_gap_or_an_indent_begins_a_paragraph() -> None:
    first, second = prose(50, 100, 4, 600), prose(50, 260, 4, 600)
    third = [line("an indented beginning of text", 90, 372, 560), *prose(50, 400, 3, 600)]
    blocks = blocks_of(PAGE, first + second + third)
    assert [list(block.lines) for block in blocks] == [first, second, third]


def test_the_lines_of_a_page_on_its_side_are_put_together_as_well() -> None:
    upright = [line(f"goods {i}", 50, 200 + 40 * i, 100) for i in range(4)]
    upright += [line(f"{i}.50", 520, 200 + 40 * i, 50) for i in range(4)]
    # The page as given has to be turned clockwise by 90 degrees: x is the upright y, and y counts back from its x.
    given = [
        Line(each.text, 0.9, tuple((y, 1000 - x) for x, y in each.polygon), 1)  # type: ignore[arg-type]
        for each in upright
    ]
    (block,) = blocks_of(Page(1, 1400, 1000, orientation=90), given)
    assert texts(block.table) == {
        (i, j, 1, 1): text for i in range(4) for j, text in enumerate((f"goods {i}", f"{i}.50"))
    }
    xs, ys = [x for x, _ in block.polygon], [y for _, y in block.polygon]
    assert [min(xs), max(xs)] == pytest.approx([200, 340])
    assert [min(ys), max(ys)] == pytest.approx([430, 950])


numbers = st.floats(0, 1000, allow_nan=False)
boxes = st.builds(line, st.sampled_from(["a", "一二", "12.50", ""]), numbers, numbers, numbers, numbers)


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes, max_size=40), st.lists(st.tuples(numbers, numbers, numbers), max_size=12))
def test_each_line_is_in_exactly_one_block(
    lines: list[Line], sides: list[tuple[float, float, float]]
) -> None:
    rules = [Rule((a, at), (b, at)) for a, b, at in sides] + [Rule((at, a), (at, b)) for a, b, at in sides]
    blocks = blocks_of(PAGE, lines, rules)
    assert sorted(map(id, in_order(blocks))) == sorted(map(id, lines))
    for block in blocks:
        if block.table is not None:
            inside = [each for cell in block.table.cells for row in cell.rows for each in row]
            assert sorted(map(id, inside)) == sorted(map(id, block.lines))
            taken = [
                (r, c)
                for cell in block.table.cells
                for r in range(cell.row, cell.row + cell.row_span)
                for c in range(cell.column, cell.column + cell.column_span)
            ]
            assert len(taken) == len(set(taken))
            assert all(r < block.table.row_count and c < block.table.column_count for r, c in taken)


@pytest.mark.timeout(20)  # quadratic time would take minutes; linear time takes a second
@pytest.mark.timeout(90)  # with coverage, on a busy machine
def test_two_thousand_lines_take_no_time_to_speak_of() -> None:
    rng = random.Random(3)
    scattered = [
        line("x", rng.random() * 4000, rng.random() * 6000, 20 + rng.random() * 300) for _ in range(2000)
    ]
    grid = [line("x", 180 * c, 30 * r, 80) for r in range(100) for c in range(20)]
    shifted = [line("x", 400 * c + 131 * r % 350, 30 * r, 60) for r in range(400) for c in range(5)]
    for lines in (scattered, grid, shifted):
        assert sum(len(block.lines) for block in blocks_of(Page(1, 4000, 6000), lines)) == 2000


def test_raw_goes_by_the_upper_edge() -> None:
    low, high, right = line("low", 0, 50, 10), line("high", 30, 10, 10), line("right", 60, 50, 10)
    assert by_upper_edge([right, low, high]) == [high, low, right]
