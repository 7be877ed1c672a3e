"""/docs in a real browser: nothing from elsewhere, a file picker, and an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def test_a_picture_can_be_sent_from_the_description(
    browser: Browser, server_url: str, draw_line: Callable[..., Any], png: Callable[..., bytes]
) -> None:
    page = browser.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url))
    page.goto(f"{server_url}/docs")
    operation = page.locator("#operations-reading-read")
    operation.locator(".opblock-summary-control").click()
    picker = operation.locator("input[type=file]")
    expect(picker).to_have_count(1)
    picture = png(draw_line("合计 TOTAL 37.20"))
    picker.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
    operation.locator("button.execute").click()
    answer = operation.locator(".live-responses-table .response-col_description .highlight-code").first
    expect(answer).to_contain_text("37.20")
    assert complaints == []
    assert all(url.startswith((server_url, "data:", "blob:")) for url in hosts), hosts
    page.close()
