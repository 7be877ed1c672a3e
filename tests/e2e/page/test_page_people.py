"""The page for everybody: two languages, the keyboard alone, phones, light and dark, screen readers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e.page.ocr_page import READ_MS, Draw, OcrPage, OpenPage
from playwright.sync_api import FilePayload, Page, expect

pytestmark = pytest.mark.browser

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
NO_PICTURE = FilePayload(
    name="notes.docx", mimeType="application/octet-stream", buffer=b"Dear Sir or Madam, ..."
)

# Pairs of the style sheet's colours that carry text: ink, ground.
_INKS = [
    ("--ink", "--paper"),
    ("--ink", "--surface"),
    ("--ink", "--accent-tint"),
    ("--ink-soft", "--paper"),
    ("--ink-soft", "--surface"),
    ("--ink-soft", "--accent-tint"),
    ("--accent", "--surface"),
    ("--accent-ink", "--accent"),
    ("--accent-ink", "--accent-hover"),
    ("--doubt", "--doubt-tint"),
    ("--bad", "--bad-tint"),
    ("--bad", "--paper"),
    ("--ink", "--bad-tint"),
    ("--ink-soft", "--bad-tint"),
    ("--ink", "--doubt-tint"),
]
_CONTRAST = """(pairs) => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const parts = style.getPropertyValue(name).trim().slice(1).match(/../g).map((each) => parseInt(each, 16) / 255);
    const [r, g, b] = parts.map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return pairs.map(([ink, ground]) => {
    const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  });
}"""


def sideways(page: Page) -> bool:
    """Whether the page can be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize(
    ("locale", "tag", "choose"), [("zh-CN", "zh-CN", "选择文件"), ("de-DE", "en", "Choose files")]
)
def test_the_browsers_language_is_the_first_choice(
    open_page: OpenPage, locale: str, tag: str, choose: str
) -> None:
    ocr = open_page(locale=locale)
    expect(ocr.page.locator("html")).to_have_attribute("lang", tag)
    expect(ocr.page.locator("#welcome-choose")).to_have_text(choose)


def test_the_language_can_be_switched_at_any_time_and_is_remembered(ocr: OcrPage, receipt: Draw) -> None:
    ocr.refusals_expected = True
    ocr.read(NO_PICTURE, receipt())
    expect(ocr.page.locator(".refusal")).to_contain_text("What to do")
    ocr.page.get_by_role("button", name="中文").click()
    expect(ocr.page.locator(".refusal")).to_contain_text("不支持的文件类型")
    expect(ocr.page.locator(".refusal")).to_contain_text("怎么办")
    expect(ocr.page.locator(".refusal .card-detail")).to_have_text("服务器不支持此类文件。")
    expect(ocr.page.locator(".refusal [lang=en]")).to_contain_text("not supported")
    ocr.page.locator(".entry-open", has_text="receipt.png").click()
    expect(ocr.page.locator("#lines-title")).to_have_text("3 行")
    expect(ocr.page.locator("#copy-all")).to_have_text("复制全文")
    ocr.page.reload()
    expect(ocr.page.locator("#choose")).to_have_text("选择文件")
    ocr.page.get_by_role("button", name="English").click()
    expect(ocr.page.locator("#choose")).to_have_text("Choose files")


def test_both_languages_have_every_word(ocr: OcrPage) -> None:
    english, chinese = ocr.page.evaluate(
        """async () => [
          {...(await import("./static/english.js")).ENGLISH, ...(await import("./static/english_more.js")).MORE_WORDS},
          {...(await import("./static/chinese.js")).CHINESE, ...(await import("./static/chinese_more.js")).MORE_WORDS},
        ]"""
    )
    assert set(english) - set(chinese) == set()
    assert {key for key in set(chinese) - set(english) if not key.startswith(("title.", "detail."))} == set()
    for key, words in english.items():
        assert sorted(_blanks(words)) == sorted(_blanks(chinese[key])), key


def _blanks(words: str) -> list[str]:
    return [part.partition("}")[0] for part in words.split("{")[1:]]


