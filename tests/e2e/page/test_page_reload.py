"""Documents whose jobs are under way outlive a reload of the page, a restart of the service, and a full browser."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pdf_drawings
import pytest
from e2e.page.ocr_page import READ_MS, OcrPage, OpenPage
from playwright.sync_api import FilePayload, Route, expect

pytestmark = pytest.mark.browser

# To open a database that is not there would create it, without the page's store.
_RECORDS = """indexedDB.databases().then((there) => new Promise((resolve) => {
  if (!there.some(({name}) => name === "ocrsvc")) return resolve([]);
  const opening = indexedDB.open("ocrsvc");
  opening.onsuccess = () => {
    const database = opening.result;
    const all = database.transaction("documents").objectStore("documents").getAll();
    all.onsuccess = () => {
      database.close();
      resolve(all.result.map(({name, jobId, choices}) => ({name, jobId, choices})));
    };
  };
}))"""
RUNNING = {"state": "running", "pages": {"total": 2, "read": 0, "failed": 0}}


def report(name: str = "report.pdf") -> FilePayload:
    """A PDF of two pages in text that needs no model."""
    sheets = [pdf_drawings.PdfPage(pdf_drawings.column([f"Page {n} of the report"])) for n in (1, 2)]
    return {"name": name, "mimeType": "application/pdf", "buffer": pdf_drawings.pdf(sheets)}


def records(ocr: OcrPage) -> Any:
    """What the browser keeps, without the documents themselves."""
    return ocr.page.evaluate(_RECORDS)


def keep_running(ocr: OcrPage) -> None:
    """Say that jobs are running, whatever they are."""

    def still_running(route: Route) -> None:
        if route.request.method == "GET":
            route.fulfill(json={"id": route.request.url.rpartition("/")[2], **RUNNING})
        else:
            route.continue_()

    ocr.page.route(re.compile(r"/api/jobs/[\w-]+$"), still_running)


def wait_until_kept(ocr: OcrPage) -> str:
    """Wait until the browser keeps the document with its job; return the job."""
    for _ in range(200):
        found = records(ocr)
        if found and found[0]["jobId"]:
            return str(found[0]["jobId"])
        ocr.page.wait_for_timeout(50)
    raise AssertionError("no job was kept")


def test_a_job_goes_on_after_a_reload(ocr: OcrPage) -> None:
    keep_running(ocr)
    ocr.choose(report())
    job = wait_until_kept(ocr)
    ocr.page.reload()
    expect(ocr.page.locator(".entry[data-state=reading]")).to_have_count(1)
    expect(ocr.page.locator(".sheet canvas")).to_be_visible(timeout=READ_MS)  # the document itself is there
    expect(ocr.page.locator("#toast")).to_have_text("Going on with the documents from before the reload.")
    ocr.page.unroute_all()
    ocr.wait_until_finished(1)
    assert ocr.texts() == ["Page 1 of the report"]
    posts = [each for each in ocr.requests if each.startswith("POST")]
    assert len(posts) == 1  # it was not sent again
    assert httpx.get(f"{ocr.url}/api/jobs/{job}", timeout=30).status_code == 404  # nor left behind


def test_a_copied_tab_leaves_the_jobs_to_the_first_one(ocr: OcrPage) -> None:
    keep_running(ocr)
    ocr.choose(report())
    wait_until_kept(ocr)
    copied = ocr.page.evaluate("JSON.stringify({...sessionStorage})")
    other = ocr.page.context.new_page()
    other.add_init_script(f"Object.assign(sessionStorage, {copied})")  # as a copied tab has it
    other.goto(ocr.url)
    other.click("#history")  # by then, all that is to be opened again has been looked up
    expect(other.locator(".history-dialog")).to_be_visible()
    expect(other.locator("#welcome")).to_be_visible()
    other.close()
    ocr.page.unroute_all()
    ocr.wait_until_finished(1)
    assert ocr.texts() == ["Page 1 of the report"]


def test_nothing_is_kept_of_a_document_that_was_read_or_removed(ocr: OcrPage) -> None:
    ocr.read(report())
    ocr.page.wait_for_function("() => sessionStorage.getItem('ocrsvc.tab') === null")
    assert records(ocr) == []
    keep_running(ocr)
    ocr.choose(report("second.pdf"))
    wait_until_kept(ocr)
    ocr.page.click("#clear")
    ocr.page.wait_for_function("() => sessionStorage.getItem('ocrsvc.tab') === null")
    assert records(ocr) == []
    ocr.page.reload()
    expect(ocr.page.locator("#welcome")).to_be_visible()


def test_a_password_is_not_kept(ocr: OcrPage) -> None:
    ocr.refusals_expected = True
    content = pdf_drawings.encrypted("opensesame")
    ocr.choose({"name": "secret.pdf", "mimeType": "application/pdf", "buffer": content})
    ocr.page.get_by_label("secret.pdf is encrypted").fill("opensesame")
    keep_running(ocr)
    ocr.key("Enter")
    wait_until_kept(ocr)
    assert "opensesame" not in json.dumps(records(ocr))


def test_a_document_that_the_service_has_lost_is_sent_again(open_page: OpenPage) -> None:
    """A service that keeps jobs in memory forgets them when it is restarted."""
    ocr = open_page()
    ocr.refusals_expected = True
    keep_running(ocr)
    ocr.choose(report())
    job = wait_until_kept(ocr)
    assert httpx.delete(f"{ocr.url}/api/jobs/{job}", timeout=30).status_code == 204
    ocr.page.reload()
    ocr.page.unroute_all()
    ocr.wait_until_finished(1)
    assert ocr.texts() == ["Page 1 of the report"]
    assert len([each for each in ocr.requests if each.startswith("POST")]) == 2


def test_a_document_that_is_lost_again_and_again_is_explained(open_page: OpenPage) -> None:
    ocr = open_page(locale="zh-CN")
    ocr.refusals_expected = True
    problem = {"type": "/problems/not-found", "status": 404, "title": "Not found"}
    ocr.page.route(
        re.compile(r"/api/jobs/[\w-]+$"),
        lambda route: (
            route.fulfill(status=404, json=problem) if route.request.method == "GET" else route.continue_()
        ),
    )
    ocr.read(report())
    expect(ocr.page.locator(".refusal")).to_contain_text("服务器丢失了文档")


def test_a_service_that_does_not_answer_is_asked_again(ocr: OcrPage) -> None:
    ocr.page.route(re.compile(r"/api/jobs/[\w-]+$"), lambda route: route.abort("connectionrefused"))
    ocr.choose(report())
    expect(ocr.page.locator(".entry-state")).to_have_text("No answer, trying again…", timeout=READ_MS)
    ocr.page.unroute_all()
    ocr.wait_until_finished(1)
    assert ocr.file_states() == [("report.pdf", "done")]
    ocr.complaints[:] = [each for each in ocr.complaints if "ERR_CONNECTION_REFUSED" not in each]


def test_a_browser_without_room_says_so_and_reads_on(open_page: OpenPage) -> None:
    ocr = open_page()
    ocr.page.add_init_script(
        "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); };"
    )
    ocr.page.reload()
    ocr.choose(report())
    expect(ocr.page.locator("#toast")).to_contain_text("no room to keep this document")
    ocr.wait_until_finished(1)
    assert ocr.texts() == ["Page 1 of the report"]


def test_a_full_store_is_explained_if_the_document_is_too_large_for_a_request(ocr: OcrPage) -> None:
    ocr.refusals_expected = True
    full = {"type": "/problems/job-store-full", "status": 503, "title": "Job store full", "detail": "Full."}
    large = {"type": "/problems/too-large", "status": 413, "title": "Too large"}
    ocr.page.route("**/api/jobs?*", lambda route: route.fulfill(status=503, json=full))
    ocr.page.route("**/api/ocr?*", lambda route: route.fulfill(status=413, json=large))
    ocr.choose(report())
    expect(ocr.page.locator(".entry-state")).to_contain_text("Server busy, again in", timeout=READ_MS)
