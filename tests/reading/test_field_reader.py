"""Regions of pages, read by a tiny recogniser of grey stripes and the real detector."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_model
from PIL import Image

from ocrsvc.fields.region import Area, Region
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document, Field
from ocrsvc.settings import Settings

LEFT = (0.0, 0.0, 0.499, 1.0)  # the middle of the picture is not in it


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    tiny_model.write_with_detector(tmp_path)
    made = Reader(Settings(model="tiny", models_dir=tmp_path, workers=2, detector_side_pixels=320))
    await made.start(warm=False)
    yield made
    await made.close(5)


def png(text: str) -> bytes:
    return cv2.imencode(".png", tiny_model.draw(text))[1].tobytes()


def tiff(*texts: str) -> bytes:
    first, *others = (Image.fromarray(tiny_model.draw(text)) for text in texts)
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


async def fields(reader: Reader, data: bytes, *regions: Region, mode: str = "line") -> list[Field]:
    options = ReadOptions(mode="line" if mode == "line" else "page", regions=regions)
    return list((await reader.read(data, options)).fields)


def codes(found: list[Field]) -> list[str | None]:
    return [each.error.code if each.error else None for each in found]


async def test_a_region_has_the_lines_whose_centres_lie_in_it(reader: Reader) -> None:
    (whole,) = await fields(reader, png("12AB"), Region(box=(0, 0, 1, 1), name="whole"))
    assert (whole.text, whole.value, whole.valid, whole.margin) == ("12AB", "12AB", None, None)
    assert whole.polygon == ((0, 0), (64, 0), (64, 48), (0, 48))
    assert whole.confidence > 0.9


async def test_a_region_without_a_line_is_read_itself(reader: Reader) -> None:
    left, right = await fields(
        reader,
        png("123456789AB12345"),
        Region(box=LEFT, name="left"),
        Region(box=(128.1, 0, 256, 48), unit="pixel", name="right"),
    )
    assert (left.text, right.text) == ("12345678", "9AB12345")


async def test_a_charset_reads_the_line_again(reader: Reader) -> None:
    digits, letters = await fields(
        reader,
        png("9999"),
        Region(box=(0, 0, 1, 1), name="digits", charset="digits"),
        Region(box=(0, 0, 1, 1), name="letters", charset="chars:AB"),
    )
    assert (digits.text, letters.text) == ("9999", "AAAA")


async def test_a_type_gives_a_value_in_normal_form(reader: Reader) -> None:
    date, phone = await fields(
        reader,
        png("20240131"),
        Region(box=(0, 0, 1, 1), name="date", type="date"),
        Region(box=(0, 0, 1, 1), name="phone", type="phone"),
    )
    assert (date.text, date.value, date.changed_from) == ("20240131", "2024-01-31", None)
    assert date.margin is not None
    assert (phone.value, phone.valid, codes([phone])) == (None, False, ["no-value"])


async def test_one_region_does_not_spoil_the_others(reader: Reader) -> None:
    found = await fields(
        reader,
        png("12"),
        Region(box=(0, 0, 1, 1), name="good"),
        Region(box=(2, 0, 3, 1), name="outside"),
        Region(box=(0, 0, 0.01, 1), name="thin"),
        Region(box=(0, 0, 1, 1), name="unwritable", charset="european"),
        Region(box=(0, 0, 1, 1), name="later", page=3),
    )
    by_name = {each.name: each for each in found}
    assert by_name["good"].value == "12"
    assert codes([by_name[name] for name in ("outside", "thin", "unwritable", "later")]) == [
        "outside-page",
        "outside-page",
        "bad-charset",
        "page-not-read",
    ]


async def test_regions_belong_to_pages(reader: Reader) -> None:
    data = tiff("11", "22", "33")
    options = ReadOptions(
        mode="line",
        pages="2-3",
        regions=(
            Region(box=(0, 0, 1, 1), name="all"),
            Region(box=(0, 0, 1, 1), name="third", page=3),
            Region(box=(0, 0, 1, 1), name="first", page=1),
        ),
    )
    found = (await reader.read(data, options)).fields
    assert [(each.name, each.page, each.value) for each in found] == [
        ("first", 1, None),
        ("all", 2, "22"),
        ("all", 3, "33"),
        ("third", 3, "33"),
    ]
    async with reader.stream(data, options) as stream:
        pages = [page.document async for page in stream.pages()]
    streamed = [field for page in pages if page for field in page.fields]
    assert tuple(streamed) == found


async def test_a_turned_page_has_its_regions_where_they_are_upright(reader: Reader) -> None:
    lying = np.ascontiguousarray(np.rot90(tiny_model.draw("123456789AB12345")))  # anticlockwise
    data = cv2.imencode(".png", lying)[1].tobytes()
    options = ReadOptions(mode="line", orientation=90, regions=(Region(box=LEFT, name="left"),))
    (left,) = (await reader.read(data, options)).fields
    assert left.text == "12345678"
    assert [round(y) for _, y in left.polygon] == [256, 128, 128, 256]
    assert [x for x, _ in left.polygon] == [0, 0, 48, 48]


async def test_lines_in_ignored_areas_are_left_out(reader: Reader) -> None:
    async def read(*areas: Area) -> Document:
        return await reader.read(tiff("11", "22"), ReadOptions(mode="line", ignore=areas))

    assert (await read()).text == "11\n22"
    assert (await read(Area(box=(0.2, 0.2, 0.8, 0.8), page=2))).text == "11"
    assert (await read(Area(box=LEFT))).text == "11\n22"


async def test_without_regions_there_are_no_fields(reader: Reader) -> None:
    assert (await reader.read(png("12"), ReadOptions(mode="line"))).fields == ()
