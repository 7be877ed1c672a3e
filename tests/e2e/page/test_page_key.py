"""The page at a service that asks for a key: it asks for it, keeps it for the tab, and asks again if it is wrong."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest
from e2e.page.ocr_page import Draw, OcrPage
from playwright.sync_api import Browser, expect
from running_server import RunningServer, launch

pytestmark = pytest.mark.browser

KEY = "s3cret-of-the-shop-0001"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with launch(tmp_path_factory.mktemp("guarded"), api_keys=KEY, metrics_port=port) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture
def ocr(browser: Browser, guarded: RunningServer) -> Iterator[OcrPage]:
    """The page, which has just asked for the key."""
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(15_000)
    ocr = OcrPage(context.new_page(), guarded.url, refusals_expected=True)
    ocr.watch().goto(guarded.url)
    expect(ocr.page.locator("#key-dialog")).to_be_visible()
    yield ocr
    ocr.check()
    context.close()


def type_key(ocr: OcrPage, key: str) -> None:
    ocr.page.fill("#key", key)
    ocr.page.press("#key", "Enter")


def test_a_wrong_key_is_asked_for_again_and_the_right_one_lasts(ocr: OcrPage, receipt: Draw) -> None:
    label = ocr.page.locator("#key-dialog label")
    expect(label).to_contain_text("lets in who has a key")
    type_key(ocr, "wrong-key-0123456789")
    expect(label).to_contain_text("does not know this key")
    type_key(ocr, f" {KEY} ")
    expect(ocr.page.locator("#key-dialog")).to_be_hidden()
    expect(ocr.page.locator("#option-model")).to_be_attached()
    ocr.read(receipt("a.png"), receipt("b.png"))
    ocr.wait_until_finished(2)
    assert [state for _, state in ocr.file_states()] == ["done", "done"]
    ocr.page.reload()
    expect(ocr.page.locator("#option-model")).to_be_attached()
    expect(ocr.page.locator("#key-dialog")).to_be_hidden()
    assert ocr.page.evaluate("Object.values({...localStorage}).join()").find(KEY) == -1


def test_without_a_key_a_file_is_refused_until_there_is_one(ocr: OcrPage, receipt: Draw) -> None:
    ocr.page.locator("#key-dialog button[type=button]").click()
    expect(ocr.page.locator("#key-dialog")).to_be_hidden()
    ocr.choose(receipt())
    expect(ocr.page.locator("#key-dialog")).to_be_visible()
    ocr.page.press("#key", "Escape")
    expect(ocr.page.locator(".refusal .card-title")).to_have_text(re.compile("Unauthorized"))
    ocr.page.locator(".refusal .card-actions button").first.click()
    type_key(ocr, KEY)
    ocr.wait_until_finished(1)
    assert [state for _, state in ocr.file_states()] == ["done"]
    expect(ocr.page.locator("#option-model")).to_be_attached()


def test_live_figures_need_the_key_and_may_be_on_another_port(ocr: OcrPage) -> None:
    ocr.page.press("#key", "Escape")
    ocr.page.click("#live")
    expect(ocr.page.locator("#key-dialog")).to_be_visible()
    ocr.page.press("#key", "Escape")
    status = ocr.page.locator(".live [role=status]")
    expect(status).to_have_text("The figures need an API key. Open this panel again to type it.")
    ocr.page.click("#live")
    ocr.page.click("#live")
    type_key(ocr, KEY)
    expect(status).to_contain_text("a port of its own (OCRSVC_METRICS_PORT)")
