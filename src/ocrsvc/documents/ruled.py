"""Tables whose cells are separated by ruled lines: rules that meet make a grid, missing rules make spans."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ocrsvc.documents.frame import Frame, Straight
from ocrsvc.documents.places import Grid, Place
from ocrsvc.pages.layout import Box, rows

_TOUCH = 0.6  # distance in text heights within which two rules meet, or are one double rule
_BORDER_SHARE = 0.5  # least share of the side of a cell that its rule covers
_STROKE_SHARE = 0.5  # a rule that ends in a text, and lies in texts by more, is a stroke of a character
_LEAST_FILLED_SHARE = 0.12  # of cells with text; a diagram has grid lines and few labels
_MOST_LINES_PER_CELL = 12  # on average over cells with text: frames around columns of text are no table
_MOST_CELLS = 5000  # of one grid; a page of squared paper has more
_UNRULED_ROWS = 3  # least number of rows of text between two rules that may be rows of the table
_UNRULED_SHARE = 0.75  # least share of these that have text in a column, for two columns at least


def find(frame: Frame) -> list[Grid]:
    """Return the ruled tables of a page, none within another; every box is in one of them at most."""
    free = {box.index: box for box in frame.boxes}
    grids = []
    for across, down in _groups(frame.across, frame.down, _TOUCH * frame.height):
        grid = _grid(across, down, list(free.values()), frame.height)
        if grid is not None:
            grids.append(grid)
            for box in grid.boxes:
                del free[box.index]
    return grids


def _groups(
    across: Sequence[Straight], down: Sequence[Straight], touch: float
) -> list[tuple[list[Straight], list[Straight]]]:
    """Return sets of rules that meet, directly or through others; the largest set first."""
    if not across or not down:
        return []
    flat = np.array([(r.at, r.start, r.end) for r in across])
    steep = np.array([(r.at, r.start, r.end) for r in down])
    meets = (
        (steep[None, :, 0] >= flat[:, None, 1] - touch)
        & (steep[None, :, 0] <= flat[:, None, 2] + touch)
        & (flat[:, None, 0] >= steep[None, :, 1] - touch)
        & (flat[:, None, 0] <= steep[None, :, 2] + touch)
    )
    groups = []
    left = set(range(len(down)))
    while left:
        flats, steeps = np.zeros(len(across), bool), np.zeros(len(down), bool)
        steeps[min(left)] = True
        while True:
            flats = np.asarray(meets[:, steeps].any(axis=1))
            more = np.asarray(meets[flats].any(axis=0) | steeps)
            if (more == steeps).all():
                break
            steeps = more
        left -= set(np.flatnonzero(steeps).tolist())
        if flats.any():
            groups.append(
                (
                    [across[i] for i in np.flatnonzero(flats).tolist()],
                    [down[i] for i in np.flatnonzero(steeps).tolist()],
                )
            )
    return sorted(groups, key=lambda group: -sum(r.end - r.start for r in group[0]))


def _grid(
    across: Sequence[Straight], down: Sequence[Straight], boxes: Sequence[Box], height: float
) -> Grid | None:
    touch = _TOUCH * height
    flipped = [Box(box.index, box.top, box.left, box.bottom, box.right) for box in boxes]
    down = [cut for rule in down if (cut := _without_strokes(rule, across, boxes, touch))]
    across = [cut for rule in across if (cut := _without_strokes(rule, down, flipped, touch))]
    if not down or not across:
        return None
    # A table may have no rule at its sides, or none at its top: there it ends where its other rules end.
    ys = _places([r.at for r in across], [min(r.start for r in down), max(r.end for r in down)], touch)
    xs = _places([r.at for r in down], [min(r.start for r in across), max(r.end for r in across)], touch)
    if (len(ys) - 1) * (len(xs) - 1) > _MOST_CELLS:
        return None
    inside = [
        box for box in boxes if xs[0] < (box.left + box.right) / 2 < xs[-1] and ys[0] < box.middle < ys[-1]
    ]
    xs = _supported(down, xs, ys, touch)
    ys = _supported(across, ys, xs, touch, inside)
    ys = _split_rows(ys, xs, inside, down, height)
    if (len(ys) - 1) * (len(xs) - 1) < 2 or len(inside) < 2:
        return None
    below = _borders(across, ys, xs, touch, inside)
    beside = _borders(down, xs, ys, touch)
    places = _merged(below, beside, len(ys) - 1, len(xs) - 1, _virtual(across, ys, touch))
    owner = {
        (r, c): p for p in places for r in range(p.row, p.row_end) for c in range(p.column, p.column_end)
    }
    for box in inside:
        row = int(np.searchsorted(ys, box.middle)) - 1
        column = int(np.searchsorted(xs, (box.left + box.right) / 2)) - 1
        owner[row, column].boxes.append(box)
    filled = sum(bool(place.boxes) for place in places)
    if filled < 2 or filled < _LEAST_FILLED_SHARE * len(places):
        return None
    if len(inside) > _MOST_LINES_PER_CELL * filled:
        return None
    return Grid(xs[0], ys[0], xs[-1], ys[-1], len(ys) - 1, len(xs) - 1, tuple(places))


def _without_strokes(
    rule: Straight, others: Sequence[Straight], boxes: Sequence[Box], touch: float
) -> Straight | None:
    """Return an upright rule, cut off at the rules that it meets where it ends within a text: None if little is left.

    Strokes of characters that touch a rule look like parts of one.
    """
    crossed = [box for box in boxes if box.left - 0.1 * touch < rule.at < box.right + 0.1 * touch]
    met = [o.at for o in others if o.start - touch <= rule.at <= o.end + touch]
    met = [at for at in met if rule.start - touch <= at <= rule.end + touch]
    ends = [rule.start, rule.end]
    for i, end in enumerate(ends):
        near = min((abs(end - at) for at in met), default=touch)
        if near > 0.5 * touch and any(b.top - 0.3 * touch < end < b.bottom + 0.3 * touch for b in crossed):
            inner = [at for at in met if rule.start < at < rule.end]
            ends[i] = (min(inner) if i == 0 else max(inner)) if inner else end
    if ends == [rule.start, rule.end]:
        return rule if met or not crossed else None
    covered = sum(max(0.0, min(b.bottom, ends[1]) - max(b.top, ends[0])) for b in crossed)
    if ends[1] - ends[0] <= touch or covered > _STROKE_SHARE * (ends[1] - ends[0]):
        return None
    return Straight(rule.at, ends[0], ends[1])


def _places(found: Sequence[float], ends: Sequence[float], touch: float) -> list[float]:
    """Return where rules are, each once, with the ends of the others where no rule is near."""
    groups: list[list[float]] = []
    for at in sorted(found):
        if groups and at - groups[-1][-1] <= touch and at - groups[-1][0] <= 1.5 * touch:
            groups[-1].append(at)
        else:
            groups.append([at])
    places = [sum(group) / len(group) for group in groups]
    if ends[0] < places[0] - 1.5 * touch:
        places.insert(0, ends[0])
    if ends[1] > places[-1] + 1.5 * touch:
        places.append(ends[1])
    return places


def _borders(
    rules: Sequence[Straight],
    at: Sequence[float],
    others: Sequence[float],
    touch: float,
    texts: Sequence[Box] = (),
) -> list[list[bool]]:
    """Return for each inner place of ``at`` whether rules cover the stretches between ``others``.

    What lies in the boxes of ``texts`` does not count, because no rule is looked for there.
    """
    borders = []
    for place in at[1:-1]:
        near = [r for r in rules if abs(r.at - place) <= 1.5 * touch]
        over = [b for b in texts if b.top < place < b.bottom]
        covered = []
        for low, high in pairwise(others):
            reach = sum(max(0.0, min(r.end, high) - max(r.start, low)) for r in near)
            hidden = sum(max(0.0, min(b.right, high) - max(b.left, low)) for b in over)
            seen = max(high - low - hidden, 0.25 * (high - low))
            covered.append(reach >= _BORDER_SHARE * seen)
        borders.append(covered)
    return borders


def _supported(
    rules: Sequence[Straight],
    at: list[float],
    others: Sequence[float],
    touch: float,
    texts: Sequence[Box] = (),
) -> list[float]:
    """Return the places at which a rule covers the side of at least one cell."""
    borders = _borders(rules, at, others, touch, texts)
    return [at[0], *(place for place, covered in zip(at[1:-1], borders, strict=True) if any(covered)), at[-1]]


def _virtual(across: Sequence[Straight], ys: Sequence[float], touch: float) -> set[int]:
    """Return the inner places that have no rule at all: they come from the rows of the text."""
    return {i for i, y in enumerate(ys[1:-1]) if not any(abs(rule.at - y) <= 1.5 * touch for rule in across)}


def _merged(
    below: Sequence[Sequence[bool]],
    beside: Sequence[Sequence[bool]],
    row_count: int,
    column_count: int,
    virtual: set[int],
) -> list[Place]:
    """Return the cells: places of the grid without a rule between them, extended to rectangles."""
    owner = [[r * column_count + c for c in range(column_count)] for r in range(row_count)]
    places = {
        r * column_count + c: Place(r, c, r + 1, c + 1) for r in range(row_count) for c in range(column_count)
    }

    def join(first: int, second: int) -> None:
        waiting = {first, second}
        while len(waiting) > 1:
            chosen = [places[i] for i in waiting]
            hull = Place(
                min(p.row for p in chosen),
                min(p.column for p in chosen),
                max(p.row_end for p in chosen),
                max(p.column_end for p in chosen),
            )
            # What the rectangle touches belongs to it as well, and may extend it.
            touched = {
                owner[r][c]
                for r in range(hull.row, hull.row_end)
                for c in range(hull.column, hull.column_end)
            }
            if touched <= waiting:
                key = min(waiting)
                for other in waiting - {key}:
                    del places[other]
                places[key] = hull
                for r in range(hull.row, hull.row_end):
                    owner[r][hull.column : hull.column_end] = [key] * (hull.column_end - hull.column)
                return
            waiting |= touched

    for r in range(row_count - 1):
        for c in range(column_count):
            if r not in virtual and not below[r][c]:
                join(owner[r][c], owner[r + 1][c])
    for c in range(column_count - 1):
        for r in range(row_count):
            if not beside[c][r]:
                join(owner[r][c], owner[r][c + 1])
    return sorted(places.values(), key=lambda p: (p.row, p.column))


def _split_rows(
    ys: list[float], xs: list[float], inside: Sequence[Box], down: Sequence[Straight], height: float
) -> list[float]:
    """Return ``ys`` with places between rows of text where a table has rules between its columns only."""
    result = [ys[0]]
    for top, bottom in pairwise(ys):
        band = rows([box for box in inside if top < box.middle < bottom])
        columns: list[set[int]] = [set() for _ in xs]
        for i, row in enumerate(band):
            for box in row:
                columns[int(np.searchsorted(xs, (box.left + box.right) / 2))].add(i)
        full = sum(len(each) >= _UNRULED_SHARE * len(band) for each in columns)
        inner = [r for r in down if r.start < top + height and r.end > bottom - height]
        if len(band) >= _UNRULED_ROWS and full >= 2 and len(inner) >= 1 and _is_regular(band, columns):
            for upper, lower in pairwise(band):
                result.append((max(b.bottom for b in upper) + min(b.top for b in lower)) / 2)
        result.append(bottom)
    return result


def _is_regular(band: Sequence[Sequence[Box]], columns: Sequence[set[int]]) -> bool:
    """Return whether rows of text in one band are rows of a table rather than the lines of tall cells.

    Lines of a cell have no reason to be as many in two columns, unless the first columns have a text on every row.
    """
    used = [each for each in columns if each]
    return len(used) >= 2 and all(len(each) >= _UNRULED_SHARE * len(band) for each in used[:1] + used[-1:])
