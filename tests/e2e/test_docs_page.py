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


@pytest.mark.parametrize(
    ("operation_id", "names"),
    [("read", ["a.png"]), ("readMany", ["a.png"]), ("readMany", ["a.png", "b.png"])],
)
def test_pictures_can_be_sent_from_the_description(
    operation_id: str,
    names: list[str],
    browser: Browser,
    server_url: str,
    draw_line: Callable[..., Any],
    png: Callable[..., bytes],
) -> None:
    page = browser.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url))
    page.goto(f"{server_url}/docs")
    operation = page.locator(f"#operations-reading-{operation_id}")
    operation.locator(".opblock-summary-control").click()
    pickers = operation.locator("input[type=file]")
    picture = png(draw_line("合计 TOTAL 37.20"))
    for number, name in enumerate(names):
        if pickers.count() <= number:  # a list begins without entries
            operation.locator("button.json-schema-form-item-add").click()
        expect(pickers).to_have_count(number + 1)
        pickers.nth(number).set_input_files({"name": name, "mimeType": "image/png", "buffer": picture})
    operation.locator("button.execute").click()
    answer = operation.locator(".live-responses-table td.response-col_description:not(.col_header)").first
    for name in names:
        expect(answer).to_contain_text(
            "37.20" if operation_id == "read" else f'"file":"{name}"', timeout=60_000
        )
    expect(answer).to_contain_text("37.20")
    assert "can't parse" not in answer.inner_text()
    assert complaints == []
    assert all(url.startswith((server_url, "data:", "blob:")) for url in hosts), hosts
    page.close()
