"""The page on every screen: widths, touch targets, colours, motion; checked with axe-core as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e.page.ocr_page import READ_MS, Draw, OcrPage, OpenPage
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

AXE = Path(__file__).with_name("axe-core-4.14.1") / "axe.min.js"
_RUN = """axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => violations.map(
  ({id, nodes}) => `${id}: ${nodes.slice(0, 3).map(({target}) => target.join(" ")).join("; ")}`))"""
_SMALL = """(least) => [...document.querySelectorAll("button, summary, select, input:not([type=file])")]
  .map((each) => [each.id || each.className, (each.closest("label") ?? each).getBoundingClientRect(), each])
  .filter(([, box, each]) => each.checkVisibility() && box.width && (box.width < least || box.height < least))
  .map(([name, box]) => `${name} ${Math.round(box.width)}x${Math.round(box.height)}`)"""
WIDE = (360, 412, 768, 1024, 1360, 2560)


def violations(page: Page) -> list[str]:
    """What axe-core finds, evaluated by the debugger: the page's policy lets no script in."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text("utf-8"))
    return [str(each) for each in page.evaluate(_RUN)]


def sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def opened_views(ocr: OcrPage) -> dict[str, Callable[[], None]]:
    """Name of a view -> what opens it, one after the other."""
    page = ocr.page

    def template() -> None:
        page.click("#download summary")
        page.click("#template")
        page.click("#template-add")

    def help_() -> None:
        page.keyboard.press("Escape")
        page.click("#help")

    def live() -> None:
        page.keyboard.press("Escape")
        page.keyboard.press("l")

    def form(name: str) -> Callable[[], None]:
        def show() -> None:
            page.select_option("#form", name)

        return show

    return {
        "lines": lambda: ocr.rows.last.click(),
        "tables": form("tables"),
        "rows": form("rows"),
        "download": lambda: page.click("#download summary"),
        "template": template,
        "history": lambda: page.click("#history"),
        "help": help_,
        "live": live,
    }


READY = {
    "lines": ".row.selected",
    "tables": ".text-view.tables",
    "rows": ".text-view.rows",
    "download": "#download-list .menu-item >> nth=0",
    "template": ".area-list li",
    "history": ".history-dialog[open]",
    "help": "#help-dialog[open]",
    "live": ".live-figure >> nth=0",
}


@pytest.mark.parametrize(
    ("width", "options"),
    [
        (412, {"is_mobile": True, "has_touch": True, "locale": "zh-CN"}),
        (768, {"color_scheme": "dark"}),
        (1360, {}),
    ],
)
def test_axe_finds_nothing_in_any_view(
    open_page: OpenPage, receipt: Draw, width: int, options: dict[str, Any]
) -> None:
    ocr = open_page(viewport={"width": width, "height": 850}, reduced_motion="reduce", **options)
    found = {"welcome": violations(ocr.page)}
    ocr.read(receipt("a.png"), receipt("b.png", ("第二 Second",)))
    for name, show in opened_views(ocr).items():
        show()
        expect(ocr.page.locator(READY[name])).to_be_visible(timeout=READ_MS)
        found[name] = violations(ocr.page)
        if sideways(ocr.page):
            found[name].append("it can be scrolled sideways")
        if width == 412:
            found[name] += ocr.page.evaluate(_SMALL, 44)  # WCAG 2.2, 2.5.5
    assert {name: each for name, each in found.items() if each} == {}


def test_nothing_sticks_out_in_any_view_at_any_width(open_page: OpenPage, receipt: Draw) -> None:
    ocr = open_page(locale="zh-CN", viewport={"width": 1360, "height": 850})
    ocr.read(receipt(f"{'a very long file name ' * 5}.png", ("收据 A",)), receipt("b.png", ("收据 B",)))
    found = []
    for name, show in opened_views(ocr).items():
        show()
        expect(ocr.page.locator(READY[name])).to_be_visible(timeout=READ_MS)
        for width in WIDE:
            ocr.page.set_viewport_size({"width": width, "height": 850})
            if sideways(ocr.page):
                found.append((name, width))
        ocr.page.set_viewport_size({"width": 1360, "height": 850})
    assert found == []


