"""What a release has beside the code: metadata, the page on an index, notes, a bill of materials."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from available import missing

from ocrsvc import __version__

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY = "https://git.example.org/ocr/ocrsvc"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("repository", ["", REPOSITORY], ids=["no-home", "home"])
def test_the_readme_is_whole_on_an_index(repository: str) -> None:
    if importlib.util.find_spec("readme_renderer") is None:
        missing("readme-renderer is not installed: make setup")
    from readme_renderer import markdown

    text = script("project_links").readme(ROOT, repository, __version__)
    rendered = markdown.render(text)
    assert rendered is not None
    links = re.findall(r'(?:href|src)="([^"]+)"', rendered)
    assert links
    assert [each for each in links if not each.startswith(("https://", "http://", "#"))] == []
    assert (f"{REPOSITORY}/blob/v{__version__}/docs/api.md" in links) == bool(repository)
    assert (f"{REPOSITORY}/raw/v{__version__}/docs/page.png" in links) == bool(repository)
    assert "<!--" not in text
    assert "](" not in re.sub(r"\]\(https?://[^)]+\)", "", text)
    assert "curl -s -F image=@receipt.jpg" in re.sub(r"<[^>]+>", "", rendered)


def test_links_in_code_stay_and_pictures_go() -> None:
    text = "[a](b.md) ![c](d.png) [e](https://x.org) [`f`](g.py#h)\n```\n[i](j.md)\n```\n"
    plain = script("project_links").relinked(text, lambda link, picture: None)
    assert plain == "a  [e](https://x.org) `f`\n```\n[i](j.md)\n```\n"


def test_the_urls_name_the_home_of_a_build() -> None:
    urls = script("project_links").urls
    assert set(urls("", "1.0.0")) == {"Homepage"}
    assert urls(f"{REPOSITORY}/", "1.0.0")["Changelog"] == f"{REPOSITORY}/blob/v1.0.0/CHANGELOG.md"


def test_the_extra_all_has_what_a_service_can_use() -> None:
    extras = PROJECT["optional-dependencies"]
    (requirement,) = extras["all"]
    named = set(re.findall(r"[\w-]+", requirement.partition("[")[2]))
    assert named == set(extras) - {"all", "train", "ray", "peers", "dev"}


def test_the_classifiers_are_of_the_list() -> None:
    if importlib.util.find_spec("trove_classifiers") is None:
        missing("trove-classifiers is not installed: it comes with hatchling")
    from trove_classifiers import classifiers

    assert set(PROJECT["classifiers"]) <= set(classifiers)


def test_the_notes_of_a_version() -> None:
    release_notes = script("release_notes")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert release_notes.versions(changelog)[0] == "Unreleased"
    assert release_notes.notes(changelog, "Unreleased").startswith("### ")
    released = release_notes.released(changelog, "0.1.0", "2026-12-01")
    assert release_notes.versions(released)[:2] == ["Unreleased", "0.1.0"]
    assert release_notes.notes(released, "0.1.0") == release_notes.notes(changelog, "Unreleased")
    assert "## [0.1.0] - 2026-12-01\n" in released
    with pytest.raises(ValueError, match="nothing new"):
        release_notes.released(released, "0.2.0", "2026-12-02")
    for version, date in (("1.2", "2026-12-01"), ("1.2.3", "today")):
        with pytest.raises(ValueError, match="such as"):
            release_notes.released(changelog, version, date)
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "release_notes.py", "9.9.9"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.startswith("9.9.9 has no notes; there are Unreleased")) == (1, True)


def test_the_bill_of_materials_is_valid_and_whole(tmp_path: Path) -> None:
    if importlib.util.find_spec("cyclonedx_py") is None:
        missing("cyclonedx-bom is not installed: make setup")
    path = tmp_path / "sbom.json"
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "sbom.py", path], check=True
    )  # refuses what is not valid
    bom = json.loads(path.read_text("utf-8"))
    assert bom["metadata"]["component"]["version"] == __version__
    components = {each["name"]: each for each in bom["components"]}
    lock = (ROOT / "containers" / "requirements.txt").read_text("utf-8")
    assert set(re.findall(r"^([a-z0-9][a-z0-9.-]*)==", lock, re.MULTILINE)) <= set(components)
    assert {"crnn", "crnn-fast", "pdfjs-dist"} <= set(components)
    (weights, *_) = components["crnn"]["components"]
    assert len(weights["hashes"][0]["content"]) == 64
    assert str(ROOT) not in path.read_text("utf-8")
