"""Files come in by every way, several at a time; some are refused; texts go out again."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from e2e.page.ocr_page import READ_MS, AskApi, Draw, OcrPage, OpenPage
from PIL import Image
from playwright.sync_api import FilePayload, Route, expect

pytestmark = pytest.mark.browser

NO_PICTURE = FilePayload(
    name="notes.docx", mimeType="application/octet-stream", buffer=b"Dear Sir or Madam, ..."
)


def test_a_pasted_picture_is_read(ocr: OcrPage, receipt: Draw, ask_api: AskApi) -> None:
    assert ocr.hand_over("paste", receipt("image.png"))
    ocr.wait_until_finished(1)
    assert ocr.texts() == [line["text"] for line in ask_api(receipt()).json()["lines"]]
    assert re.fullmatch(r"pasted \d\d\.\d\d\.\d\d\.png", ocr.file_states()[0][0])


def test_pasting_something_else_is_explained(ocr: OcrPage) -> None:
    ocr.hand_over("paste")
    expect(ocr.page.locator("#toast")).to_contain_text("no picture")
    assert ocr.file_states() == []


def test_pasting_text_into_a_field_stays_possible(ocr: OcrPage) -> None:
    ocr.page.evaluate("navigator.clipboard.writeText('1-3,7')")
    ocr.page.click("#options summary")
    ocr.page.click("#option-pages")
    ocr.key("Control+v")
    expect(ocr.page.locator("#option-pages")).to_have_value("1-3,7")
    expect(ocr.page.locator("#toast")).not_to_have_class(re.compile("shown"))


def test_dropped_files_are_read(ocr: OcrPage, receipt: Draw) -> None:
    files = [receipt("a.png", ("收据 A",)), receipt("b.png", ("收据 B",))]
    ocr.hand_over("dragenter", *files)
    expect(ocr.page.locator("#drop-veil")).to_be_visible()
    assert ocr.hand_over("dragover", *files)  # or the browser would leave the page for the file
    assert ocr.hand_over("drop", *files)
    expect(ocr.page.locator("#drop-veil")).to_be_hidden()
    ocr.wait_until_finished(2)
    assert ocr.file_states() == [("a.png", "done"), ("b.png", "done")]


def test_a_refused_file_is_explained_and_the_next_one_is_read(
    ocr: OcrPage, receipt: Draw, ask_api: AskApi
) -> None:
    ocr.refusals_expected = True
    problem = ask_api(NO_PICTURE).json()
    ocr.read(NO_PICTURE, receipt())
    card = ocr.page.locator(".refusal")
    expect(card).to_contain_text(problem["title"])
    expect(card).to_contain_text(problem["detail"])
    expect(card).to_contain_text("export it as PDF")
    expect(card).to_contain_text("notes.docx")
    assert ocr.file_states() == [("notes.docx", "failed"), ("receipt.png", "done")]
    card.get_by_role("button", name="Remove").click()
    expect(ocr.rows).to_have_count(3)
    expect(ocr.page.locator(".entry-open")).to_be_focused()
    assert ocr.file_states() == [("receipt.png", "done")]


def test_a_damaged_picture_is_explained(ocr: OcrPage, receipt: Draw) -> None:
    ocr.refusals_expected = True
    whole = receipt("cut.png")
    ocr.read({**whole, "buffer": whole["buffer"][:200]})
    expect(ocr.page.locator(".refusal")).to_contain_text("damaged or cut off")


def test_a_file_above_the_limit_is_refused_without_sending_it(ocr: OcrPage, tmp_path: Path) -> None:
    limit = ocr.page.evaluate("fetch('api/options').then(answer => answer.json())")["limits"][
        "max_body_bytes"
    ]
    huge = tmp_path / "huge.png"
    huge.write_bytes(bytes(limit + 1))
    ocr.read(huge)
    expect(ocr.page.locator(".refusal")).to_contain_text("the limit is 20 MiB")
    assert not [request for request in ocr.requests if request.startswith("POST")]


def test_several_files_with_progress(ocr: OcrPage, receipt: Draw) -> None:
    ocr.refusals_expected = True
    names = [f"{n}.png" for n in range(1, 5)]
    held: list[Route] = []  # the first readings, which would be over before anybody looks
    hold = lambda route: held.append(route) if len(held) < 2 else route.continue_()  # noqa: E731
    ocr.page.route("**/api/ocr?*", hold)
    ocr.choose(*[receipt(name, (f"第{name[0]}张 Sheet {name[0]}",)) for name in names], NO_PICTURE)
    expect(ocr.page.locator(".entry[data-state=reading]")).to_have_count(2)  # two at a time, no more
    expect(ocr.page.locator(".entry[data-state=waiting]")).to_have_count(3)
    for route in held:
        route.continue_()
    ocr.wait_until_finished(5)
    assert ocr.file_states() == [*((name, "done") for name in names), ("notes.docx", "failed")]
    expect(ocr.page.locator("#rail-progress")).to_have_text("5 of 5")
    expect(ocr.page.locator("#progress")).to_be_hidden()
    expect(ocr.status).to_contain_text("5 of 5 files read. 1 failed.")
    for name in names:
        ocr.page.locator(".entry-open", has_text=name).click()
        expect(ocr.page.locator("#file-name")).to_have_text(name)
        assert name[0] in "".join(ocr.texts())
    file_name, content = ocr.download(["#all-download summary", "[data-format=all-jsonl]"])
    found = [json.loads(line) for line in content.decode().splitlines()]
    assert file_name == "ocr.jsonl"
    assert [each["file"] for each in found] == [*names, "notes.docx"]
    assert found[-1]["error"]["status"] == 415
    ocr.page.click("#all-copy")
    expect(ocr.status).to_contain_text("Copied")
    assert all(f"=== {name} ===" in ocr.clipboard() for name in names)
    ocr.page.click("#clear")
    expect(ocr.page.locator("#welcome")).to_be_visible()
    assert ocr.file_states() == []


def test_a_busy_server_is_asked_again(ocr: OcrPage, receipt: Draw) -> None:
    ocr.refusals_expected = True
    answers = iter([True])

    def busy_once(route: Route) -> None:
        if not next(answers, False):
            return route.continue_()
        body = {"type": "/problems/saturated", "title": "Service saturated", "status": 503, "detail": "Full."}
        headers = {"Content-Type": "application/problem+json", "Retry-After": "1"}
        return route.fulfill(status=503, headers=headers, body=json.dumps(body))

    ocr.page.route("**/api/ocr?*", busy_once)
    ocr.choose(receipt())
    expect(ocr.page.locator(".entry-state")).to_have_text("Server busy, again in 1 s")
    expect(ocr.rows).to_have_count(3, timeout=READ_MS)
    assert sum(request.startswith("POST") for request in ocr.requests) == 2


def test_a_lost_connection_is_explained_and_can_be_tried_again(ocr: OcrPage, receipt: Draw) -> None:
    ocr.page.route("**/api/ocr?*", lambda route: route.abort("connectionrefused"))
    ocr.choose(receipt())
    expect(ocr.page.locator(".refusal")).to_contain_text("No connection")
    assert [text for text in ocr.complaints if "ERR_CONNECTION_REFUSED" in text] == ocr.complaints
    ocr.complaints.clear()
    ocr.page.unroute("**/api/ocr?*")
    ocr.page.get_by_role("button", name="Try again").click()
    expect(ocr.rows).to_have_count(3, timeout=READ_MS)


def test_removing_a_file_stops_its_reading(ocr: OcrPage, receipt: Draw) -> None:
    held: list[Route] = []
    ocr.page.route("**/api/ocr?*", lambda route: held.append(route))
    ocr.choose(receipt("held.png"))
    expect(ocr.page.locator(".entry[data-state=reading]")).to_have_count(1)
    with ocr.page.expect_event("requestfailed"):
        ocr.page.get_by_role("button", name="Remove held.png").click()
    assert ocr.file_states() == []
    ocr.page.unroute("**/api/ocr?*")
    ocr.read(receipt("next.png"))
    assert ocr.file_states() == [("next.png", "done")]


def test_copying_a_line_and_all(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    ocr.rows.nth(2).hover()
    ocr.rows.nth(2).get_by_role("button", name="Copy this line").click()
    expect(ocr.page.locator("#toast")).to_have_text("Copied 1 line")
    assert ocr.clipboard() == ocr.texts()[2]
    ocr.page.click("#copy-all")
    expect(ocr.page.locator("#toast")).to_have_text("Copied 3 lines")
    assert ocr.clipboard() == "\n".join(ocr.texts())


def test_copying_works_without_the_clipboard_interface(open_page: OpenPage, receipt: Draw) -> None:
    """Over plain HTTP, as in a company's network, browsers have no navigator.clipboard."""
    ocr = open_page()
    ocr.page.add_init_script("Clipboard.prototype.writeText = undefined;")
    ocr.page.reload()
    ocr.read(receipt())
    ocr.page.click("#copy-all")
    expect(ocr.page.locator("#toast")).to_have_text("Copied 3 lines")
    assert ocr.clipboard() == "\n".join(ocr.texts())


