"""Tables without ruled lines: rows whose boxes stand below each other in columns, as on receipts and price lists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ocrsvc.documents.places import Grid, Place
from ocrsvc.pages.layout import Box

Row = list[Box]

_CELL_GAP = 0.3  # least gap between two cells of a row, in text heights; boxes are wider than their text
_SEPARATOR = 0.35  # least width of the white stripe between two columns, in text heights
_MOST_ROW_GAP = 2.5  # widest gap between two rows of a table, in text heights
_LEAST_ROWS = 3  # rows with two cells or more; with three columns, two are enough
_CROSSING_SHARE = 0.2  # most rows that may have a text across a separator: titles and totals
_ALIGNED = 0.7  # edges of a column deviate from their median by this at most, in text heights
_ALIGNED_SHARE = 0.6  # least share of the cells of a column that do not deviate
_MOST_SINGLES = 2  # rows with one cell only that may follow each other within a table
_PROSE_ASPECT = 14.0  # a cell that is wider than this, in heights, is a line of running text
_MOST_EDGES = 40  # of texts in a stripe that are looked at to find its freest part
_FEWEST_STEPS = 12  # parts of a run at which a table may begin; long runs without one would take seconds
_TIGHT = 0.6  # a gap between rows below this share of the widest is one between the lines of a cell


def find(rows: Sequence[Row], height: float) -> list[tuple[int, int, Grid]]:
    """Return the tables among rows in reading order: the first row, the one after the last, and the grid."""
    found = []
    start = 0
    while start < len(rows):
        end = _run_end(rows, start, height)
        if end - start >= 2:
            found += _tables(rows, start, end, height)
        start = max(end, start + 1)
    return found


def _run_end(rows: Sequence[Row], start: int, height: float) -> int:
    """Return the end of the run of rows that begins at ``start`` with one of several cells."""
    if len(_cells(rows[start], height)) < 2:
        return start
    end, singles = start + 1, 0
    left, right = rows[start][0].left, rows[start][-1].right
    for i in range(start + 1, len(rows)):
        gap = min(b.top for b in rows[i]) - max(b.bottom for b in rows[i - 1])
        row_left, row_right = rows[i][0].left, rows[i][-1].right
        beside = row_left > right or row_right < left
        if beside or gap > _MOST_ROW_GAP * height or gap < -1.0 * height:
            break
        if len(_cells(rows[i], height)) < 2:
            singles += 1
            if singles > _MOST_SINGLES:
                break
            continue
        singles = 0
        left, right = min(left, row_left), max(right, row_right)
        end = i + 1
    return end


def _tables(rows: Sequence[Row], start: int, end: int, height: float) -> list[tuple[int, int, Grid]]:
    """Return the tables of one run; if its rows have no columns in common, those of its longest parts."""
    while end - start >= 2:
        stop = end
        while stop - start >= 2:
            grid = _grid(rows[start:stop], height)
            if grid is not None:
                last = _with_wrapped(rows, start, stop, grid, height)
                if last != stop:
                    grid = _grid(rows[start:last], height) or grid
                    stop = last if len(grid.boxes) == sum(len(r) for r in rows[start:last]) else stop
                return [(start, stop, grid), *_tables(rows, stop, end, height)]
            stop = _shorter(rows, start, stop, height)
        start += max(1, (end - start) // _FEWEST_STEPS)
        while start < end and len(_cells(rows[start], height)) < 2:
            start += 1
    return []


def _shorter(rows: Sequence[Row], start: int, stop: int, height: float) -> int:
    """Return the end of the run without its last row of several cells; long runs lose a quarter at a time."""
    stop -= max(1, (stop - start) // 4)
    while stop > start and len(_cells(rows[stop - 1], height)) < 2:
        stop -= 1
    return stop


def _with_wrapped(rows: Sequence[Row], start: int, stop: int, grid: Grid, height: float) -> int:
    """Return the end of a table with the last line of its last row, if a cell there has two lines."""
    if stop >= len(rows) or stop - start < 2:
        return stop
    row = rows[stop]
    gap = min(b.top for b in row) - max(b.bottom for b in rows[stop - 1])
    gaps = [
        min(b.top for b in lower) - max(b.bottom for b in upper)
        for upper, lower in zip(rows[start:stop], rows[start + 1 : stop], strict=False)
    ]
    indented = row[0].left > rows[start][0].left + 2 * height and row[-1].right <= grid.right + height
    return stop + 1 if indented and 0.9 * _TIGHT * max(gaps) > gap > -height else stop


def _cells(row: Row, height: float, separators: Sequence[float] = ()) -> list[Row]:
    """Return the boxes of a row in groups, each of which is one cell; separators part what is close together."""
    groups: list[Row] = []
    for box in row:
        near = groups and box.left - groups[-1][-1].right < _CELL_GAP * height
        if near and _column(groups[-1][-1], separators) == _column(box, separators):
            groups[-1].append(box)
        else:
            groups.append([box])
    return groups


def _column(box: Box, separators: Sequence[float]) -> int:
    return sum(x <= (box.left + box.right) / 2 for x in separators)


def _grid(rows: Sequence[Row], height: float) -> Grid | None:
    """Return the table that these rows are, or None."""
    loose = [[[box] for box in row] for row in rows if len(row) >= 2]
    if not loose:
        return None
    separators = _separators(loose, height)
    cells = [_cells(row, height, separators) for row in rows]
    several = [row for row in cells if len(row) >= 2]
    columns = len(separators) + 1
    if columns < 2 or len(several) < (_LEAST_ROWS if columns == 2 else 2):
        return None
    if not _are_columns(several, separators, height):
        return None
    continued = _continued(rows, cells, separators)
    places: list[Place] = []
    number = -1
    for row, is_continued in zip(cells, continued, strict=True):
        number += not is_continued
        for cell in row:
            first, last = _reach(cell, separators)
            same = [p for p in places if p.row == number and p.column < last and p.column_end > first]
            if same:
                same[0].boxes += cell
                for other in same[1:]:
                    same[0].boxes += other.boxes
                    places.remove(other)
                same[0].column = min(first, *(p.column for p in same))
                same[0].column_end = max(last, *(p.column_end for p in same))
            else:
                places.append(Place(number, first, number + 1, last, list(cell)))
    boxes = [box for row in rows for box in row]
    return Grid(
        min(b.left for b in boxes),
        min(b.top for b in boxes),
        max(b.right for b in boxes),
        max(b.bottom for b in boxes),
        number + 1,
        columns,
        tuple(sorted(places, key=lambda p: (p.row, p.column))),
    )


def _separators(several: Sequence[Sequence[Row]], height: float) -> list[float]:
    """Return the x of the white stripes that run through nearly all of these rows."""
    spans = [(cell[0].left, cell[-1].right) for row in several for cell in row]
    most = int(_CROSSING_SHARE * len(several))
    events = sorted([(left, 1) for left, _ in spans] + [(right, -1) for _, right in spans])
    stripes: list[tuple[float, float]] = []
    depth, opened = 0, None
    left_edge, right_edge = min(left for left, _ in spans), max(right for _, right in spans)
    for x, step in events:
        depth += step
        if depth <= most and opened is None:
            opened = x
        elif depth > most and opened is not None:
            stripes.append((opened, x))
            opened = None
    separators = []
    for low, high in stripes:
        if low <= left_edge or high >= right_edge:
            continue
        # Texts that lie within a stripe are a column with few entries.
        within = sorted(span for span in spans if span[0] >= low + height and span[1] <= high - height)
        start = low
        for left, right in [*within, (high, high)]:
            if left - start >= _SEPARATOR * height:
                separators.append(_freest(spans, start, left))
            start = max(start, right)
    return separators


def _freest(spans: Sequence[tuple[float, float]], low: float, high: float) -> float:
    """Return the x in a stripe that the fewest texts cross, in the middle of the widest part of which this is true."""
    near = [span for span in spans if span[0] < high and span[1] > low]
    edges = sorted({low, high} | {x for span in near for x in span if low < x < high})
    edges = edges[:: 1 + len(edges) // _MOST_EDGES] + edges[-1:]
    parts = [
        (-sum(left <= a and right >= b for left, right in near), b - a, (a + b) / 2)
        for a, b in pairwise(edges)
    ]
    return max(parts)[2]


def _reach(cell: Row, separators: Sequence[float]) -> tuple[int, int]:
    """Return the first column of a cell and the one after its last."""
    left, right = cell[0].left, cell[-1].right
    first = sum(x <= left for x in separators)
    last = sum(x < right for x in separators)
    return first, max(first, last) + 1


def _are_columns(several: Sequence[Sequence[Row]], separators: Sequence[float], height: float) -> bool:
    """Return whether the cells line up, and are no lines of running text side by side."""
    columns: list[list[tuple[float, float]]] = [[] for _ in range(len(separators) + 1)]
    crossing = 0
    for row in several:
        for cell in row:
            first, last = _reach(cell, separators)
            crossing += last - first > 1
            if last - first == 1:
                columns[first].append((cell[0].left, cell[-1].right))
    aligned = prose = used = 0
    for spans in columns:
        if len(spans) < 2:
            continue
        used += 1
        edges = ([a for a, _ in spans], [b for _, b in spans], [(a + b) / 2 for a, b in spans])
        aligned += any(
            sum(abs(x - median(side)) <= _ALIGNED * height for x in side) >= _ALIGNED_SHARE * len(side)
            for side in edges
        )
        prose += median(b - a for a, b in spans) > _PROSE_ASPECT * height
    enough = used >= 2 and aligned >= max(2, 0.75 * used)
    return enough and prose < 2 and crossing <= max(1, 0.34 * len(several))


def _continued(
    rows: Sequence[Row], cells: Sequence[Sequence[Row]], separators: Sequence[float]
) -> list[bool]:
    """Return for each row whether it only goes on with cells of the row before.

    Its gap to that row is smaller than those between rows of the table, and it has no text in the first column.
    """
    gaps = [min(b.top for b in lower) - max(b.bottom for b in upper) for upper, lower in pairwise(rows)]
    pitches = [median(b.middle for b in row) for row in rows]
    steps = [b - a for a, b in pairwise(pitches)]
    result = [False]
    for i, (upper, lower) in enumerate(pairwise(cells)):
        before = {c for cell in upper for c in range(*_reach(cell, separators))}
        now = {c for cell in lower for c in range(*_reach(cell, separators))}
        tight = steps[i] <= 0.85 * max(steps) and gaps[i] < max(gaps)
        result.append(tight and 0 not in now and now <= before and len(lower) < max(2, len(upper)))
    return result
