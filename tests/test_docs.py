"""The documentation names every setting, with its default, and links to files that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ocrsvc.errors import OcrError
from ocrsvc.formats import FORMATS
from ocrsvc.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDERS = {name: sorted((ROOT / "docs" / name).glob("*.md")) for name in ("decisions", "lab", "migrate")}
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").glob("*.md"),
        *FOLDERS["decisions"],
        *FOLDERS["lab"],
        *FOLDERS["migrate"],
        *(ROOT / "plugins").glob("*/README.md"),
    ]
)
# docs/decisions/0007 or docs/decisions/0007-onnx-runtime-arena.md
RECORD = re.compile(r"\bdocs/decisions/(\d{4})(-[a-z0-9-]+\.md)?")


def shown(value: object) -> str:
    return "" if value is None else str(value)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_documented_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    variable, default = f"OCRSVC_{name.upper()}", shown(field.default)
    cell = f" `{default}` " if default else " "
    assert f"| `{variable}` |{cell}|" in (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert f"\n# {field.description}\n#{variable}={default}\n" in (ROOT / ".env.example").read_text("utf-8")


def test_no_setting_is_documented_that_does_not_exist() -> None:
    known = {f"OCRSVC_{name.upper()}" for name in Settings.model_fields}
    for page in [*PAGES, ROOT / ".env.example"]:
        assert set(re.findall(r"\bOCRSVC_[A-Z_]+\b", page.read_text("utf-8"))) <= known, page.name


def test_the_example_file_holds_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uncommented as a whole, the file changes nothing: an empty value is no value."""
    for line in (ROOT / ".env.example").read_text("utf-8").splitlines():
        if line.startswith("#OCRSVC_"):
            monkeypatch.setenv(*line[1:].split("=", 1))
    assert Settings().model_dump() == Settings.model_construct().model_dump()


def test_the_diagram_of_packages_is_the_import_contract() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    diagram = text.partition("## Packages")[2].split("```")[1].strip("\n")
    rows = [re.split(r"\s{2,}", row)[0] for row in diagram.splitlines()]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    assert rows == contracts[0]["layers"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))]
    missing = [link for link in links if not (page.parent / link.partition("#")[0]).exists()]
    assert not missing


@pytest.mark.parametrize("folder", ["decisions", "lab"])
def test_each_record_is_in_the_index_once(folder: str) -> None:
    index = (ROOT / "docs" / folder / "README.md").read_text("utf-8")
    pages = [page.name for page in FOLDERS[folder] if page.name != "README.md"]
    assert re.findall(r"\]\(([^)/]+\.md)\)", index) == pages


def test_the_index_of_decisions_has_each_record_s_number_title_and_date() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    records = [page for page in FOLDERS["decisions"] if page.name != "README.md"]
    for number, page in enumerate(records, 1):
        assert re.fullmatch(rf"{number:04d}(-[a-z0-9]+)+\.md", page.name)
        text = page.read_text("utf-8")
        head = re.match(rf"# {number:04d}\. (.+)\n\nDate: (\d{{4}}-\d\d-\d\d)\b", text)
        assert head, page.name
        assert f"\n| [{number:04d}]({page.name}) | {head[1]} | {head[2]} | " in index


def test_source_comments_name_records_that_exist() -> None:
    names = {page.name for page in FOLDERS["decisions"]}
    numbers = {name[:4] for name in names}
    for path in (ROOT / "src").rglob("*"):
        if path.suffix in {".py", ".yaml"}:
            for number, rest in RECORD.findall(path.read_text("utf-8")):
                assert number + rest in names if rest else number in numbers, path


def test_the_interface_page_names_every_status_and_format() -> None:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    kinds, todo = set(), [OcrError]
    while todo:
        kinds.add((kind := todo.pop()).status)
        todo += kind.__subclasses__()
    assert {int(status) for status in re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE)} == kinds | {405}
    assert all(f"`{name}`" in text for name in FORMATS)
