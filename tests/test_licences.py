"""docs/licences.md says of every package and model what it says of itself, and the lock file holds what is needed."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "containers" / "requirements.txt"
PAGE = (ROOT / "docs" / "licences.md").read_text("utf-8")


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", ROOT / "scripts" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_locked_package_has_a_row_and_no_other(licences: ModuleType) -> None:
    rows = re.findall(r"^\| \[([^\]]+)\]", licences.table(PAGE, "packages"), re.MULTILINE)
    assert rows == licences.locked()


def test_the_licences_are_those_of_the_installed_packages(licences: ModuleType) -> None:
    """Homes of packages may move with their versions; licences must not unseen."""
    told = dict(
        re.findall(r"^\| \[([^\]]+)\]\S+ \| (.+) \|$", licences.table(PAGE, "packages"), re.MULTILINE)
    )
    installed = {name: row.split(" | ")[-1].removesuffix(" |") for name, row in licences.packages().items()}
    assert installed.keys() >= {"numpy", "onnxruntime", "fastapi", "opencv-python-headless"}
    assert {name: told[name] for name in installed} == installed
    assert "not stated" not in told.values()


def test_the_weights_are_those_of_the_manifests(licences: ModuleType) -> None:
    assert licences.table(PAGE, "weights").splitlines()[2:] == licences.weights()


def test_the_libraries_of_the_page_are_listed_with_their_licences(licences: ModuleType) -> None:
    assert licences.table(PAGE, "libraries").splitlines()[2:] == licences.libraries()
    listed = json.loads((licences.VENDOR / "vendor.json").read_text("utf-8"))
    assert {each["folder"] for each in listed} == {
        path.name for path in licences.VENDOR.iterdir() if path.is_dir()
    }
    for each in listed:
        assert each["folder"].endswith(f"-{each['version']}")  # browsers keep these files for a year
        assert (licences.VENDOR / each["folder"] / "LICENSE").is_file()


def pins() -> dict[str, list[tuple[str, str]]]:
    """Name -> (version, what follows up to the next package) of every pin of the lock file."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, version, rest in re.findall(
        r"^([a-z0-9.-]+)==(\S+)((?:.|\n)*?)(?=^[a-z0-9]|\Z)", LOCK.read_text("utf-8"), re.MULTILINE
    ):
        found.setdefault(name, []).append((version, rest))
    return found


def test_every_pin_has_hashes() -> None:
    assert len(pins()) > 30
    bare = [name for name, each in pins().items() if not all("--hash=sha256:" in rest for _, rest in each)]
    assert not bare


def test_the_lock_file_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for requirement in map(Requirement, project["dependencies"]):
        versions = [version for version, _ in pins()[canonicalize_name(requirement.name)]]
        assert all(version in requirement.specifier for version in versions), requirement
