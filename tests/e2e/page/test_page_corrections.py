"""Corrections are safe: they outlive a reload, can be taken back, are asked about before they are lost, and erased."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import cv2
import pytest
from e2e.page.ocr_page import READ_MS, Draw, OcrPage, OpenPage
from playwright.sync_api import Dialog, Route, expect

from ocrsvc.models.registry import Registry
from ocrsvc.settings import Settings

pytestmark = pytest.mark.browser

_STORED = """indexedDB.databases().then(async (all) => {
  if (!all.some(({name}) => name === "ocrsvc.history")) return [];
  const opening = indexedDB.open("ocrsvc.history");
  const database = await new Promise((resolve) => (opening.onsuccess = () => resolve(opening.result)));
  const keys = database.transaction("documents").objectStore("documents").getAllKeys();
  const found = await new Promise((resolve) => (keys.onsuccess = () => resolve(keys.result)));
  database.close();
  return found.map(([part]) => part).sort();
})"""
EVERYTHING = ["about", "edits", "file", "reading"]


def type_into(ocr: OcrPage, row: int, text: str) -> None:
    ocr.rows.nth(row).dblclick()
    ocr.page.locator(".row input.field").fill(text)
    ocr.key("Enter")


def wait_until_stored(ocr: OcrPage) -> None:
    """Wait until the browser has the document and what has been corrected in it."""
    for _ in range(200):
        if ocr.page.evaluate(_STORED) == EVERYTHING:
            break
        ocr.page.wait_for_timeout(25)
    ocr.page.wait_for_timeout(400)  # a correction is written a quarter of a second after it was made


def doubtful_answer(route: Route) -> None:
    """What the service answers, with a second choice for the first character of each line."""
    answer = route.fetch(timeout=READ_MS)
    body: Any = answer.json()
    for line in body["lines"]:
        first = line["characters"][0]
        first |= {
            "confidence": 0.5,
            "alternatives": [{"text": first["text"], "confidence": 0.5}, {"text": "乙", "confidence": 0.4}],
        }
    route.fulfill(response=answer, body=json.dumps(body))


def test_corrections_outlive_a_reload_with_what_is_being_typed(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    type_into(ocr, 1, "梨汁 Pear 12.50")
    wait_until_stored(ocr)
    ocr.rows.nth(2).dblclick()
    ocr.page.locator(".row input.field").fill("合计 SUM 37.20")  # without Enter
    posts = sum("POST" in each for each in ocr.requests)
    ocr.page.reload()
    expect(ocr.rows).to_have_count(3)
    assert ocr.texts()[1:] == ["梨汁 Pear 12.50", "合计 SUM 37.20"]
    expect(ocr.page.locator(".sheet img")).to_be_visible()
    assert ocr.download_json()["lines"][1]["corrected"]
    assert sum("POST" in each for each in ocr.requests) == posts  # nothing was read again


def test_corrections_are_taken_back_and_made_again(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    before = ocr.texts()
    expect(ocr.page.locator("#undo")).to_be_disabled()
    type_into(ocr, 0, "one")
    type_into(ocr, 1, "two")
    ocr.key("Control+z", "Control+z")
    assert ocr.texts() == before
    expect(ocr.rows.nth(0)).to_be_focused()
    expect(ocr.page.locator("#undo")).to_be_disabled()
    ocr.page.click("#redo")
    assert ocr.texts() == ["one", *before[1:]]
    ocr.key("Control+Shift+z")
    assert ocr.texts() == ["one", "two", before[2]]
    assert "read" not in ocr.download_json()["lines"][2]


def test_the_caret_is_where_one_has_clicked(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    text = ocr.page.locator(".row .line-text").nth(1)
    text.click()
    expect(ocr.page.locator(".row input.field")).to_have_count(0)  # the first click chooses
    place = text.evaluate(
        """cell => {
          const range = document.createRange();
          range.setStart(cell.firstChild, 3);
          range.setEnd(cell.firstChild, 4);
          const box = range.getBoundingClientRect();
          return [box.left + 1, box.top + box.height / 2];
        }"""
    )
    ocr.page.mouse.click(*place)
    field = ocr.page.locator(".row input.field")
    assert field.evaluate("field => [field.selectionStart, field.selectionEnd]") == [3, 3]
    ocr.page.keyboard.type("!")
    ocr.key("ArrowDown")
    expect(ocr.rows.nth(2).locator("input.field")).to_be_focused()  # on with the next line
    ocr.key("Escape")
    assert ocr.texts()[1][3] == "!"


def test_doubtful_characters_are_chosen_by_number(ocr: OcrPage, receipt: Draw) -> None:
    ocr.page.route("**/api/ocr?*", doubtful_answer)
    ocr.read(receipt())
    ocr.page.locator("#threshold").fill("60")
    ocr.page.get_by_label("and marked lines").uncheck()
    expect(ocr.page.locator("#doubt-count")).to_have_text("3 to check")
    before = ocr.texts()
    ocr.page.locator("#threshold").blur()
    ocr.key("d")
    expect(ocr.page.locator("mark.now")).to_have_text(before[0][0])
    choices = ocr.page.locator(".choice")
    expect(choices).to_have_count(2)
    expect(choices.nth(1)).to_have_attribute("aria-label", "乙, probability 40 %")
    ocr.key("2")  # and on to the next one
    assert ocr.texts() == [f"乙{before[0][1:]}", *before[1:]]
    expect(ocr.page.locator("mark.now")).to_have_text(before[1][0])
    choices.first.click()
    ocr.key("y")  # the third is right as a whole
    expect(ocr.page.locator("#doubt-count")).to_have_text("Nothing to check")
    saved = ocr.download_json()["lines"]
    assert [saved[0].get("read"), saved[1].get("read")] == [before[0], None]
    assert "".join(each["text"] for each in saved[0]["characters"]) == saved[0]["text"]


def test_reading_again_asks_before_corrections_are_lost(ocr: OcrPage, receipt: Draw) -> None:
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        if len(asked) == 1:
            dialog.dismiss()
        else:
            dialog.accept()

    ocr.page.on("dialog", answer)
    ocr.read(receipt())
    type_into(ocr, 0, "mine")
    ocr.page.click("#again")
    assert "1 corrected or confirmed" in asked[0]
    assert ocr.texts()[0] == "mine"
    ocr.page.click("#again")
    expect(ocr.page.locator(".row .line-text").first).not_to_have_text("mine", timeout=READ_MS)


def test_what_is_not_kept_is_asked_about_before_it_is_removed(ocr: OcrPage, receipt: Draw) -> None:
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    ocr.page.on("dialog", refuse)
    ocr.page.click("#history")
    ocr.page.get_by_label("Keep documents").uncheck()
    ocr.key("Escape")
    ocr.read(receipt())
    type_into(ocr, 0, "mine")
    ocr.page.click("#clear")
    ocr.page.get_by_role("button", name="Remove receipt.png").click()
    assert asked == ["confirm", "confirm"]
    assert ocr.texts()[0] == "mine"
    assert ocr.page.evaluate("dispatchEvent(new Event('beforeunload', {cancelable: true}))") is False
    ocr.page.remove_listener("dialog", refuse)


def test_documents_of_before_are_opened_again_and_erased(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    type_into(ocr, 0, "mine")
    wait_until_stored(ocr)
    ocr.page.click("#clear")
    ocr.page.reload()
    expect(ocr.page.locator("#welcome")).to_be_visible()
    ocr.page.click("#history")
    dialog = ocr.page.locator(".history-dialog")
    expect(dialog.locator("li")).to_contain_text("receipt.png")
    dialog.get_by_role("button", name="Open").click()
    expect(ocr.rows.first).to_contain_text("mine")
    ocr.page.click("#history")
    expect(dialog.get_by_role("button", name="Open here")).to_be_disabled()
    ocr.page.once("dialog", lambda question: question.accept())
    dialog.get_by_role("button", name="Erase all").click()
    expect(dialog.locator("li")).to_have_text("No document is kept.")
    assert ocr.page.evaluate(_STORED) == []


def test_a_copied_tab_does_not_write_the_same_documents(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    wait_until_stored(ocr)
    visit = ocr.page.evaluate("sessionStorage.getItem('ocrsvc.visit')")
    other = ocr.page.context.new_page()
    other.add_init_script(f"sessionStorage.setItem('ocrsvc.visit', '{visit}')")  # as a copied tab has it
    other.goto(ocr.url)
    expect(other.locator("#welcome")).to_be_visible()
    other.click("#history")
    expect(other.get_by_role("button", name="Open in another tab")).to_be_disabled()
    other.close()


def test_corrected_lines_are_labelled_data_for_training(ocr: OcrPage, receipt: Draw, tmp_path: Path) -> None:
    examples = pytest.importorskip("ocrsvc.training.data.examples")
    ocr.read(receipt())
    type_into(ocr, 1, "梨汁 Pear 12.50")
    name, content = ocr.download(["#download summary", "#download [data-format=labels]"])
    assert name == "receipt.lines.zip"
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    found = examples.read(tmp_path / "lines.jsonl", Registry(Settings()).spec("crnn"))
    (sample,) = found.samples
    assert sample.text == "梨汁 Pear 12.50"
    picture = cv2.imread(str(tmp_path / "img" / "0001.png"), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.min() < 100 < 200 < picture.max()
    assert picture.shape[1] > 4 * picture.shape[0]


def test_a_browser_without_room_says_so_and_asks_before_leaving(open_page: OpenPage, receipt: Draw) -> None:
    ocr = open_page()
    full = "() => { throw new DOMException('full', 'QuotaExceededError'); }"
    ocr.page.add_init_script(f"IDBObjectStore.prototype.put = {full};")
    ocr.page.reload()
    ocr.read(receipt())
    expect(ocr.page.locator("#toast")).to_contain_text("no room to keep this document")
    type_into(ocr, 0, "mine")
    ocr.page.wait_for_timeout(400)
    assert ocr.page.evaluate("dispatchEvent(new Event('beforeunload', {cancelable: true}))") is False
    expect(ocr.page.locator("#toast")).to_have_class(re.compile("shown"))
