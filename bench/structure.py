"""Whether the structure of pages is found: cells of drawn tables, reading order of drawn pages, and what it costs.

    python bench/structure.py --model crnn --seed 2 --count 50

``place``: share of cells found at their row and column with their spans and about their text; ``text``: with exactly
their text (``ocrsvc.text.fold``); ``tables``: share of tables with all cells in place; ``xlsx``: share of cells that
have their text and their merged range in the workbook, opened again with openpyxl. ``order``: share of neighbouring
lines of a page that are read one after the other. Times are of the structure alone, on a thread of this process.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

import cv2
import drawn_tables
import harness
from drawn_tables import DrawnOrder, DrawnTable, TruthCell
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from ocrsvc.documents import page_structure, rules
from ocrsvc.formats import render
from ocrsvc.formats.reflow import cell_text
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document
from ocrsvc.settings import Settings
from ocrsvc.text import fold

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
_ALIKE = 0.6  # similarity of the right cell's text with what was read


def main() -> None:
    parser = harness.parser(__doc__, "structure", model=True)
    parser.add_argument("--seed", type=int, default=1, help="1 for deciding, 2 for reporting (default: 1)")
    parser.add_argument("--count", type=harness.positive, default=50, metavar="N", help="tables of each kind")
    parser.add_argument("--font", default=FONT, metavar="FILE", help="a font with Chinese characters")
    options = parser.parse_args()
    document = harness.head(options)
    figures = asyncio.run(measure(options.model, options.seed, options.count, options.font))
    harness.finish(options, document | figures, parts(figures))


async def measure(model: str, seed: int, count: int, font: str) -> dict[str, Any]:
    """Read all drawn tables and pages; return the scores of each kind and the milliseconds of the structure."""
    reader = Reader(Settings(model=model, deadline_seconds=3600, max_queue_seconds=3600))
    await reader.start(warm=False)
    tables: dict[str, list[dict[str, float]]] = defaultdict(list)
    orders: dict[str, list[float]] = defaultdict(list)
    spent: list[float] = []
    for kind in drawn_tables.KINDS:
        for i in range(count):
            harness.tell(f"{kind} {i + 1}")
            drawn = drawn_tables.table(kind, seed * 10_000 + i, font)
            read = await _read(reader, drawn)
            rates = rate_table(drawn.cells, read)
            tables[kind].append(rates | {"xlsx": rate_workbook(drawn.cells, render("xlsx", read))})
    for page_kind in drawn_tables.PAGE_KINDS:
        for i in range(max(1, count // 10)):
            harness.tell(f"{page_kind} {i + 1}")
            page = drawn_tables.page(page_kind, seed * 10_000 + i, font)
            read = await _read(reader, page)
            orders[page_kind].append(rate_order(page.lines, read))
            spent.append(cost_ms(page, read))
    await reader.close(5)
    return {
        "tables": {
            kind: {
                "cells": sum(round(each["cells"]) for each in found),
                **{
                    name: round(sum(e[name] * e["cells"] for e in found) / sum(e["cells"] for e in found), 4)
                    for name in ("place", "text", "xlsx")
                },
                "tables": round(sum(each["place"] == 1 for each in found) / len(found), 4),
            }
            for kind, found in tables.items()
        },
        "order": {kind: round(statistics.mean(values), 4) for kind, values in orders.items()},
        "structure_ms": round(statistics.median(spent), 2),
    }


async def _read(reader: Reader, drawn: DrawnTable | DrawnOrder) -> Document:
    data = cv2.imencode(".png", drawn.picture)[1].tobytes()
    return await reader.read(data, ReadOptions(mode="page", layout="tables"))


def rate_table(truth: Sequence[TruthCell], read: Document) -> dict[str, float]:
    """Return the number of cells and the shares of them in their place, and with their text, in the best table."""
    best = {"cells": float(len(truth)), "place": 0.0, "text": 0.0}
    for block in read.blocks:
        if block.table is None:
            continue
        found = {(c.row, c.column, c.row_span, c.column_span): fold(cell_text(c)) for c in block.table.cells}
        placed = exact = 0
        for cell in truth:
            said = found.get((cell.row, cell.column, cell.row_span, cell.column_span), "")
            exact += said == fold(cell.text)
            placed += SequenceMatcher(None, said, fold(cell.text)).ratio() >= _ALIKE
        if placed / len(truth) > best["place"]:
            best |= {"place": placed / len(truth), "text": exact / len(truth)}
    return best


def rate_workbook(truth: Sequence[TruthCell], data: bytes) -> float:
    """Return the share of cells that the best sheet of a workbook has at their place, merged as they span."""
    book = load_workbook(io.BytesIO(data))
    return max(_placed(truth, sheet) for sheet in book.worksheets) / len(truth)


def _placed(truth: Sequence[TruthCell], sheet: Worksheet) -> int:
    merged = {(each.min_row, each.min_col): each for each in sheet.merged_cells.ranges}
    right = 0
    for cell in truth:
        area = merged.get((cell.row + 1, cell.column + 1))
        span = (area.size["rows"], area.size["columns"]) if area else (1, 1)
        said = _shown(sheet.cell(cell.row + 1, cell.column + 1))
        right += span == (cell.row_span, cell.column_span) and fold(said) == fold(cell.text)
    return right


def _shown(cell: Any) -> str:
    """Return what a spreadsheet shows in a cell, for the formats of numbers that ``xlsx`` has."""
    if not isinstance(cell.value, int | float):
        return str(cell.value or "")
    whole, _, decimals = cell.number_format.partition(".")
    return f"{cell.value:{',' if ',' in whole else ''}.{len(decimals)}f}"


def rate_order(truth: Sequence[str], read: Document) -> float:
    """Return the share of neighbouring lines of the truth that are read one right after the other."""
    said = [fold(line.text) for line in read.lines]
    places: list[int] = []
    free = set(range(len(said)))
    for text in truth:
        wanted = fold(text)
        near = max(free, key=lambda i: SequenceMatcher(None, said[i], wanted).ratio(), default=-1)
        places.append(near)
        free.discard(near)
    pairs = list(pairwise(places))
    return sum(b == a + 1 for a, b in pairs) / max(1, len(pairs))


def cost_ms(drawn: DrawnOrder, read: Document) -> float:
    """Return the time of finding the rules and the blocks of a page in milliseconds, the least of five runs."""
    polygons = [line.polygon for line in read.lines]
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        found = rules.find(drawn.picture, polygons)
        page_structure.blocks_of(read.pages[0], read.lines, found)
        times.append((time.perf_counter() - begun) * 1000)
    return min(times)


def parts(figures: dict[str, Any]) -> list[harness.Part]:
    """Return the tables: cells by kind of table, order by kind of page, and the cost."""
    cells = [["tables", "cells", "in place", "text right", "right in XLSX", "whole tables"]]
    cells += [
        [
            kind,
            str(e["cells"]),
            f"{e['place']:.4f}",
            f"{e['text']:.4f}",
            f"{e['xlsx']:.4f}",
            f"{e['tables']:.4f}",
        ]
        for kind, e in figures["tables"].items()
    ]
    order = [["pages", "order"]] + [[kind, f"{value:.4f}"] for kind, value in figures["order"].items()]
    return [cells, order, f"the structure takes {figures['structure_ms']} ms a page (median)"]


if __name__ == "__main__":
    main()
