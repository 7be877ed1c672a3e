"""PDFs and TIFFs: their pages are drawn under the boxes, turned, unlocked, and read on after a reload."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from typing import Any

import numpy as np
import pdf_drawings
import pytest
from e2e.page.ocr_page import READ_MS, AskApi, Draw, OcrPage, OpenPage
from jbig2 import encode as jbig2
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Route, expect

pytestmark = pytest.mark.browser

PDFJS = re.compile(r"/vendor/pdfjs")
# Share of dark pixels of a canvas within a box of viewport pixels; -1 while it is being drawn anew.
_INK = """(canvas, box) => {
  if (!canvas.width) return -1;
  const frame = canvas.getBoundingClientRect();
  const [across, down] = [canvas.width / frame.width, canvas.height / frame.height];
  const area = [(box.x - frame.x) * across, (box.y - frame.y) * down, box.width * across, box.height * down];
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
  copy.drawImage(canvas, 0, 0);
  const {data} = copy.getImageData(...area.map(Math.round));
  let dark = 0;
  for (let at = 0; at < data.length; at += 4) dark += data[at] < 128;
  return dark / (data.length / 4);
}"""


def report(pages: int, *, members: bytes = b"") -> FilePayload:
    """A PDF whose pages say their number, in text that needs no model."""
    sheets = [
        pdf_drawings.PdfPage(
            pdf_drawings.column([f"Page {n} of the report", f"Total {n}.50"], size=24), members=members
        )
        for n in range(1, pages + 1)
    ]
    return pdf_file("report.pdf", pdf_drawings.pdf(sheets))


def pdf_file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/pdf", "buffer": content}


def tiff_file(receipt: Draw, **options: Any) -> FilePayload:
    sheets = [
        Image.open(BytesIO(receipt(lines=lines)["buffer"])).convert("RGB")
        for lines in (("第一页 Page one", "合计 TOTAL"), ("第二页 Page two",))
    ]
    whole = BytesIO()
    sheets[0].save(whole, "TIFF", save_all=True, append_images=sheets[1:], **options)
    return {"name": "scan.tif", "mimeType": "image/tiff", "buffer": whole.getvalue()}


def drawn(ocr: OcrPage) -> Locator:
    """The canvas of the page on show, once it is there."""
    canvas = ocr.page.locator(".sheet canvas")
    expect(canvas).to_be_visible(timeout=READ_MS)
    return canvas


def inks(ocr: OcrPage) -> list[float]:
    """How much ink of the drawn page is in each box, and in a strip of paper below the last one."""
    while True:
        canvas = drawn(ocr)
        expect(ocr.boxes.first).to_be_visible()
        boxes = ocr.boxes.evaluate_all("boxes => boxes.map((box) => box.getBoundingClientRect().toJSON())")
        boxes.append({**boxes[-1], "y": boxes[-1]["y"] + 2 * boxes[-1]["height"]})
        shares = [float(canvas.evaluate(_INK, box)) for box in boxes]
        if min(shares) >= 0:
            return shares


def test_the_first_load_is_small_and_drawing_is_fetched_when_it_is_needed(open_page: OpenPage) -> None:
    ocr = open_page()
    ocr.page.wait_for_load_state("networkidle")
    first = bodies(ocr)
    assert 20_000 < sum(first.values()) < 60_000
    assert not any("vendor" in url or "chinese" in url for url in first)
    ocr.read(report(1))
    drawn(ocr)
    opened = {url: size for url, size in bodies(ocr).items() if url not in first}
    assert any(url.endswith("/pdf.min.mjs") for url in opened)
    assert sum(opened.values()) < 600_000


def bodies(ocr: OcrPage) -> dict[str, int]:
    """Bytes of each file of the page, and of its options, as they came over the wire, without headers."""
    entries = ocr.page.evaluate(
        """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
             .map((each) => [each.name, each.encodedBodySize])"""
    )
    return {
        str(url): int(size)
        for url, size in entries
        if ("/api/" not in url or url.endswith("/api/options")) and not url.startswith("blob:")
    }


def test_the_pages_of_a_pdf_are_drawn_under_their_boxes(ocr: OcrPage) -> None:
    assert not any(PDFJS.search(each) for each in ocr.requests)
    ocr.read(report(3))
    assert any(PDFJS.search(each) for each in ocr.requests)
    assert not any(
        each.endswith((".ttf", ".pfb", ".bcmap")) for each in ocr.requests if "Liberation" not in each
    )
    for number in (1, 2, 3):
        expect(ocr.page.locator("#page option:checked")).to_have_text(f"{number} of 3")
        assert ocr.texts() == [f"Page {number} of the report", f"Total {number}.50"]
        *lines, paper = inks(ocr)
        assert min(lines) > 0.05
        assert paper == 0
        ocr.key(">")
    expect(ocr.page.locator("#stage-note")).to_be_hidden()


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_page_that_the_pdf_turns_is_shown_as_the_service_saw_it(ocr: OcrPage, angle: int) -> None:
    ocr.read(report(1, members=b"/Rotate %d" % angle))
    assert ocr.texts()[0] == "Page 1 of the report"
    assert min(inks(ocr)[:2]) > 0.05


def test_a_page_that_the_service_turns_is_shown_upright(ocr: OcrPage, receipt: Draw) -> None:
    upright = Image.open(BytesIO(receipt()["buffer"])).convert("RGB")
    whole = BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(whole, "PDF", resolution=100)
    ocr.read(pdf_file("lying.pdf", whole.getvalue()))
    expect(ocr.page.locator("#turned")).to_have_text("90° turned")
    box = ocr.boxes.first.bounding_box()
    assert box is not None
    assert box["width"] > 3 * box["height"]  # the text is upright on the screen
    assert min(inks_of_turned(ocr)) > 0.03
    ocr.page.locator("#show-boxes").click()
    ocr.rows.nth(1).click()
    crop = ocr.rows.nth(1).locator("canvas.crop").bounding_box()
    assert crop is not None
    assert crop["width"] > 3 * crop["height"]


def inks_of_turned(ocr: OcrPage) -> list[float]:
    """As ``inks``, where the canvas is shown turned: counted on a picture of the screen."""
    drawn(ocr)
    ocr.page.locator("#show-boxes").click()
    shot = Image.open(BytesIO(ocr.page.screenshot())).convert("L")
    shares = []
    for index in range(ocr.boxes.count()):
        box = ocr.boxes.nth(index).bounding_box()
        assert box is not None
        part = shot.crop(
            (int(box["x"]), int(box["y"]), int(box["x"] + box["width"]), int(box["y"] + box["height"]))
        )
        shares.append(sum(part.histogram()[:128]) / (part.width * part.height))
    return shares


def test_the_pages_of_a_tiff_are_drawn_under_their_boxes(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(tiff_file(receipt, compression="tiff_lzw"))
    expect(ocr.boxes).to_have_count(2)
    assert min(inks(ocr)[:-1]) > 0.03
    ocr.key(">")
    expect(ocr.boxes).to_have_count(1)
    assert min(inks(ocr)[:-1]) > 0.03


def test_a_chinese_pdf_without_fonts_is_drawn(ocr: OcrPage) -> None:
    page = pdf_drawings.PdfPage(pdf_drawings.chinese("发票号码", 60, 700, size=40))
    ocr.read(pdf_file("chinese.pdf", pdf_drawings.pdf([page], [pdf_drawings.CHINESE % b"H"])))
    assert inks(ocr)[0] > 0.05
    assert any("UniGB-UCS2-H.bcmap" in each for each in ocr.requests)


def test_a_scan_in_jbig2_is_drawn_without_webassembly(ocr: OcrPage, receipt: Draw) -> None:
    black = np.asarray(Image.open(BytesIO(receipt()["buffer"])).convert("L")) < 128
    height, width = black.shape
    kind = b"/Filter/JBIG2Decode/ColorSpace/DeviceGray"
    scan = pdf_drawings.image_object(jbig2(black), (width, height), kind, bits=1)
    operators, resources = pdf_drawings.show(4, 0, 0, width, height)
    page = pdf_drawings.PdfPage(operators, (width, height), resources)
    ocr.read(pdf_file("scan.pdf", pdf_drawings.pdf([page], [pdf_drawings.HELVETICA, scan])))
    expect(ocr.boxes).to_have_count(3)
    assert min(inks(ocr)[:-1]) > 0.03
    assert any("jbig2_nowasm_fallback.js" in each for each in ocr.requests)


def test_pages_are_on_show_before_they_are_read(ocr: OcrPage) -> None:
    held: list[Route] = []
    ocr.page.route("**/api/jobs?*", lambda route: held.append(route))
    ocr.choose(report(12))
    drawn(ocr)
    expect(ocr.page.locator("#minis li")).to_have_count(12)
    expect(ocr.page.locator("#minis li[data-state=unread]")).to_have_count(12)
    ocr.page.locator("#minis").get_by_role("button", name="Page 3, not read yet").click()
    expect(ocr.page.locator("#page option:checked")).to_have_text("3 of 12")
    drawn(ocr)
    expect(ocr.page.locator(".quiet-card .bars")).to_be_visible()
    held[0].continue_()
    expect(ocr.page.locator("#minis li[data-state=read]")).to_have_count(12, timeout=READ_MS)
    assert ocr.texts() == ["Page 3 of the report", "Total 3.50"]
    ocr.page.locator("#minis").get_by_role("button", name="Page 3", exact=True).focus()
    ocr.key("ArrowDown", "ArrowDown")
    assert ocr.texts() == ["Page 5 of the report", "Total 5.50"]
    ocr.key("End")
    expect(ocr.page.locator("#minis button:focus")).to_have_text("12")
    expect(ocr.page.locator("#page-next")).to_be_disabled()


def test_the_text_of_the_first_pages_comes_while_the_others_are_read(ocr: OcrPage, ask_api: AskApi) -> None:
    file = report(4)
    answer = ask_api(file).json()
    record = {
        "page": 1,
        "page_count": 4,
        "pages": answer["pages"][:1],
        "lines": [line for line in answer["lines"] if line["page"] == 1],
    }
    busy = True

    def half_read(route: Route) -> None:
        if not busy or route.request.method != "GET":
            route.continue_()
        elif "/result" in route.request.url:
            route.fulfill(json=record, content_type="application/jsonl")
        else:
            pages = {"total": 4, "read": 1, "failed": 0}
            identifier = route.request.url.rpartition("/")[2]
            route.fulfill(json={"id": identifier, "state": "running", "pages": pages})

    ocr.page.route(re.compile(r"/api/jobs/"), half_read)
    ocr.choose(file)
    expect(ocr.rows).to_have_count(2, timeout=READ_MS)
    expect(ocr.page.locator(".pages-now")).to_have_text("1 of 4 pages read")
    ocr.rows.nth(1).dblclick()
    ocr.page.locator(".row input.field").fill("Total 1,50")
    ocr.key("Enter")
    busy = False
    ocr.wait_until_finished(1)
    assert ocr.texts() == [
        "Page 1 of the report",
        "Total 1,50",
    ]  # the correction has outlived the end of the job
    assert ocr.download_json()["text"].splitlines()[1:3] == ["Total 1,50", "Page 2 of the report"]


def test_a_page_that_is_asked_for_several_times_at_once_is_drawn_once(ocr: OcrPage) -> None:
    """As while its document is read: the second picture once took the first one's memory back while it was shown."""
    content = base64.b64encode(report(1)["buffer"]).decode()
    widths = ocr.page.evaluate(
        """async (content) => {
          const {Leaves} = await import("./static/leaves.js");
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const leaves = new Leaves(new File([bytes], "report.pdf", {type: "application/pdf"}));
          await leaves.open();
          const asked = [1, 2, 3, 4].map(() => leaves.draw(1, 500, () => true));
          const canvases = await Promise.all(asked);
          return [new Set(canvases).size, leaves.drawn(1).width];
        }""",
        content,
    )
    assert widths == [1, 1000]


