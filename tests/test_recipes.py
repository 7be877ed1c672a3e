"""CONTRIBUTING.md names what there is, and what it tells to touch is complete for all that is there already."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ocrsvc.errors import OcrError, kinds
from ocrsvc.formats import FORMATS
from ocrsvc.models.manifest import load
from ocrsvc.models.registry import default_models_dir
from ocrsvc.service import openapi
from ocrsvc.service.parameters import NAMES

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
READMES = ("README.md", "README.zh-CN.md")
MODELS = [load(path.parent).name for path in sorted(default_models_dir().glob("*/manifest.json"))]
PLACEHOLDERS = ("NAME", "SLUG", "DATA")  # for the reader to fill in
PATH = re.compile(r"\.?[\w./-]+/[\w./-]*|\.[a-z][\w.-]+|[\w-]+\.(?:md|toml)")
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def spans() -> list[str]:
    """What stands between backquotes, and where links lead."""
    prose = re.sub(r"^```.*?^```", "", GUIDE, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose) + re.findall(r"\]\((?!http)([^)]+)\)", prose)


def test_each_path_exists() -> None:
    words = [word.removeprefix("TEST=").strip('"') for span in spans() for word in span.split()]
    paths = {word for word in words if PATH.fullmatch(word) and not any(p in word for p in PLACEHOLDERS)}
    paths = {path for path in paths if not path.startswith("/")}  # of the service
    assert len(paths) > 30
    assert not [path for path in paths if not (ROOT / path).exists() and not path.startswith(".venv")]


def test_each_test_that_is_named_exists() -> None:
    named = {span for span in spans() if re.fullmatch(r"test_\w+", span)}
    assert named
    known = {name for path in TEST_FILES for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))}
    assert named <= known


def test_each_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", GUIDE, re.MULTILINE))
    assert {"setup", "setup-train", "lint", "test"} <= named <= targets


def test_lines_are_at_most_100_characters() -> None:
    assert max(map(len, GUIDE.splitlines())) <= 100


def test_the_hooks_are_the_tools_of_make_lint() -> None:
    recipe = text("Makefile").partition("\nlint:")[2].partition("\n\n")[0]
    tools = re.findall(r"\$\(BIN\)/(.+)", recipe)
    hooks = [
        entry.replace(" --force-exclude", "")
        for entry in re.findall(r"entry: \.venv/bin/(.+)", text(".pre-commit-config.yaml"))
    ]
    assert hooks == [tool.removesuffix(" .") for tool in tools]
    assert set(re.findall(r"repo: (.+)", text(".pre-commit-config.yaml"))) == {"local"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_told_everywhere(name: str) -> None:
    for readme in READMES:
        assert f"`{name}`" in text(readme)
    (row,) = re.findall(r"^scheduling \| formats \| machine .+", text("docs/architecture.md"), re.MULTILINE)
    assert name in re.split(r"\W+", row)
    suffix = re.compile(re.escape(FORMATS[name].suffix) + r"\b")
    assert len(suffix.findall(text("src/ocrsvc/commands/read.py"))) >= 2  # the help and the message


def test_a_parameter_is_described_everywhere() -> None:
    shown = [each["name"] for each in openapi.one_picture()["parameters"] if each["in"] == "query"]
    assert tuple(shown) == NAMES
    table = text("docs/api.md").partition("| name | values | default |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(NAMES)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_told_everywhere(name: str) -> None:
    for readme in READMES:
        assert re.search(rf"^\| `{name}`", text(readme), re.MULTILINE)
    assert re.search(rf"^{name}$", text("models/NOTICE"), re.MULTILINE)
    assert name in text("docs/models.md")


def test_the_tree_of_errors_shows_all_of_them() -> None:
    tree = text("src/ocrsvc/errors.py").split('"""')[1]
    shown = re.findall(r"^ {4}[│├└─ ]*── (\w+) (\d{3})", tree, re.MULTILINE)
    below = [each for each in kinds() if each is not OcrError]
    assert sorted(shown) == sorted((each.__name__, str(each.status)) for each in below)


def test_the_description_knows_every_status_of_an_error() -> None:
    statuses = {each.status for each in kinds()}
    assert set(openapi.problems(*statuses)) == statuses
