"""Clients are generated from the document of the running service, and read with it; linters find nothing in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from drawings import DrawnPage
from npm import Npm, found_npm, run
from pydantic import SecretStr
from running_server import RunningServer

from ocrsvc.service.app import create_app
from ocrsvc.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples" / "generated"
LINTERS = Path(__file__).parent / "openapi_linters"
KEY = "0123456789abcdef0123456789abcdef"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Npm:
    return found_npm(tmp_path_factory.mktemp("npm"))


@pytest.fixture
def files(tmp_path: Path, draw_page: Callable[..., DrawnPage], png: Callable[..., bytes]) -> list[Path]:
    """Two pictures, the second of which is none."""
    picture, text = tmp_path / "receipt.png", tmp_path / "notes.txt"
    picture.write_bytes(png(draw_page().image))
    text.write_text("no picture")
    return [picture, text]


def check(done: subprocess.CompletedProcess[str]) -> None:
    """The first file is read alone; of both in one request, one is read and the other refused."""
    first, one, other = (done.stdout + "--- ").split("--- ")[:3]
    assert "合计 TOTAL 37.20" in first, done.stdout + done.stderr
    assert {one.partition("\n")[0], other.partition("\n")[0]} == {"receipt.png", "notes.txt"}
    assert ("合计 TOTAL 37.20" in one) != ("合计 TOTAL 37.20" in other)
    assert done.stderr.startswith("notes.txt: Unsupported media type (415): ")
    assert done.returncode == 1


def test_a_client_in_python_reads_a_picture_and_a_batch(
    server: RunningServer, files: list[Path], tmp_path: Path
) -> None:
    program = Path(sys.executable).with_name("openapi-python-client")
    generate: list[str | Path] = [program, "generate", "--meta", "none"]
    generate += ["--url", f"{server.url}/openapi.json", "--output-path", tmp_path / "ocrsvc_api"]
    generate += ["--config", EXAMPLES / "openapi-python-client.yaml"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it formats with ruff
    made = subprocess.run(
        generate, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    # All that it leaves out are the types of answers in JSON Lines.
    left_out = made.stderr.count("(Unsupported content_type application/jsonl)")
    assert made.stderr.count("WARNING") == left_out >= 1, made.stderr
    command = [sys.executable, str(EXAMPLES / "read.py"), server.url, *map(str, files)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    check(subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False))


def test_a_client_in_typescript_reads_a_picture_and_a_batch(
    npm: Npm, server: RunningServer, files: list[Path], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for path in EXAMPLES.iterdir():
        if path.suffix in (".json", ".ts", ".mjs") and path.name != "api.ts":
            shutil.copy(path, project)
    npm.install(project)
    npm.script(project, "generate", server.url)
    npm.script(project, "build")  # checks all types
    check(run(["node", "built/read.js", server.url, *map(str, files)], project))


@pytest.fixture(scope="module")
def linters(npm: Npm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the linters."""
    project = tmp_path_factory.mktemp("linters")
    shutil.copytree(LINTERS, project, dirs_exist_ok=True)
    npm.install(project)
    return project


@pytest.mark.parametrize("keys", [False, True], ids=["open", "with-keys"])
def test_the_linters_find_nothing(keys: bool, linters: Path, server: RunningServer, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    if keys:
        document.write_text(json.dumps(create_app(Settings(api_keys=SecretStr(KEY))).openapi()), "utf-8")
    else:
        document.write_bytes(httpx.get(f"{server.url}/openapi.json").content)
    redocly = run(["node_modules/.bin/redocly", "lint", "--format", "json", str(document)], linters)
    assert redocly.returncode == 0, redocly.stdout + redocly.stderr
    assert json.loads(redocly.stdout)["problems"] == []
    spectral = ["node_modules/.bin/spectral", "lint", "--ruleset", "spectral.yaml", "--fail-severity", "hint"]
    done = run([*spectral, str(document)], linters)
    assert done.returncode == 0, done.stdout