def test_only_pages_near_the_shown_one_are_drawn(ocr: OcrPage) -> None:
    ocr.choose(report(60))
    drawn(ocr)
    ocr.key("End")
    for _ in range(8):
        ocr.key(">")
        drawn(ocr)
    expect(ocr.page.locator("#minis li[data-page='9'] canvas")).to_be_visible()
    ocr.page.locator("#minis").evaluate("strip => strip.scrollTo(0, strip.scrollHeight)")
    expect(ocr.page.locator("#minis li[data-page='60'] canvas")).to_be_visible()
    expect(ocr.page.locator("#minis li[data-page='1'] canvas")).to_have_count(0)
    assert ocr.page.locator("#minis canvas").count() < 25
    ocr.wait_until_finished(1)


def test_zooming_draws_the_page_anew(ocr: OcrPage) -> None:
    ocr.read(report(1))
    before = drawn(ocr).evaluate("canvas => canvas.width")
    for _ in range(6):
        ocr.page.click("#zoom-in")
    ocr.page.wait_for_function("before => document.querySelector('.sheet canvas').width > before", arg=before)
    pixels = drawn(ocr).evaluate("canvas => canvas.width * canvas.height")
    assert pixels <= 12.1e6


def test_a_turned_page_is_read_again(ocr: OcrPage, receipt: Draw) -> None:
    upright = Image.open(BytesIO(receipt()["buffer"]))
    lying = BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(lying, "PNG")
    ocr.page.click("#options summary")
    ocr.page.select_option("#option-orientation", "0")
    ocr.key("Escape")
    ocr.read({"name": "lying.png", "mimeType": "image/png", "buffer": lying.getvalue()})
    expect(ocr.page.locator("#turned")).to_be_hidden()
    ocr.page.click("#turn")
    expect(ocr.page.locator("#turned")).to_have_text("90° turned")
    expect(ocr.page.locator(".row .line-text").last).to_contain_text("TOTAL", timeout=READ_MS)
    sheet = ocr.page.locator(".sheet").bounding_box()
    assert sheet is not None
    assert sheet["width"] / sheet["height"] == pytest.approx(upright.width / upright.height, rel=0.02)
    sent = [each for each in ocr.requests if each.startswith("POST")]
    assert [re.search(r"orientation=(\d+)", each)[1] for each in sent] == ["0", "90"]  # type: ignore[index]


