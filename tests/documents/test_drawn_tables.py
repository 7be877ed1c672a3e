"""The whole way for a few drawn tables and pages, with the models that are shipped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import drawn_tables
import pytest
import structure
from available import model_name
from drawn_tables import KINDS, DrawnOrder, DrawnTable, Kind

from ocrsvc.formats import render
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document, Layout
from ocrsvc.settings import Settings

SEED = 3_000
LEAST: dict[Kind, float] = {"ruled": 0.9, "unruled": 0.8, "spans": 0.9}


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    made = Reader(Settings(model=model_name(), deadline_seconds=600, max_queue_seconds=600))
    await made.start(warm=False)
    yield made
    await made.close(5)


async def read(reader: Reader, drawn: DrawnTable | DrawnOrder, layout: Layout) -> Document:
    data = cv2.imencode(".png", drawn.picture)[1].tobytes()
    return await reader.read(data, ReadOptions(mode="page", layout=layout))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", KINDS)
async def test_cells_of_a_drawn_table_are_in_their_places(
    reader: Reader, kind: Kind, font_path: Path
) -> None:
    drawn = drawn_tables.table(kind, SEED, str(font_path))
    document = await read(reader, drawn, "tables")
    rates = structure.rate_table(drawn.cells, document)
    assert rates["place"] >= LEAST[kind]
    # Each cell whose text is right is so in the workbook, in the same place and merged in the same way.
    assert structure.rate_workbook(drawn.cells, render("xlsx", document)) == pytest.approx(rates["text"])


@pytest.mark.timeout(180)
async def test_layouts_agree_on_the_lines(reader: Reader, font_path: Path) -> None:
    drawn = drawn_tables.page("two columns", SEED, str(font_path))
    plain, laid_out, raw = [await read(reader, drawn, each) for each in ("lines", "paragraphs", "raw")]
    assert not plain.blocks
    assert not raw.blocks
    assert sorted(line.text for line in plain.lines) == sorted(line.text for line in laid_out.lines)
    assert sorted(line.text for line in plain.lines) == sorted(line.text for line in raw.lines)
    assert structure.rate_order(drawn.lines, laid_out) >= 0.9
    assert render("text", laid_out).decode().count("\n\n") == len(laid_out.blocks) - 1
