"""A picture is read: its text, its boxes, how they belong together, what is doubtful, what is corrected."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import drawings
import httpx
import pytest
from e2e.page.ocr_page import READ_MS, AskApi, Draw, OcrPage, OpenPage
from PIL import Image
from playwright.sync_api import FilePayload, Route, expect

pytestmark = pytest.mark.browser

HOVERED, SELECTED = re.compile(r"\bhovered\b"), re.compile(r"\bselected\b")


def center(box: Any) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_upload_shows_what_the_service_reads(ocr: OcrPage, receipt: Draw, ask_api: AskApi) -> None:
    ocr.read(receipt())
    answer = ask_api(receipt()).json()
    assert ocr.texts() == [line["text"] for line in answer["lines"]]
    assert ocr.polygons() == [line["polygon"] for line in answer["lines"]]
    assert "TOTAL" in "".join(ocr.texts())
    shown = ocr.page.locator(".row .sure").all_text_contents()
    assert shown == [str(int(line["confidence"] * 100 + 1e-6)) for line in answer["lines"]]
    expect(ocr.page.locator("#facts")).to_contain_text(answer["model"]["name"])


def test_boxes_lie_on_the_lines_of_the_picture(ocr: OcrPage, font_path: Path) -> None:
    drawn = drawings.page_image(font_path, ("第一行 First line", "第二行 Second line"), size=30, width=460)
    ocr.read({"name": "two.png", "mimeType": "image/png", "buffer": drawings.encode(drawn.image)})
    image = ocr.page.locator(".sheet img").bounding_box()
    assert image is not None
    assert len(drawn.boxes) == ocr.boxes.count()
    for index, (left, top, right, bottom) in enumerate(drawn.boxes):
        box = ocr.boxes.nth(index).bounding_box()
        assert box is not None
        scale = image["width"] / drawn.image.shape[1]
        x, y = image["x"] + (left + right) / 2 * scale, image["y"] + (top + bottom) / 2 * scale
        assert box["x"] < x < box["x"] + box["width"]
        assert box["y"] < y < box["y"] + box["height"]
        assert box["width"] == pytest.approx((right - left) * scale, rel=0.2)


def test_boxes_follow_a_picture_turned_by_exif(ocr: OcrPage, receipt: Draw) -> None:
    upright = Image.open(BytesIO(receipt()["buffer"]))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees, as phones write it
    lying = BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(lying, "JPEG", quality=95, exif=exif)
    ocr.read({"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": lying.getvalue()})
    expect(ocr.rows).to_have_count(3)
    assert "TOTAL" in "".join(ocr.texts())
    shown = ocr.page.locator(".sheet").bounding_box()
    assert shown is not None
    assert shown["width"] / shown["height"] == pytest.approx(upright.width / upright.height, rel=0.01)
    view = ocr.page.locator(".sheet svg").get_attribute("viewBox")
    assert view == f"0 0 {upright.width} {upright.height}"


def test_pointing_at_a_line_marks_its_box_and_the_other_way_round(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    ocr.rows.nth(1).hover()
    expect(ocr.boxes.nth(1)).to_have_class(HOVERED)
    expect(ocr.boxes.nth(0)).not_to_have_class(HOVERED)
    ocr.boxes.nth(2).hover()
    expect(ocr.rows.nth(2)).to_have_class(HOVERED)
    expect(ocr.rows.nth(1)).not_to_have_class(HOVERED)
    expect(ocr.boxes.nth(1)).not_to_have_class(HOVERED)


def test_a_chosen_line_is_brought_into_view_on_both_sides(open_page: OpenPage, receipt: Draw) -> None:
    ocr = open_page(viewport={"width": 1200, "height": 420})
    ocr.read(receipt(lines=tuple(f"第{n}行 Line {n}" for n in range(1, 16))))
    last = ocr.rows.count() - 1
    assert last >= 10
    for _ in range(6):
        ocr.page.click("#zoom-in")
    ocr.page.locator("#stage").evaluate("stage => stage.scrollTo(0, 0)")
    expect(ocr.boxes.nth(last)).not_to_be_in_viewport()
    ocr.rows.nth(last).scroll_into_view_if_needed()
    ocr.rows.nth(last).click()
    expect(ocr.boxes.nth(last)).to_be_in_viewport()
    expect(ocr.boxes.nth(last)).to_have_class(SELECTED)
    ocr.page.locator("#reading").evaluate("pane => pane.scrollTo(0, 0)")
    expect(ocr.rows.nth(last)).not_to_be_in_viewport()
    ocr.boxes.nth(last).click()
    expect(ocr.rows.nth(last)).to_be_in_viewport()
    expect(ocr.rows.nth(last)).to_have_attribute("aria-selected", "true")


def test_the_chosen_line_is_shown_cut_out(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    ocr.rows.nth(2).click()
    crop = ocr.rows.nth(2).locator("canvas.crop")
    expect(crop).to_be_visible()
    darkest, lightest = crop.evaluate(
        """canvas => {
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const reds = [...data].filter((_, at) => at % 4 === 0);
          return [reds.reduce((a, b) => Math.min(a, b)), reds.reduce((a, b) => Math.max(a, b))];
        }"""
    )
    assert darkest < 80
    assert lightest > 220


def test_doubtful_lines_follow_the_slider(ocr: OcrPage, receipt: Draw, ask_api: AskApi) -> None:
    ocr.read(receipt())
    lines = ask_api(receipt(), characters="true").json()["lines"]
    sure = [min(each["confidence"] for each in line["characters"] if each["text"].strip()) for line in lines]
    slider = ocr.page.locator("#threshold")
    slider.fill("100")
    marked = [line["needs_review"] for line in lines]
    doubtful = [index for index, each in enumerate(sure) if each < 1 or marked[index]]
    expect(ocr.page.locator(".row.doubtful")).to_have_count(len(doubtful))
    expect(ocr.page.locator("polygon.doubtful")).to_have_count(len(doubtful))
    expect(ocr.page.locator("#doubt-count")).to_have_text(f"{len(doubtful)} to check")
    visited = []
    for _ in range(60):  # from one doubtful character to the next, until the first one comes again
        ocr.page.click("#doubt-next")
        row = ocr.page.locator(".row.selected")
        visited.append(int(row.get_attribute("data-line") or "-1"))
        assert row.locator("mark.now").count() == 1 or marked[visited[-1]]
        if visited[-1] < max(visited):
            break
    assert sorted(set(visited)) == doubtful
    slider.fill("50")
    below = sum(each < 0.5 or mark for each, mark in zip(sure, marked, strict=True))
    expect(ocr.page.locator(".row.doubtful")).to_have_count(below)
    ocr.page.get_by_label("and marked lines").uncheck()
    expect(ocr.page.locator(".row.doubtful")).to_have_count(sum(each < 0.5 for each in sure))


def test_a_correction_goes_into_copies_and_files(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    ocr.page.locator("#threshold").fill("100")
    before = ocr.texts()
    ocr.rows.nth(1).dblclick()
    field = ocr.page.locator(".row input.field")
    expect(field).to_have_value(before[1])
    field.fill("梨汁 Pear 12.50")
    field.press("Enter")
    assert ocr.texts() == [before[0], "梨汁 Pear 12.50", before[2]]
    expect(ocr.rows.nth(1)).not_to_have_class(re.compile("doubtful"))
    expect(ocr.rows.nth(1)).to_be_focused()
    ocr.page.click("#copy-all")
    expect(ocr.status).to_have_text("Copied 3 lines")
    assert ocr.clipboard() == "\n".join(ocr.texts())
    saved = ocr.download_json()
    assert saved["text"] == "\n".join(ocr.texts())
    assert (
        saved["lines"][1] | {"text": "梨汁 Pear 12.50", "read": before[1], "corrected": True}
        == saved["lines"][1]
    )
    assert "corrected" not in saved["lines"][0]
    ocr.rows.nth(0).dblclick()
    field.fill("something else")
    field.press("Escape")
    assert ocr.texts()[0] == before[0]


def two_page_pdf(receipt: Draw) -> FilePayload:
    sheets = [
        Image.open(BytesIO(receipt(lines=lines)["buffer"])).convert("RGB")
        for lines in (("第一页 Page one", "合计 TOTAL"), ("第二页 Page two",))
    ]
    whole = BytesIO()
    sheets[0].save(whole, "PDF", save_all=True, append_images=sheets[1:], resolution=100)
    return {"name": "two pages.pdf", "mimeType": "application/pdf", "buffer": whole.getvalue()}


def test_a_pdf_is_shown_page_by_page(ocr: OcrPage, receipt: Draw, ask_api: AskApi) -> None:
    file = two_page_pdf(receipt)
    answer = ask_api(file).json()
    ocr.read(file)
    expect(ocr.page.locator("#page option")).to_have_count(2)
    expect(ocr.page.locator("#stage-note")).to_be_hidden()
    for number in (1, 2):
        here = [line for line in answer["lines"] if line["page"] == number]
        expect(ocr.rows).to_have_count(len(here))
        assert ocr.texts() == [line["text"] for line in here]
        assert ocr.polygons() == [line["polygon"] for line in here]
        expect(ocr.page.locator(".sheet canvas")).to_be_visible()
        size = answer["pages"][number - 1]
        view = ocr.page.locator(".sheet svg").get_attribute("viewBox")
        assert view == f"0 0 {size['width']} {size['height']}"
        if number == 1:
            ocr.page.click("#copy-page")
            expect(ocr.status).to_contain_text("Copied")
            assert ocr.clipboard() == "\n".join(ocr.texts())
            ocr.page.click("#page-next")
    expect(ocr.page.locator("#page-next")).to_be_disabled()
    ocr.page.click("#copy-all")
    expect(ocr.status).to_have_text(f"Copied {len(answer['lines'])} lines")
    assert ocr.clipboard() == answer["text"]


def test_the_pages_of_a_document_are_shown_and_it_can_be_cancelled(ocr: OcrPage, receipt: Draw) -> None:
    jobs: list[str] = []

    def half_read(route: Route) -> None:
        """Say that the first of two pages is read, as long as the test looks at it."""
        if route.request.method != "GET":
            route.continue_()
            return
        jobs.append(route.request.url)
        pages = {"total": 2, "read": 1, "failed": 0}
        route.fulfill(json={"id": jobs[0].rpartition("/")[2], "state": "running", "pages": pages})

    ocr.page.route("**/api/jobs/*", half_read)
    ocr.choose(two_page_pdf(receipt))
    card = ocr.page.locator(".pages-card")
    expect(card.locator(".pages-now")).to_have_text("1 of 2 pages read", timeout=READ_MS)
    expect(card.locator("progress")).to_have_attribute("max", "2")
    expect(ocr.page.locator(".entry-state")).to_have_text("1 of 2 pages")
    card.get_by_role("button").focus()
    before = len(jobs)
    while len(jobs) < before + 2:  # two further answers
        ocr.page.wait_for_timeout(50)
    expect(card.get_by_role("button")).to_be_focused()
    ocr.page.set_viewport_size({"width": 400, "height": 700})
    expect(card.get_by_role("button")).to_be_visible()
    with ocr.page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        card.get_by_role("button", name="Cancel").click()
    assert deleted.value.url == jobs[0]
    expect(ocr.page.locator(".entry")).to_have_count(0)
    assert httpx.get(jobs[0], timeout=50).status_code == 404


def test_a_document_is_read_as_a_request_if_no_job_is_taken(
    ocr: OcrPage, receipt: Draw, ask_api: AskApi
) -> None:
    ocr.refusals_expected = True
    problem = {"type": "/problems/job-store-full", "status": 503, "title": "Job store full"}
    ocr.page.route("**/api/jobs?*", lambda route: route.fulfill(status=503, json=problem))
    file = two_page_pdf(receipt)
    ocr.read(file)
    expect(ocr.page.locator("#page option")).to_have_count(2)
    assert not [each for each in ocr.requests if each.startswith("DELETE")]


def test_options_are_the_services_and_reach_it(ocr: OcrPage, receipt: Draw, ask_api: AskApi) -> None:
    ocr.page.click("#options summary")
    ocr.page.get_by_label("One line").check()
    ocr.page.fill("#option-charset", "digits")
    ocr.key("Escape")
    expect(ocr.page.locator("#options")).not_to_have_attribute("open", "")
    expect(ocr.page.locator("#options-now")).to_contain_text("One line")
    line = receipt("amount.png", ("金额 12.50",))
    ocr.read(line)
    assert [
        line["text"] for line in ask_api(line, mode="line", charset="digits").json()["lines"]
    ] == ocr.texts()
    assert re.fullmatch(r"\d+", "".join(ocr.texts()))
    sent = next(each for each in ocr.requests if each.startswith("POST"))
    assert "mode=line" in sent
    assert "charset=digits" in sent


def test_a_page_without_text_says_so(ocr: OcrPage) -> None:
    blank = BytesIO()
    Image.new("RGB", (400, 300), "white").save(blank, "PNG")
    ocr.read({"name": "blank.png", "mimeType": "image/png", "buffer": blank.getvalue()})
    expect(ocr.page.locator(".quiet-card")).to_contain_text("No text found")
    expect(ocr.page.locator("#copy-all")).to_be_disabled()
    expect(ocr.page.locator(".sheet img")).to_be_visible()
