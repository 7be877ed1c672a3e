"""The main ways through the page in Firefox: reading, documents, corrections, a reload, files, sending, figures."""

from __future__ import annotations

import shutil
import stat
import sys
from collections.abc import Iterator

import firefox_relay
import pdf_drawings
import pytest
from available import missing
from e2e.page.ocr_page import READ_MS, Draw, OcrPage
from playwright.sync_api import Browser, FilePayload, Route, expect, sync_playwright

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = shutil.which("firefox-esr") or shutil.which("firefox")
    if found is None:
        missing("no Firefox: install firefox-esr")
    starter = tmp_path_factory.mktemp("firefox") / "firefox"
    starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{firefox_relay.__file__}" "{found}" "$@"\n')
    starter.chmod(starter.stat().st_mode | stat.S_IXUSR)
    with sync_playwright() as playwright:
        browser = playwright.firefox.launch(channel="moz-firefox", executable_path=starter)
        yield browser
        browser.close()


@pytest.fixture
def ocr(firefox: Browser, server_url: str) -> Iterator[OcrPage]:
    context = firefox.new_context(locale="en-GB", viewport={"width": 1360, "height": 800})
    context.set_default_timeout(30_000)
    ocr = OcrPage(context.new_page(), server_url).open()
    yield ocr
    ocr.check()
    context.close()


def report() -> FilePayload:
    """A PDF of two pages in text that needs no model."""
    content = pdf_drawings.column(["Page 1 of the report", "Total 1.50"], size=24)
    return {
        "name": "report.pdf",
        "mimeType": "application/pdf",
        "buffer": pdf_drawings.pdf([pdf_drawings.PdfPage(content), pdf_drawings.PdfPage(content)]),
    }


def test_a_picture_is_read_corrected_and_there_after_a_reload(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    expect(ocr.rows).to_have_count(3)
    ocr.rows.nth(0).click()
    ocr.rows.nth(1).dblclick()  # what was cut out below the first line goes, and this one moves
    ocr.page.locator(".row input.field").press("Control+a")
    ocr.page.keyboard.type("梨汁 Pear 12.50")
    ocr.key("Enter")
    assert ocr.texts()[1] == "梨汁 Pear 12.50"
    ocr.key("Control+z", "Control+Shift+z")
    ocr.rows.nth(2).dblclick()
    ocr.page.locator(".row input.field").press("Control+a")
    ocr.page.keyboard.type("SUM 37.20")  # without Enter
    ocr.page.wait_for_timeout(600)
    ocr.page.reload()
    expect(ocr.rows).to_have_count(3, timeout=READ_MS)
    assert ocr.texts()[1:] == ["梨汁 Pear 12.50", "SUM 37.20"]
    expect(ocr.page.locator(".sheet img")).to_be_visible()
    saved = ocr.download_json()
    assert saved["lines"][1]["corrected"]
    ocr.page.select_option("#form", "tables")
    expect(ocr.page.locator(".text-view.tables")).to_be_visible()


def test_a_document_is_drawn_once_in_the_list_and_saved_searchable(ocr: OcrPage) -> None:
    ocr.read(report())
    assert ocr.file_states() == [("report.pdf", "done")]
    expect(ocr.page.locator(".sheet canvas")).to_be_visible(timeout=READ_MS)
    expect(ocr.page.locator("#minis li canvas")).to_have_count(2)
    ocr.key(">")
    expect(ocr.page.locator("#page option:checked")).to_have_text("2 of 2")
    assert ocr.texts() == ["Page 1 of the report", "Total 1.50"]
    name, content = ocr.download(["#download summary", "#download [data-format=pdf]"])
    assert (name, content[:5]) == ("report.pdf", b"%PDF-")
    ocr.page.reload()
    expect(ocr.rows).to_have_count(2, timeout=READ_MS)
    expect(ocr.page.locator(".sheet canvas")).to_be_visible(timeout=READ_MS)


def test_sending_is_cancelled_and_figures_are_shown(ocr: OcrPage, receipt: Draw) -> None:
    held: list[Route] = []
    ocr.page.route("**/api/ocr?*", lambda route: held.append(route))
    ocr.choose(receipt("held.png"))
    expect(ocr.page.locator(".entry[data-state=reading]")).to_have_count(1)
    ocr.page.get_by_role("button", name="Remove held.png").click()
    assert ocr.file_states() == []
    ocr.page.unroute("**/api/ocr?*")
    ocr.key("l")
    expect(ocr.page.locator(".live-figure")).to_have_count(9)
    ocr.key("Escape")
    expect(ocr.page.locator(".live")).to_be_hidden()
