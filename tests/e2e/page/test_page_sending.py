"""Files on their way to the service: how much has gone, cancelling, and what becomes of them if they do not arrive."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawings import encode
from e2e.page.ocr_page import READ_MS, Draw, OcrPage, OpenPage
from playwright.sync_api import FilePayload, Route, expect
from running_server import StartServer

pytestmark = pytest.mark.browser

BYTES_PER_SECOND = 200_000


def noise(name: str = "noise.png") -> FilePayload:
    """A picture of 1.2 MB, which no compression makes smaller."""
    picture = np.random.default_rng(5).integers(0, 256, (640, 640, 3), dtype=np.uint8)
    return {"name": name, "mimeType": "image/png", "buffer": encode(picture)}


@contextmanager
def slowly(ocr: OcrPage, bytes_per_second: int) -> Iterator[None]:
    """Let the browser send no faster, what is under way included."""
    session = ocr.page.context.new_cdp_session(ocr.page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": bytes_per_second})
    yield
    session.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": -1})
    session.detach()


def test_how_much_has_been_sent_is_shown_and_sending_is_cancelled(ocr: OcrPage, receipt: Draw) -> None:
    with slowly(ocr, BYTES_PER_SECOND // 10):  # a minute
        ocr.choose(noise())
        expect(ocr.page.locator(".entry-state")).to_have_text(re.compile(r"^\d+ KiB of 1\.2 MiB sent$"))
        expect(ocr.page.locator(".entry progress")).to_be_visible()
        expect(ocr.page.locator(".pages-now")).to_have_text(re.compile(r"^Sent \d+ KiB of 1\.2 MiB$"))
        expect(ocr.status).to_have_text(re.compile(r"^Sending noise\.png: \d+ % of 1\.2 MiB\.$"))
        expect(ocr.page.locator(".quiet-card")).to_contain_text("Sending the file…")
        ocr.page.get_by_role("button", name="中文").click()
        expect(ocr.page.locator(".pages-now")).to_have_text(re.compile(r"^已上传 \d+ KiB，共 1\.2 MiB$"))
        expect(ocr.page.locator(".entry-state")).to_have_text(re.compile(r"^已上传 \d+ KiB / 1\.2 MiB$"))
        with ocr.page.expect_event("requestfailed"):
            ocr.page.locator("#job-bar").get_by_role("button", name="取消").click()
        assert ocr.file_states() == []
    ocr.read(receipt())
    expect(ocr.page.locator("#job-bar")).to_be_hidden()


def test_what_has_been_sent_gives_way_to_the_reading(ocr: OcrPage) -> None:
    ocr.page.evaluate(
        """() => {
          window.titles = [];
          const look = () => titles.push(document.querySelector(".quiet-card .card-title")?.textContent);
          new MutationObserver(look).observe(document.getElementById("reading"), {childList: true});
        }"""
    )
    with slowly(ocr, BYTES_PER_SECOND):
        ocr.choose(noise())
        expect(ocr.page.locator(".pages-now")).to_be_visible()
        ocr.wait_until_finished(1)
    titles = ocr.page.evaluate("titles")
    assert [each for each in titles if each in ("Sending the file…", "Reading…")][-1] == "Reading…"
    assert "Sending the file…" in titles
    expect(ocr.page.locator("#job-bar")).to_be_hidden()
    expect(ocr.page.locator(".entry progress")).to_be_hidden()


def test_a_connection_that_comes_back_is_used(ocr: OcrPage, receipt: Draw) -> None:
    tries: list[str] = []

    def once(route: Route) -> None:
        tries.append(route.request.url)
        if len(tries) == 1:
            route.abort("connectionrefused")
        else:
            route.continue_()

    ocr.page.route("**/api/ocr?*", once)
    ocr.choose(receipt())
    expect(ocr.page.locator(".entry-state")).to_have_text(re.compile(r"^No answer, again in \d s$"))
    expect(ocr.page.locator(".refusal")).to_contain_text("The server did not answer.")
    expect(ocr.rows).to_have_count(3, timeout=READ_MS)  # nobody has clicked
    expect(ocr.page.locator(".refusal")).to_have_count(0)
    ocr.complaints[:] = [each for each in ocr.complaints if "ERR_CONNECTION_REFUSED" not in each]


def test_a_server_that_is_restarted_during_an_upload_gets_the_file_again(
    open_page: OpenPage, start_server: StartServer
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    first = start_server(port=port, workers=1)
    first.wait_until_ready()
    ocr = open_page(locale="zh-CN", url=first.url)
    with slowly(ocr, BYTES_PER_SECOND // 10):
        ocr.choose(noise("scan.png"))
        expect(ocr.page.locator(".entry progress")).to_be_visible()
        assert re.search("^已上传", ocr.page.locator(".entry-state").inner_text())
        first.process.kill()
        first.wait()
        expect(ocr.page.locator(".refusal")).to_contain_text("无法连接")
        expect(ocr.page.locator(".entry-state")).to_have_text(re.compile(r"^服务器无应答，\d+ 秒后重试$"))
    start_server(port=port, workers=1).wait_until_ready()
    expect(ocr.page.locator(".entry[data-state=done]")).to_have_count(1, timeout=100_000)
    assert ocr.file_states() == [("scan.png", "done")]
    ocr.complaints[:] = [
        each for each in ocr.complaints if "ERR_" not in each and "status of 503" not in each
    ]


def test_a_file_that_has_changed_since_it_was_added_is_explained(ocr: OcrPage, tmp_path: Path) -> None:
    full = {"type": "/problems/saturated", "title": "Service saturated", "status": 503, "detail": "Full."}
    ocr.page.route("**/api/ocr?*", lambda route: route.fulfill(status=503, json=full))
    path = tmp_path / "scan.png"
    path.write_bytes(noise()["buffer"])
    ocr.choose(path)
    expect(ocr.page.locator(".entry-state")).to_contain_text("Server busy")
    path.unlink()
    ocr.page.unroute("**/api/ocr?*")
    ocr.wait_until_finished(1)
    expect(ocr.page.locator(".refusal")).to_contain_text("The file has changed")
    ocr.page.get_by_role("button", name="中文").click()
    expect(ocr.page.locator(".refusal")).to_contain_text("请从文件现在的位置重新添加。")
    ocr.complaints.clear()


def test_a_document_that_is_not_kept_is_asked_about_while_it_is_read(open_page: OpenPage) -> None:
    ocr = open_page()
    ocr.page.add_init_script(
        "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); };"
    )
    ocr.page.reload()
    held: list[Any] = []
    ocr.page.route("**/api/jobs?*", lambda route: held.append(route))
    file = {"name": "scan.tif", "mimeType": "image/tiff", "buffer": b"II*\0"}
    ocr.choose(FilePayload(**file))  # type: ignore[typeddict-item]
    expect(ocr.page.locator("#toast")).to_contain_text("no room to keep this document")
    assert ocr.page.evaluate("dispatchEvent(new Event('beforeunload', {cancelable: true}))") is False
    ocr.page.unroute_all()
