"""The panel of live figures: asked for while it is open, added up over processes, and plain about what is missing."""

from __future__ import annotations

import re

import httpx
import pytest
from e2e.page.ocr_page import Draw, OcrPage
from playwright.sync_api import Route, expect

from ocrsvc.service.process_group import merged

pytestmark = pytest.mark.browser


def figure(ocr: OcrPage, name: str) -> str:
    """What the panel says, without its trend."""
    return " ".join(ocr.page.locator(f"[data-figure={name}] :is(dt, dd)").all_inner_texts()).strip()


def asked(ocr: OcrPage) -> int:
    return sum(each.endswith("/metrics") for each in ocr.requests)


def test_figures_are_asked_for_while_the_panel_is_open(ocr: OcrPage, receipt: Draw) -> None:
    ocr.page.route("**/api/ocr?*", lambda route: route.continue_())
    ocr.key("l")
    panel = ocr.page.get_by_role("region", name="Live figures")
    expect(panel).to_be_focused()
    expect(panel.locator(".live-figure")).to_have_count(9)
    expect(panel.locator(".live-trend").first).to_be_visible()  # after the second answer
    expect(panel.locator("[role=status]")).to_be_empty()
    assert re.fullmatch(r"Queue 0 lines 0 s of work", figure(ocr, "queue"))
    assert re.fullmatch(r"Workers \d of \d+ busy", figure(ocr, "workers"))
    assert re.fullmatch(r"Memory [\d.]+ MiB of [\d.]+ GiB", figure(ocr, "memory"))
    assert (
        httpx.post(f"{ocr.url}/api/ocr", files={"image": receipt()["buffer"]}, timeout=60).status_code == 200
    )
    expect(panel.locator("[data-figure=p99] .live-note")).to_contain_text(
        "in the last minute", timeout=20_000
    )
    assert re.fullmatch(r"Latency p99 [\d.]+ s \d+ requests in the last minute", figure(ocr, "p99"))
    assert float(figure(ocr, "pages").split()[-1]) > 0
    ocr.key("Escape")
    expect(panel).to_be_hidden()
    before = asked(ocr)
    ocr.page.wait_for_timeout(2500)
    assert asked(ocr) == before > 2
    ocr.page.click("#live")
    expect(panel).to_be_visible()
    ocr.page.get_by_role("button", name="中文").click()
    expect(ocr.page.get_by_role("region", name="实时状态")).to_contain_text("每秒行数")
    ocr.key("l")
    expect(ocr.page.locator(".live")).to_be_hidden()


def test_several_processes_are_added_up(ocr: OcrPage) -> None:
    text = httpx.get(f"{ocr.url}/metrics", timeout=30).text
    several = merged({"0": text, "1": text, "2": None})
    ocr.page.route("**/metrics", lambda route: route.fulfill(body=several, content_type="text/plain"))
    ocr.key("l")
    expect(ocr.page.locator(".live [role=status]")).to_have_text(
        "2 of 3 processes answer; their figures are added up."
    )
    workers = sum(float(each) for each in re.findall(r"^ocrsvc_workers (\S+)$", text, re.MULTILINE))
    assert figure(ocr, "workers").endswith(f"of {2 * workers:g} busy")


def test_a_service_that_is_restarted_or_shares_its_address(ocr: OcrPage) -> None:
    """Counters that begin anew give no rates; those of two services in turn are not mixed."""
    text = httpx.get(f"{ocr.url}/metrics", timeout=30).text
    answers = [text, re.sub(r"(process_start_time_seconds) \S+", r"\1 1", text)]
    turns = iter([*answers, *answers])
    gone = False

    def answer(route: Route) -> None:
        body = None if gone else next(turns, answers[0])
        if body is None:
            route.abort("connectionrefused")
        else:
            route.fulfill(body=body, content_type="text/plain")

    ocr.page.route("**/metrics", answer)
    ocr.key("l")
    status = ocr.page.locator(".live [role=status]")
    expect(status).to_contain_text("Several services answer", timeout=15_000)
    gone = True
    expect(status).to_have_text("The service does not answer; trying again.")
    gone = False
    expect(ocr.page.locator(".live-figure")).to_have_count(9)
    ocr.complaints[:] = [each for each in ocr.complaints if "ERR_CONNECTION_REFUSED" not in each]


def test_what_answers_but_is_no_service_is_not_taken_for_one(ocr: OcrPage) -> None:
    ocr.page.route("**/metrics", lambda route: route.fulfill(body="<p>Hello</p>", content_type="text/html"))
    ocr.key("l")
    expect(ocr.page.locator(".live [role=status]")).to_contain_text("There are no figures at this address")
