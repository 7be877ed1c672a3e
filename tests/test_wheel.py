"""The wheel carries everything: installed outside the checkout it reads a picture and serves its page.

``python -m build`` makes the same wheel; here hatchling is called directly because a build of its own environment
would need a package index. The libraries come from this environment, ocrsvc only from the wheel.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from drawings import DrawnPage
from running_server import RunningServer

ROOT = Path(__file__).parents[1]
LISTENING = re.compile(r"running on (http://\S+)")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel unpacked into it."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, "--no-compile", "--disable-pip-version-check", str(wheel)], check=True)
    # Appended to sys.path, so that the checkout, an editable installation there, is not found by its .pth file.
    (packages,) = home.glob("lib/python3*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return home / "bin"


def test_models_and_page_are_in_it_whole(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for folder in ("models", "web"):
            for path in (ROOT / folder).rglob("*"):
                if path.is_file() and not path.name.startswith("."):
                    assert f"ocrsvc/_assets/{path.relative_to(ROOT).as_posix()}" in names
        manifests = [name for name in names if name.endswith("/manifest.json")]
        assert {name.split("/")[-2] for name in manifests} >= {
            "crnn",
            "crnn-auto",
            "crnn-fast",
            "ppocrv6-det-small",
            "ppocrv6-det-tiny",
        }
        for name in manifests:
            for file in json.loads(archive.read(name)).get("files", {}).values():
                data = archive.read(name.replace("manifest.json", file["path"]))
                assert hashlib.sha256(data).hexdigest() == file["sha256"], name
        licences = {name.split("/", 2)[-1] for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "models/NOTICE"}
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "bench/"))]


def test_installed_it_reads_and_serves(
    installed: Path, tmp_path: Path, draw_page: Callable[..., DrawnPage], png: Callable[..., bytes]
) -> None:
    picture = tmp_path / "receipt.png"
    picture.write_bytes(png(draw_page().image))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OCRSVC_PORT": "0"}

    where = "import ocrsvc, ocrsvc.models.registry; print(ocrsvc.__file__, ocrsvc.models.registry.default_models_dir())"
    told = subprocess.run(
        [installed / "python", "-c", where],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(path.startswith(str(installed.parent)) for path in told.stdout.split())

    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [installed / "ocrsvc", "serve"],
            env=environment,
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = RunningServer("", process, log)
    try:
        read = subprocess.run(
            [installed / "ocrsvc", "read", picture], env=environment, cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert read.returncode == 0, read.stderr
        assert "合计 TOTAL" in read.stdout
        while not (listening := LISTENING.search(server.log_text())):
            assert process.poll() is None, server.log_text()
            time.sleep(0.05)
        server = RunningServer(listening[1], process, log)
        server.wait_until_ready()
        assert "<script" in httpx.get(f"{server.url}/", timeout=30).text
        answer = httpx.post(f"{server.url}/api/ocr", content=picture.read_bytes(), timeout=50)
        assert "合计 TOTAL" in answer.json()["text"]
    finally:
        assert server.stop() == 0
