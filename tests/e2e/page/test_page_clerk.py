"""A clerk's task, counted: correct five wrong lines of a document of ten pages, and save it searchable."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from e2e.page.ocr_page import READ_MS, Draw, OcrPage
from PIL import Image
from playwright.sync_api import FilePayload, Route, expect

pytestmark = pytest.mark.browser

PAGES = 10
OFFERED = (2, 3, 5)  # pages with a wrong character whose alternatives have the right one
TYPED = (8, 10)  # pages with one that must be typed
RIGHT, WRONG = "苹", "平"


@dataclass
class Clerk:
    """Does what a person does, and counts it."""

    ocr: OcrPage
    clicks: int = 0
    keys: int = 0

    def click(self, selector: str) -> None:
        self.clicks += 1
        self.ocr.page.click(selector)

    def press(self, *keys: str) -> None:
        """Press keys; a chord such as Ctrl+S counts once."""
        self.keys += len(keys)
        self.ocr.key(*keys)

    def type(self, text: str) -> None:
        self.keys += len(text)
        self.ocr.page.keyboard.type(text)


@pytest.fixture
def scan(receipt: Draw) -> FilePayload:
    """Pages of a scanner: pictures in a PDF."""
    sheets = [
        Image.open(
            BytesIO(receipt(lines=(f"Page {number} of {PAGES}", f"{RIGHT}果汁 Apple {number}2.50"))["buffer"])
        ).convert("RGB")
        for number in range(1, PAGES + 1)
    ]
    whole = BytesIO()
    sheets[0].save(whole, "PDF", save_all=True, append_images=sheets[1:], resolution=100)
    return {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": whole.getvalue()}


def misread(body: Any) -> Any:
    """A reading, or a page of one, with the wrong characters in it, and no other doubts."""
    for line in body.get("lines", []):
        line["needs_review"] = False
        for character in line["characters"]:
            character["confidence"] = 0.99
            character.pop("alternatives", None)
        first = line["characters"][0]
        if "Apple" in line["text"] and line["page"] in (*OFFERED, *TYPED):
            others = [{"text": RIGHT, "confidence": 0.4}] if line["page"] in OFFERED else []
            alternatives = [{"text": WRONG, "confidence": 0.5}, *others]
            first |= {"text": WRONG, "confidence": 0.5, "alternatives": alternatives}
            line["text"] = WRONG + line["text"][1:]
    return body


def misreading(route: Route) -> None:
    """The service's answer about a job, as ``misread`` has it."""
    answer = route.fetch(timeout=READ_MS)
    if "format=jsonl" in route.request.url:
        records = [json.dumps(misread(json.loads(line))) for line in answer.text().splitlines()]
        route.fulfill(response=answer, body="\n".join(records))
    else:
        route.fulfill(response=answer, body=json.dumps(misread(answer.json())))


def test_five_lines_of_ten_pages_take_one_click_and_nine_keys(ocr: OcrPage, scan: FilePayload) -> None:
    ocr.page.route(re.compile(r"/api/jobs/[\w-]+/result"), misreading)
    clerk = Clerk(ocr)
    with ocr.page.expect_file_chooser() as chooser:
        clerk.click("#welcome-choose")
    chooser.value.set_files(scan)
    ocr.wait_until_finished(1)
    expect(ocr.page.locator("#doubt-count")).to_have_text("5 to check")
    clerk.press("d")
    for number in OFFERED:
        expect(ocr.page.locator("#page option:checked")).to_have_text(f"{number} of {PAGES}")
        clerk.press("2")
    clerk.press("e")
    clerk.type(RIGHT)
    clerk.press("Control+Enter")
    clerk.type(RIGHT)
    with ocr.page.expect_download() as saved:
        clerk.press("Control+s")
    assert (clerk.clicks, clerk.keys) == (1, 9)
    assert saved.value.suggested_filename == "scan.pdf"
    expect(ocr.page.locator("#doubt-count")).to_have_text("Nothing to check")
    text = subprocess.run(
        ["/usr/bin/pdftotext", str(saved.value.path()), "-"], capture_output=True, check=True, text=True
    ).stdout
    pages = text.split("\f")
    assert [RIGHT in pages[number - 1] for number in (*OFFERED, *TYPED)] == [True] * 5
    assert WRONG not in text