def test_one_page_of_a_document_is_turned_and_the_others_stay(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(tiff_file(receipt))
    first = ocr.texts()
    ocr.key(">", "r")
    expect(ocr.page.locator("#turned")).to_have_text("90° turned")
    expect(ocr.page.locator("#turn")).to_be_enabled(timeout=READ_MS)
    assert [page["orientation"] for page in ocr.download_json()["pages"]] == [0, 90]
    ocr.key("<")
    expect(ocr.page.locator("#turned")).to_be_hidden()
    assert ocr.texts() == first


def test_text_that_a_pdf_says_itself_is_turned_without_reading_it_again(ocr: OcrPage) -> None:
    ocr.read(report(1))
    sent = len(ocr.requests)
    ocr.key("r")
    expect(ocr.page.locator("#turned")).to_have_text("90° turned")
    assert ocr.texts() == ["Page 1 of the report", "Total 1.50"]
    assert [each for each in ocr.requests[sent:] if "POST" in each] == []


def test_the_use_of_text_layers_reaches_the_service(ocr: OcrPage) -> None:
    ocr.page.click("#options summary")
    ocr.page.select_option("#option-pdf_text", "never")
    ocr.key("Escape")
    ocr.read(report(1))
    assert all("source" not in line for line in ocr.download_json()["lines"])
    assert any("pdf_text=never" in each for each in ocr.requests)


def test_a_password_is_asked_for_and_opens_the_document(ocr: OcrPage) -> None:
    ocr.refusals_expected = True
    ocr.choose(pdf_file("secret.pdf", pdf_drawings.encrypted("opensesame")))
    field = ocr.page.get_by_label("secret.pdf is encrypted. Type its password:")
    field.fill("wrong")
    field.press("Enter")
    again = ocr.page.get_by_label("This password does not open secret.pdf.")
    expect(again).to_have_attribute("aria-invalid", "")
    again.fill("opensesame")
    ocr.page.get_by_role("button", name="Open and read").click()
    expect(ocr.rows).to_have_count(1, timeout=READ_MS)
    assert ocr.texts() == ["Secret text 42"]
    assert inks(ocr)[0] > 0.05
    assert not any("sesame" in each for each in ocr.requests)  # addresses are logged


def test_what_is_typed_stays_while_the_pages_are_opened(ocr: OcrPage) -> None:
    ocr.refusals_expected = True
    held: list[Route] = []
    ocr.page.route(re.compile(r"pdf\.min\.mjs"), lambda route: held.append(route))
    ocr.choose(pdf_file("secret.pdf", pdf_drawings.encrypted("opensesame")))
    field = ocr.page.get_by_label("secret.pdf is encrypted. Type its password:")
    field.press_sequentially("open")
    with ocr.page.expect_response(re.compile(r"pdf\.worker\.min\.mjs")):
        held[0].continue_()
    expect(ocr.page.locator("body[data-blind]")).to_be_attached()
    expect(field).to_have_value("open")
    expect(field).to_be_focused()


def test_the_password_is_asked_for_in_chinese(open_page: OpenPage) -> None:
    ocr = open_page(locale="zh-CN")
    ocr.refusals_expected = True
    ocr.choose(pdf_file("secret.pdf", pdf_drawings.encrypted("opensesame")))
    expect(ocr.page.locator(".password-card")).to_contain_text("需要密码", timeout=READ_MS)
    expect(ocr.page.get_by_label("secret.pdf 已加密，请输入密码：")).to_be_visible()