def assert_same_table(ours: str, theirs: str) -> None:
    """Equal but for rounding: JSON tells pixels to a tenth and confidences to four digits, TSV rounds the rest away."""
    rows = [[line.split("\t") for line in table.splitlines()] for table in (ours, theirs)]
    assert rows[0][0] == rows[1][0]
    for our, their in zip(*(table[1:] for table in rows), strict=True):
        assert (our[:6], our[11]) == (their[:6], their[11])
        assert [int(pixels) for pixels in our[6:10]] == pytest.approx(
            [int(one) for one in their[6:10]], abs=1
        )
        assert float(our[10]) == pytest.approx(float(their[10]), abs=0.02)


def test_downloads_are_what_the_service_would_write(ocr: OcrPage, receipt: Draw, ask_api: AskApi) -> None:
    file = receipt("my.receipt.png")
    ocr.read(file)
    name, content = ocr.download(["#download summary", "[data-format=text]"])
    assert (name, content) == ("my.receipt.txt", ask_api(file, format="text").content)
    name, content = ocr.download(["#download summary", "[data-format=tsv]"])
    assert name == "my.receipt.tsv"
    assert_same_table(content.decode(), ask_api(file, format="tsv", layout="tables").text)
    saved, answer = ocr.download_json(), ask_api(file, characters="true", layout="tables", n_best="5").json()
    for each in (saved, answer):
        del each["timing_ms"], each["request_id"], each["text"]
    assert saved == answer


def test_a_document_that_cannot_be_drawn_is_read_all_the_same(ocr: OcrPage, receipt: Draw) -> None:
    """A TIFF that is compressed as the page's decoder does not know: Zstandard."""
    tiff = BytesIO()
    Image.open(BytesIO(receipt()["buffer"])).save(tiff, "TIFF", compression="zstd")
    ocr.read({"name": "scan.tiff", "mimeType": "image/tiff", "buffer": tiff.getvalue()})
    expect(ocr.boxes).to_have_count(3)
    expect(ocr.page.locator("#stage-note")).to_be_visible()
    assert ocr.page.locator(".sheet.blank text").all_text_contents() == ocr.texts()


def test_reading_again_uses_the_present_options(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt("amount.png", ("金额 12.50",)))
    before = ocr.texts()
    ocr.page.click("#options summary")
    ocr.page.fill("#option-charset", "digits")
    ocr.page.click("#again")
    expect(ocr.page.locator(".entry[data-state=done]")).to_have_count(1, timeout=READ_MS)
    expect(ocr.page.locator(".row .line-text")).not_to_have_text(before[0], timeout=READ_MS)
    assert re.fullmatch(r"\d+", "".join(ocr.texts()))
