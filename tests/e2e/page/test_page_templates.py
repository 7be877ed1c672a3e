"""Regions and templates: drawn on the picture, typed, saved for the command line and the API, applied to all files."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from e2e.page.ocr_page import READ_MS, AskApi, Draw, OcrPage
from openpyxl import load_workbook
from playwright.sync_api import expect

from ocrsvc.fields.region import parse_areas, parse_regions
from ocrsvc.fields.template import parse_template

pytestmark = pytest.mark.browser

FORM = ("收银小票 RECEIPT", "日期 2024-01-31", "合计 TOTAL 37.20", "谢谢惠顾 Thank you")
OTHER = ("收银小票 RECEIPT", "日期 2024-02-28", "合计 TOTAL 99.10", "谢谢惠顾 Thank you")
Box = tuple[float, float, float, float]


def line_box(ocr: OcrPage, index: int) -> Box:
    """Where a line is on the screen."""
    box = ocr.boxes.nth(index).bounding_box()
    assert box is not None
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def drag(ocr: OcrPage, box: Box, margin: float = 4) -> None:
    """Draw a box a little larger than this one, in pixels of the screen."""
    left, top, right, bottom = box
    ocr.page.mouse.move(left - margin, top - margin)
    ocr.page.mouse.down()
    ocr.page.mouse.move(right + margin, bottom + margin, steps=3)
    ocr.page.mouse.up()


def begin(ocr: OcrPage) -> None:
    ocr.page.click("#template")
    expect(ocr.page.locator("#template-apply")).to_be_disabled()


def describe(ocr: OcrPage, row: int, name: str, type_name: str) -> None:
    entry = ocr.page.locator(".area-list li").nth(row)
    entry.get_by_label("Name").fill(name)
    entry.get_by_label("Type").select_option(type_name)


def saved(ocr: OcrPage) -> tuple[str, Any]:
    name, content = ocr.download(["#template-save"])
    return name, json.loads(content)


def test_a_template_is_drawn_saved_and_read_in_all_files(
    ocr: OcrPage, receipt: Draw, ask_api: AskApi
) -> None:
    files = [receipt("one.png", FORM), receipt("two.png", OTHER), receipt("no form.png", ("Something else",))]
    ocr.read(*files)
    begin(ocr)
    boxes = [line_box(ocr, index) for index in range(4)]
    drag(ocr, boxes[1])
    drag(ocr, boxes[2])
    describe(ocr, 0, "date", "date")
    describe(ocr, 1, "total", "amount")
    ocr.page.get_by_label("Anchor", exact=True).check()
    for index in (0, 3):  # a click takes the line
        left, top, right, bottom = boxes[index]
        ocr.page.mouse.click((left + right) / 2, (top + bottom) / 2)
    name, written = saved(ocr)
    assert name == "one.template.json"
    template = parse_template(json.dumps(written))
    assert [(region.name, region.type) for region in template.regions] == [
        ("date", "date"),
        ("total", "amount"),
    ]
    assert [anchor.text for anchor in template.anchors] == [ocr.texts()[0], ocr.texts()[3]]
    api = ask_api(files[1], template=json.dumps(written)).json()
    assert [field["value"] for field in api["fields"]] == ["2024-02-28", "99.10"]

    ocr.page.click("#template-apply")
    ready = ocr.page.locator(".values [data-save='.xlsx']:not(:disabled)")
    expect(ready).to_be_visible(timeout=READ_MS)
    rows = ocr.page.locator(".values tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0).locator("td").nth(1)).to_contain_text("2024-01-31")
    expect(rows.nth(1).locator("td").nth(2)).to_contain_text("99.10")
    expect(rows.nth(2)).to_contain_text("does not match the template")
    _, workbook = ocr.download([".values [data-save='.xlsx']"])
    sheet = load_workbook(io.BytesIO(workbook)).worksheets[0]
    cells = [[cell.value for cell in row] for row in sheet]
    assert cells[0] == ["file", "page", "date", "date_valid", "total", "total_valid", "error"]
    assert [row[:3] + row[4:5] for row in cells[1:3]] == [
        ["one.png", "1", "2024-01-31", "37.20"],
        ["two.png", "1", "2024-02-28", "99.10"],
    ]
    _, table = ocr.download([".values [data-save='.csv']"])
    assert table.decode("utf-8-sig").splitlines()[0] == ",".join(map(str, cells[0]))
    rows.nth(1).get_by_role("button").click()
    expect(ocr.page.locator("#file-name")).to_have_text("two.png")
    expect(ocr.page.locator(".area")).to_have_count(4)  # the areas lie on this picture, too


def test_regions_without_anchors_are_what_the_api_takes(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt("one.png", FORM))
    begin(ocr)
    drag(ocr, line_box(ocr, 2))
    ocr.page.get_by_label("Ignore", exact=True).check()
    drag(ocr, line_box(ocr, 3))
    written = saved(ocr)[1]
    (region,) = parse_regions(json.dumps(written["regions"]))
    (ignored,) = parse_areas(json.dumps(written["ignore"]))
    assert region.name == "field1"
    assert region.box is not None
    assert ignored.box is not None
    assert region.box[3] < ignored.box[1]
    ocr.page.click("#template-apply")
    expect(ocr.page.locator(".values tbody td").nth(1)).to_contain_text("37.20", timeout=READ_MS)


def test_areas_are_moved_and_removed_with_the_keyboard_and_kept(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt("one.png", FORM))
    ocr.rows.nth(2).click()
    begin(ocr)
    ocr.page.click("#template-add")  # around the chosen line
    area = ocr.page.locator(".area")
    area.focus()
    before = saved(ocr)[1]["regions"][0]["box"]
    area.focus()
    ocr.key("ArrowDown", "ArrowDown", "Shift+ArrowRight")
    after = saved(ocr)[1]["regions"][0]["box"]
    assert after[1] > before[1]
    assert after[0] == before[0]
    assert after[2] > before[2]
    ocr.page.reload()
    ocr.page.click("#template")
    assert saved(ocr)[1]["regions"][0]["box"] == after
    ocr.page.locator(".area").focus()
    ocr.key("Delete")
    expect(ocr.page.locator(".area-list li")).to_have_count(0)
    expect(ocr.page.locator("#template-save")).to_be_disabled()


def test_files_of_templates_are_opened(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt("one.png", FORM))
    begin(ocr)
    template = {
        "page": {"width": 200, "height": 100},
        "anchors": [{"text": "收银小票", "box": [20, 10, 60, 30], "unit": "pixel", "similarity": 0.6}],
        "regions": [{"name": "sum", "box": [0.1, 0.5, 0.9, 0.7], "charset": "digits"}],
        "least_anchors": 1,
    }
    chooser = ocr.page.locator("#template-panel input[type=file]")

    def give(content: bytes) -> None:
        chooser.set_input_files({"name": "t.json", "mimeType": "application/json", "buffer": content})

    give(b"no JSON")
    expect(ocr.page.locator("#toast")).to_have_text("t.json is no template")
    give(json.dumps(template).encode())
    expect(ocr.page.locator(".area")).to_have_count(2)
    written = saved(ocr)[1]
    assert written["anchors"] == [{"text": "收银小票", "similarity": 0.6, "box": [0.1, 0.1, 0.3, 0.3]}]
    assert written["regions"] == [{"name": "sum", "charset": "digits", "box": [0.1, 0.5, 0.9, 0.7]}]
    assert written["least_anchors"] == 1
    parse_template(json.dumps(written))
