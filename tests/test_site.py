"""The site of the documentation: both languages, no broken link, nothing from elsewhere, search without a network."""

from __future__ import annotations

import importlib.util
import posixpath
import subprocess
import sys
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from available import missing
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parents[1]
RESULT = "a[href*='?h=']"

pytestmark = pytest.mark.timeout(400)


class Links(HTMLParser):
    """What a page links, loads, and can be linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value for name, value in attrs if value}
        if "id" in named:
            self.anchors.add(named["id"])
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        elif tag == "link" and named.get("rel") in ("stylesheet", "icon", "preload", "modulepreload"):
            self.loaded.append(named["href"])
        elif "src" in named:
            self.loaded.append(named["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("zensical") is None:
        missing("zensical is not installed: make setup")
    folder = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build_site.py", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr  # strict: Zensical's own warnings are failures
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Links]:
    found: dict[str, Links] = defaultdict(Links)
    for path in site.rglob("*.html"):
        found[path.relative_to(site).as_posix()].feed(path.read_text("utf-8"))
    return dict(found)


def test_every_page_of_the_documentation_is_there_in_both_navigations(
    site: Path, pages: dict[str, Links]
) -> None:
    documents = {
        path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")
    }
    names = {str(path).replace("README.html", "index.html") for path in documents}
    for language in ("", "zh/"):
        assert {f"{language}{name}" for name in names} <= set(pages)
        linked = {posixpath.normpath(each.partition("#")[0]) for each in pages[f"{language}index.html"].links}
        assert names <= linked
    assert "快速开始" in (site / "zh" / "index.html").read_text("utf-8")


def test_no_link_is_broken(site: Path, pages: dict[str, Links]) -> None:
    broken = []
    for name, page in pages.items():
        if name.endswith("404.html"):
            continue  # is shown at any depth
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (
                posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
                if parts.path
                else name
            )
            anchor = unquote(parts.fragment)
            if not (site / target).is_file() or (
                anchor and target in pages and anchor not in pages[target].anchors
            ):
                broken.append((name, link))
    assert broken == []


def test_pages_load_nothing_from_elsewhere(pages: dict[str, Links]) -> None:
    loaded = {each for page in pages.values() for each in page.loaded}
    assert loaded
    assert [
        each for each in loaded if urlsplit(each).scheme not in ("", "data") or each.startswith("//")
    ] == []


@pytest.mark.browser
def test_the_search_works_from_a_disk(site: Path, chromium_path: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(60_000)
        hosts: set[str] = set()
        page.on("request", lambda request: hosts.add(urlsplit(request.url).scheme))
        for start, words, found in (
            ("index.html", "watchdog", "operations.html"),
            ("zh/index.html", "小票", "zh/index.html"),
        ):
            page.goto((site / start).as_uri())
            page.locator(".md-search__button").click()
            expect(page.locator("input[type=text], input[type=search]").last).to_be_focused(timeout=60_000)
            page.keyboard.type(words)
            expect(page.locator(f"{RESULT}[href*='{found}']").first).to_be_visible(timeout=60_000)
        assert hosts <= {"file", "data", "blob"}
        browser.close()