def test_everything_can_be_done_with_the_keyboard(ocr: OcrPage, receipt: Draw) -> None:
    for _ in range(10):
        if ocr.page.evaluate("document.activeElement.id") == "welcome-choose":
            break
        ocr.key("Tab")
    expect(ocr.page.locator("#welcome-choose")).to_be_focused()
    with ocr.page.expect_file_chooser() as chooser:
        ocr.key("Enter")
    chooser.value.set_files([receipt("one.png"), receipt("two.png", ("第二 Second",))])
    ocr.wait_until_finished(2)
    ocr.key("ArrowDown", "ArrowDown")
    expect(ocr.rows.nth(1)).to_be_focused()
    outline = ocr.rows.nth(1).evaluate("row => getComputedStyle(row).outlineStyle")
    assert outline == "solid"
    ocr.key("c")
    expect(ocr.status).to_have_text("Copied 1 line")
    assert ocr.clipboard() == ocr.texts()[1]
    ocr.key("Tab")
    expect(ocr.rows.nth(1).get_by_role("button", name="Correct this line")).to_be_focused()
    ocr.key("Shift+Tab", "Enter", "End")
    ocr.page.keyboard.type(" ok")
    ocr.key("Enter")
    assert ocr.texts()[1].endswith(" ok")
    ocr.key("a")
    expect(ocr.status).to_have_text("Copied 3 lines")
    ocr.key("]")
    expect(ocr.page.locator("#file-name")).to_have_text("two.png")
    ocr.key("[")
    expect(ocr.page.locator("#file-name")).to_have_text("one.png")
    expect(ocr.rows.nth(1)).to_have_attribute("aria-selected", "true")