def test_forced_colours_and_reduced_motion_are_heeded(open_page: OpenPage, receipt: Draw) -> None:
    ocr = open_page(forced_colors="active", reduced_motion="reduce")
    ocr.read(receipt())
    ocr.rows.nth(1).click()
    for chosen in (".row.selected", ".entry-open[aria-current]"):  # backgrounds are gone
        style = ocr.page.locator(chosen).evaluate("each => getComputedStyle(each).outlineStyle")
        assert style == "solid", chosen
    moving = ocr.page.evaluate(
        """[...document.querySelectorAll("*")].filter((each) => {
             const style = getComputedStyle(each);
             return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
           }).length"""
    )
    assert moving == 0


def test_the_picture_is_dragged_and_zoomed(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    stage = ocr.page.locator("#stage").bounding_box()
    assert stage is not None
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    before = ocr.page.locator("#zoom-now").inner_text()
    ocr.page.mouse.move(x, y)
    ocr.page.mouse.wheel(0, -200)  # nothing to scroll, so it zooms
    expect(ocr.page.locator("#zoom-now")).not_to_have_text(before)
    ocr.key("+", "+", "+", "+", "+")
    place = "[stage.scrollLeft, stage.scrollTop]"
    left, top = ocr.page.evaluate(place)
    ocr.page.mouse.move(x, y)
    ocr.page.mouse.down()
    ocr.page.mouse.move(x - 40, y - 60, steps=3)
    ocr.page.mouse.up()
    assert ocr.page.evaluate(place) == [left + 40, top + 60]
    expect(ocr.page.locator("polygon.selected")).to_have_count(0)  # a drag is no click


def test_two_fingers_zoom_the_picture_and_not_the_page(open_page: OpenPage, receipt: Draw) -> None:
    ocr = open_page(viewport={"width": 412, "height": 850}, is_mobile=True, has_touch=True)
    ocr.read(receipt())
    before = ocr.page.locator(".sheet").bounding_box()
    stage = ocr.page.locator("#stage").bounding_box()
    assert before is not None
    assert stage is not None
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    client = ocr.page.context.new_cdp_session(ocr.page)

    def touch(kind: str, distance: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x - distance, "y": y}, {"x": x + distance, "y": y}]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 30)
    for distance in (40, 50, 60):
        touch("touchMove", distance)
    touch("touchEnd", 0)
    after = ocr.page.locator(".sheet").bounding_box()
    assert after is not None
    assert after["width"] == pytest.approx(2 * before["width"], rel=0.1)
    assert ocr.page.evaluate("visualViewport.scale") == pytest.approx(1, abs=0.01)


def test_what_is_pasted_last_is_shown(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt("first.png"))
    assert ocr.hand_over("paste", receipt("second.png", ("第二 Second",)))
    expect(ocr.page.locator("#file-name")).to_have_text("second.png")


def test_two_models_are_compared_and_the_better_text_is_taken(ocr: OcrPage, receipt: Draw) -> None:
    other = "crnn-fast"
    ocr.read(receipt("other.png", ("合计 TOTAL 37.20",)))

    def differently(route: Any) -> None:
        answer = route.fetch(timeout=READ_MS)
        body = answer.json()
        body["lines"][0]["text"] = "合计 TOTAL 87.20"
        route.fulfill(response=answer, body=json.dumps(body))

    ocr.page.route(f"**/api/ocr?*model={other}*", differently)
    ocr.page.select_option("#form", "compare")
    ocr.page.select_option("#compare-model", other)
    row = ocr.page.locator(".compare tr.different")
    expect(row).to_have_count(1, timeout=READ_MS)
    assert row.locator("mark").all_text_contents() == ["3", "8"]
    row.get_by_role("button").click()
    expect(ocr.page.locator(".compare tr.different")).to_have_count(0)
    ocr.page.select_option("#form", "lines")
    assert ocr.texts() == ["合计 TOTAL 87.20"]
