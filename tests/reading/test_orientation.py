"""Pages any way up, columns, and single lines on their head, with the real detector and a real recogniser."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import drawings
import numpy as np
import pytest
from available import missing, model_name
from drawings import DrawnPage, Picture
from PIL import Image, ImageDraw

from ocrsvc.models.registry import Registry
from ocrsvc.pages.patches import Patches
from ocrsvc.pages.turns import Turn, turned
from ocrsvc.reading.orientation import Orientation, find_turn, surer
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document, LineText
from ocrsvc.settings import Settings

TURNS: tuple[Turn, ...] = (0, 90, 180, 270)
LINES = ("上海好又多超市", "收银小票 RECEIPT", "日期 2026-11-21 14:03", "谢谢惠顾 Thank you")
COLUMNS = ("国内生产总值同比增长", "百分之五城镇新增就业", "一千二百万人物价平稳")


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    settings = Settings(model=model_name(), workers=2)
    if settings.model not in Registry(settings).names():
        missing("no recogniser to read real text with: pip install --no-deps rapidocr, or train crnn")
    made = Reader(settings)
    await made.start(warm=False)
    yield made
    await made.close(5)


def without_spaces(text: str) -> str:
    return "".join(text.split())


def read_lines(document: Document) -> list[str]:
    return [without_spaces(line.text) for line in document.lines]


@pytest.mark.parametrize("turn", TURNS)
async def test_a_page_of_rows_is_read_any_way_up(
    reader: Reader, draw_page: Callable[..., DrawnPage], turn: Turn
) -> None:
    drawn = draw_page(LINES)
    given = turned(drawn.image, turn)
    document = await reader.read(drawings.encode(given))
    (page,) = document.pages
    assert page.orientation == (360 - turn) % 360
    assert (page.width, page.height) == (given.shape[1], given.shape[0])
    assert read_lines(document) == [without_spaces(line) for line in LINES]
    for line, (left, top, right, bottom) in zip(document.lines, drawn.boxes, strict=True):
        # The first half of a polygon is on the first half of the text, in pixels of the page as given.
        marks = np.zeros_like(drawn.image)
        marks[top:bottom, left : (left + right) // 2] = 255
        rows, columns = np.nonzero(turned(marks, turn)[:, :, 0])
        first, second, third, fourth = np.asarray(line.polygon)
        beginning = (3 * (first + fourth) + (second + third)) / 8
        assert np.linalg.norm(beginning - (columns.mean(), rows.mean())) < bottom - top


@pytest.mark.parametrize(("turn", "orientation"), [(0, 0), (90, 270), (180, 180), (270, 90)])
async def test_columns_are_read_from_the_right_any_way_up(
    reader: Reader, font_path: Path, turn: Turn, orientation: int
) -> None:
    given = turned(drawings.columns_image(font_path, COLUMNS), turn)
    document = await reader.read(drawings.encode(given))
    assert read_lines(document) == list(COLUMNS)
    assert document.pages[0].orientation == orientation


async def test_columns_beside_rows_come_before_them(
    reader: Reader, draw_page: Callable[..., DrawnPage], font_path: Path
) -> None:
    rows = draw_page(LINES * 2).image
    side = drawings.columns_image(font_path, ("购货单位盖章",))
    side = np.pad(side, ((0, rows.shape[0] - side.shape[0]), (0, 0), (0, 0)), mode="edge")
    document = await reader.read(drawings.encode(np.concatenate([side, rows], axis=1)))
    assert read_lines(document) == ["购货单位盖章", *(without_spaces(line) for line in LINES * 2)]


async def test_a_line_on_its_head_is_read_and_its_polygon_begins_where_its_text_does(
    reader: Reader, draw_page: Callable[..., DrawnPage]
) -> None:
    drawn = draw_page(LINES * 2)
    left, top, right, bottom = drawn.boxes[3]
    drawn.image[top:bottom, left:right] = drawn.image[top:bottom, left:right][::-1, ::-1].copy()
    document = await reader.read(drawings.encode(drawn.image))
    assert document.pages[0].orientation == 0
    assert read_lines(document) == [without_spaces(line) for line in LINES * 2]
    turned_line = document.lines[3].polygon
    assert turned_line[0][0] > turned_line[1][0], "the text begins at the right"


async def test_a_single_line_on_its_head_is_read(reader: Reader, draw_line: Callable[..., Picture]) -> None:
    picture = np.ascontiguousarray(draw_line("上海好又多超市")[::-1, ::-1])
    assert (await reader.read(drawings.encode(picture), ReadOptions(mode="line"))).text == "上海好又多超市"


async def test_each_page_of_a_document_has_its_own_way_up(
    reader: Reader, draw_page: Callable[..., DrawnPage]
) -> None:
    upright = draw_page(LINES).image
    first, *others = (Image.fromarray(turned(upright, turn)[:, :, ::-1]) for turn in TURNS)
    buffer = io.BytesIO()
    first.save(buffer, "PDF", save_all=True, append_images=others, resolution=200)
    document = await reader.read(buffer.getvalue())
    assert [page.orientation for page in document.pages] == [0, 270, 180, 90]
    assert read_lines(document) == [without_spaces(line) for line in LINES] * 4


async def test_a_given_orientation_is_not_doubted(
    reader: Reader, draw_page: Callable[..., DrawnPage]
) -> None:
    drawn = draw_page(LINES)
    lying = drawings.encode(turned(drawn.image, 90))
    document = await reader.read(lying, ReadOptions(orientation=270))
    assert document.pages[0].orientation == 270
    assert read_lines(document) == [without_spaces(line) for line in LINES]
    head_down = drawings.encode(turned(drawn.image, 180))
    document = await reader.read(head_down, ReadOptions(orientation=0))
    assert document.pages[0].orientation == 0
    assert read_lines(document) != [without_spaces(line) for line in LINES]


async def test_a_page_without_legible_text_stays_as_it_is(reader: Reader) -> None:
    grain = np.random.default_rng(3).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    picture = np.repeat(np.repeat(grain, 12, axis=0), 12, axis=1)
    document = await reader.read(drawings.encode(picture), ReadOptions(mode="page"))
    assert document.pages[0].orientation == 0


async def test_what_is_hardly_legible_turns_no_page() -> None:
    """A sign with one word: the other box is no text, whichever way up it is read."""
    word, scratch = np.zeros((30, 120, 3), np.uint8), np.zeros((30, 60, 3), np.uint8)

    async def read(lines: Sequence[Picture]) -> list[LineText]:
        return [
            LineText("GIORDANO", 0.95) if line.shape[1] == word.shape[1] else LineText("开打", 0.02)
            for line in lines
        ]

    assert (await find_turn(Patches((word, scratch), (), 1.0), read)).turn == 0


@pytest.mark.parametrize(
    ("given", "lying", "chosen"),
    [
        (Orientation(0, 0.2), Orientation(0, 0.9), Orientation(90, 0.9)),
        (Orientation(0, 0.2), Orientation(180, 0.9), Orientation(270, 0.9)),
        (Orientation(0, 0.2), Orientation(0, 0.4), Orientation(0, 0.2)),
        (Orientation(180, 0.45), Orientation(0, 0.5), Orientation(180, 0.45)),
    ],
)
def test_a_page_lies_on_its_side_only_if_it_then_reads_well(
    given: Orientation, lying: Orientation, chosen: Orientation
) -> None:
    assert surer(given, lying) == chosen


@pytest.mark.parametrize("words", ["出口", "上海", "Wi-Fi", "禁止停车"])
@pytest.mark.parametrize("turn", TURNS)
async def test_a_sign_of_one_word_is_read_any_way_up(
    reader: Reader, font_path: Path, words: str, turn: Turn
) -> None:
    """Lying, it may not be found at all; two characters in a row are no column."""
    drawn = Image.new("RGB", (900, 700), (120, 130, 125))
    ImageDraw.Draw(drawn).text((150, 250), words, font=drawings.load_font(font_path, 180), fill="white")
    given = turned(np.asarray(drawn)[:, :, ::-1], turn)
    document = await reader.read(drawings.encode(given), ReadOptions(mode="page"))
    assert (document.text, document.pages[0].orientation) == (words, (360 - turn) % 360)