def test_every_shortcut_is_in_the_help_and_can_be_switched_off(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    ocr.key("?")
    expect(ocr.page.locator("#help-dialog")).to_be_visible()
    keys = set(ocr.page.locator("#help-keys kbd").all_text_contents())
    assert keys >= {"O", "D", "C", "A", "Enter", "]", "[", ">", "<", "B", "T", "+", "0", "L", "?"}
    ocr.page.get_by_label("Single-key shortcuts").uncheck()
    ocr.key("Escape")
    expect(ocr.page.locator("#help-dialog")).to_be_hidden()
    ocr.key("a")
    ocr.page.wait_for_timeout(200)
    expect(ocr.status).not_to_have_text("Copied 3 lines")


def test_zoom_and_the_views_of_the_picture(ocr: OcrPage, receipt: Draw) -> None:
    ocr.read(receipt())
    fit = ocr.page.locator(".sheet").bounding_box()
    ocr.key("+", "+")
    closer = ocr.page.locator(".sheet").bounding_box()
    assert fit is not None
    assert closer is not None
    assert closer["width"] == pytest.approx(fit["width"] * 1.25**2, rel=0.01)
    ocr.key("0")
    assert ocr.page.locator(".sheet").bounding_box() == fit
    ocr.key("t")
    assert ocr.page.locator(".sheet text").all_text_contents() == ocr.texts()
    ocr.key("t", "b")
    expect(ocr.page.locator(".sheet text")).to_have_count(0)
    expect(ocr.page.locator("#show-boxes")).to_have_attribute("aria-pressed", "false")


def test_a_phone_has_one_column_and_large_targets(open_page: OpenPage, receipt: Draw) -> None:
    ocr = open_page(**PHONE)
    ocr.refusals_expected = True
    assert not sideways(ocr.page)
    expect(ocr.page.locator("#camera")).to_have_attribute("capture", "environment")
    with ocr.page.expect_file_chooser() as chooser:
        ocr.page.locator("#welcome-photo").tap()
    assert not chooser.value.is_multiple()
    chooser.value.set_files([receipt("photo.png")])
    ocr.wait_until_finished(1)
    ocr.choose(NO_PICTURE)
    ocr.wait_until_finished(2)
    assert not sideways(ocr.page)
    ocr.rows.nth(2).tap()
    expect(ocr.boxes.nth(2)).to_be_in_viewport()
    expect(ocr.rows.nth(2)).to_be_in_viewport()
    picture, text = ocr.page.locator(".picture").bounding_box(), ocr.page.locator(".lines").bounding_box()
    assert picture is not None
    assert text is not None
    assert picture["width"] == text["width"] == PHONE["viewport"]["width"]
    small = ocr.page.evaluate(
        """[...document.querySelectorAll("button, summary, select")]
             .map((each) => [each.id || each.className, each.getBoundingClientRect()])
             .filter(([, box]) => box.width && (box.width < 44 || box.height < 44)).map(([name]) => name)"""
    )
    assert small == []
    ocr.page.locator("#options summary").tap()
    assert not sideways(ocr.page)
    menu = ocr.page.locator("#options-form").bounding_box()
    assert menu is not None
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= PHONE["viewport"]["width"]
    ocr.page.locator(".brand").tap()
    ocr.page.locator(".entry-open", has_text="notes.docx").tap()
    expect(ocr.page.locator(".refusal")).to_be_visible()
    assert not sideways(ocr.page)


@pytest.mark.parametrize("width", [320, 768, 1000, 1100, 1920])
def test_nothing_sticks_out_at_any_width(open_page: OpenPage, receipt: Draw, width: int) -> None:
    ocr = open_page(viewport={"width": width, "height": 800}, locale="zh-CN")
    assert not sideways(ocr.page)
    ocr.read(receipt(f"{'a very long file name ' * 5}.png", ("收据 A",)), receipt("b.png", ("收据 B",)))
    assert not sideways(ocr.page)
    for selector in ("#copy-all", "#lines-title", "#all-download summary", "#help"):
        box = ocr.page.locator(selector).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_colour_schemes(open_page: OpenPage, scheme: str) -> None:
    ocr = open_page(color_scheme=scheme)
    ground = ocr.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(243, 244, 241)" if scheme == "light" else "rgb(20, 24, 23)")
    ratios = ocr.page.evaluate(_CONTRAST, [list(pair) for pair in _INKS])
    assert {pair: ratio for pair, ratio in zip(_INKS, ratios, strict=True) if ratio < 4.5} == {}


def test_screen_readers_are_told(ocr: OcrPage, receipt: Draw) -> None:
    expect(ocr.status).to_have_attribute("aria-live", "polite")
    ocr.read(receipt())
    expect(ocr.status).to_have_text("receipt.png: 3 lines.")
    grid = ocr.page.get_by_role("grid", name="Text")
    expect(grid.get_by_role("row")).to_have_count(3)
    expect(grid.get_by_role("row").first).to_contain_text("Confidence")
    nameless = ocr.page.evaluate(
        """[...document.querySelectorAll("button, select, input, summary, [role=region]")]
             .filter((each) => each.checkVisibility() && !each.getAttribute("aria-hidden"))
             .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim()
                                 || each.labels?.length)).map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


def test_nothing_is_kept_but_the_settings_if_one_says_so(ocr: OcrPage, receipt: Draw) -> None:
    ocr.page.click("#history")
    ocr.page.get_by_label("Keep documents").uncheck()
    ocr.key("Escape")
    ocr.read(receipt())
    ocr.page.locator("#threshold").fill("80")
    ocr.page.get_by_role("button", name="中文").click()
    ocr.page.reload()
    expect(ocr.page.locator("#welcome")).to_be_visible()
    kept = ocr.page.evaluate(
        "JSON.stringify([{...localStorage}, Object.keys(sessionStorage), document.cookie])"
    )
    local, session, cookie = json.loads(kept)
    assert local == {"ocrsvc.threshold": "80", "ocrsvc.language": "zh", "ocrsvc.history": "off"}
    assert (session, cookie) == (["ocrsvc.visit"], "")
    assert ocr.page.evaluate("indexedDB.databases()") == []
    expect(ocr.page.locator("#threshold")).to_have_value("80")
    ocr.read(receipt("next.png"))
    expect(ocr.rows).to_have_count(3, timeout=READ_MS)
