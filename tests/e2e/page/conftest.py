"""A headless Chromium with the page of the real server open, and files to give it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e.page.ocr_page import AskApi, Draw, OcrPage, OpenPage
from playwright.sync_api import Browser, FilePayload, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHORT_RECEIPT = ("收银小票 RECEIPT", "苹果汁 Apple 12.50", "合计 TOTAL 37.20")


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """Module-wide, not session-wide: while it lives its event loop runs in this thread, and no other may."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, server_url: str) -> Iterator[OpenPage]:
    """``open_page(locale="zh-CN", ...)`` -> the page in a fresh profile; at the end nothing may have been amiss.

    ``url``: that of another server than the one that all share.
    """
    opened: list[OcrPage] = []
    with ExitStack() as stack:

        def open_(*, url: str = server_url, **options: Any) -> OcrPage:
            chosen = {"locale": "en-GB", "viewport": {"width": 1360, "height": 800}, **options}
            context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **chosen)
            stack.callback(context.close)
            context.set_default_timeout(15_000)
            opened.append(OcrPage(context.new_page(), url).open())
            return opened[-1]

        yield open_
        for each in opened:
            each.check()


@pytest.fixture
def ocr(open_page: OpenPage) -> OcrPage:
    """The page in English on a desktop."""
    return open_page()


@pytest.fixture(scope="session")
def receipt(draw_page: Callable[..., Any], png: Callable[..., bytes]) -> Draw:
    """``receipt(name="receipt.png", lines=...)`` -> a drawn PNG file for the page."""

    def draw(name: str = "receipt.png", lines: tuple[str, ...] = SHORT_RECEIPT) -> FilePayload:
        drawn = draw_page(lines, size=30, width=460, margin=30)
        return {"name": name, "mimeType": "image/png", "buffer": png(drawn.image)}

    return draw


@pytest.fixture
def ask_api(server_url: str) -> AskApi:
    """``ask_api(file, format="tsv")`` -> what the service answers to a program for the same file."""

    def ask(file: FilePayload, **query: str) -> httpx.Response:
        image = (file["name"], file["buffer"], file["mimeType"])
        return httpx.post(f"{server_url}/api/ocr", params=query, files={"image": image}, timeout=50)

    return ask
