"""Builds the site of the documentation: ``python scripts/build_site.py [FOLDER]``, or ``make site`` (dist/site).

The pages are those of docs/ and the READMEs, once with an English and once with a Chinese navigation and start page
(``zh/``); ``site/navigation.toml`` has their order. Zensical makes HTML of them, in strict mode, without fonts or
scripts of other hosts; opened from a disk, without a server, the search works as well. Links to files of the repository
lead there if PROJECT_REPOSITORY_URL is set (``project_links``), else they are plain text.
"""

from __future__ import annotations

import json
import os
import posixpath
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from project_links import REPOSITORY_VARIABLE, in_repository, relinked

from ocrsvc import __version__

ROOT = Path(__file__).parents[1]
START_PAGES = {"en": "README.md", "zh": "README.zh-CN.md"}
_LABELS = {"en": ("Start", "Decisions"), "zh": ("首页", "决策记录")}
_NAMES = {"en": "English", "zh": "简体中文"}
_ASSETS = (".png", ".svg", ".json")
_SHIM = "iframe-worker-1.0.4/shim.js"
_SHIM_URL = "https://unpkg.com/iframe-worker/shim"  # what Zensical's plugin `offline` writes into pages
_DESCRIPTION = "Mixed Chinese/English OCR service for CPUs"


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its file in the repository, its file in the site, and its label in the navigation."""

    file: str
    place: str
    label: str


def pages(language: str) -> Iterator[tuple[str, list[Page]]]:
    """Yield the sections of the navigation with their pages; the first has the start page alone."""
    start, decisions = _LABELS[language]
    yield start, [Page(START_PAGES[language], "index.md", start)]
    sections = tomllib.loads((ROOT / "site" / "navigation.toml").read_text("utf-8"))["section"]
    column = list(START_PAGES).index(language) + 1
    for section in sections:
        yield section[language], [Page(each[0], _place(each[0]), each[column]) for each in section["pages"]]
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    yield (
        decisions,
        [Page("docs/decisions/README.md", "decisions/README.md", decisions), *map(_record, records)],
    )


def _place(file: str) -> str:
    return file.removeprefix("docs/") if file.startswith("docs/") else file.lower()


def _record(path: Path) -> Page:
    title = path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
    return Page(f"docs/decisions/{path.name}", f"decisions/{path.name}", title)


def _target(page: Page, places: dict[str, str], language: str) -> Callable[[str, bool], str | None]:
    """Return where the links of a page lead."""
    folder = posixpath.dirname(page.file)
    outside = in_repository(os.environ.get(REPOSITORY_VARIABLE, ""), __version__, folder)
    other = {"en": "zh/index.html", "zh": "../index.html"}[language]

    def target_of(link: str, picture: bool) -> str | None:
        path, mark, anchor = link.partition("#")
        file = posixpath.normpath(posixpath.join(folder, path))
        if file in START_PAGES.values() and file not in places:
            # The other language has other anchors.
            return other if page.place == "index.md" else _between(page.place, "index.md")
        if f"{file}/README.md" in places:
            file = f"{file}/README.md"
        if file in places:
            return _between(page.place, places[file]) + mark + anchor
        if file.startswith("docs/") and file.endswith(_ASSETS):
            return _between(page.place, _place(file))
        return outside(link, picture)

    return target_of


def _between(place: str, other: str) -> str:
    return posixpath.relpath(other, posixpath.dirname(place) or ".")


def _stage(folder: Path, language: str) -> list[dict[str, Any]]:
    """Write the pages of one language and return the navigation."""
    sections = list(pages(language))
    places = {page.file: page.place for _, each in sections for page in each}
    for _, section in sections:
        for page in section:
            text = relinked((ROOT / page.file).read_text("utf-8"), _target(page, places, language))
            path = folder / page.place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    for path in (ROOT / "docs").rglob("*"):
        if path.suffix in _ASSETS:
            copy = folder / path.relative_to(ROOT / "docs")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    first, *others = sections
    return [
        {first[0]: "index.md"},
        *({label: [{page.label: page.place} for page in section]} for label, section in others),
    ]


def _configuration(language: str, navigation: list[dict[str, Any]]) -> dict[str, Any]:
    links = {"en": ("index.html", "zh/index.html"), "zh": ("../index.html", "index.html")}[language]
    theme = {
        "language": language,
        "font": False,
        "features": ["navigation.indexes", "navigation.top", "search.highlight", "content.code.copy"],
    }
    slugs = {"object": "pymdownx.slugs.slugify", "kwds": {"case": "lower"}}  # those of the repository's host
    return {
        "site_name": "ocrsvc",
        "site_description": _DESCRIPTION,
        "docs_dir": "docs",
        "site_dir": "site",
        "use_directory_urls": False,
        "nav": navigation,
        "theme": theme,
        "plugins": {"search": {}, "offline": {}},
        "markdown_extensions": {
            "attr_list": {},
            "tables": {},
            "toc": {"slugify": slugs, "permalink": True},
            "pymdownx": {"highlight": {}, "superfences": {}},
        },
        "extra": {
            "generator": False,
            "alternate": [
                {"name": name, "link": link, "lang": each}
                for (each, name), link in zip(_NAMES.items(), links, strict=True)
            ],
        },
    }


def _toml(value: Any) -> str:
    """Return a value in TOML; of JSON, only its objects are written in another way."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(
                f"{json.dumps(key, ensure_ascii=False)} = {_toml(each)}" for key, each in value.items()
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _use_own_shim(site: Path) -> None:
    """Let the pages load the shim that lets the search work without a server from the site, not from a CDN."""
    copy = site / "assets" / "javascripts" / "iframe-worker.js"
    shutil.copy(ROOT / "site" / _SHIM, copy)
    for page in site.rglob("*.html"):
        path = Path(os.path.relpath(copy, page.parent)).as_posix()
        page.write_text(page.read_text("utf-8").replace(_SHIM_URL, path), "utf-8")


def build(target: Path) -> None:
    """Build both languages into a folder; CalledProcessError if a link is broken or anything else is wrong."""
    shutil.rmtree(target, ignore_errors=True)
    for language, place in (("en", target), ("zh", target / "zh")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            navigation = _stage(folder / "docs", language)
            configuration = f"project = {_toml(_configuration(language, navigation))}\n"
            (folder / "zensical.toml").write_text(configuration, "utf-8")
            program = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
            subprocess.run(program, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            _use_own_shim(folder / "site")
            shutil.copytree(folder / "site", place, dirs_exist_ok=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / "site")
