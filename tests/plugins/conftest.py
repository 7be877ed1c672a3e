"""Plugins as their users have them: wheels, installed into folders of their own; and a service that they may ask."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from available import missing
from drawings import DrawnPage
from PIL import Image
from running_server import launch

MODEL = "crnn-fast"  # the cheapest: plugins hand over what is read, and what is drawn here is easy
PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``plugin(name)`` -> the folder with the wheel of plugins/NAME, installed without what it depends on."""
    installed: dict[str, Path] = {}

    def install(name: str) -> Path:
        if name not in installed:
            wheels, folder = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp(name)
            build = [
                sys.executable,
                "-m",
                "hatchling",
                "build",
                "--target",
                "wheel",
                "--directory",
                str(wheels),
            ]
            subprocess.run(build, cwd=PLUGINS / name, check=True, capture_output=True)
            (wheel,) = wheels.glob("*.whl")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            pip += ["--no-deps", "--no-index", "--no-compile", "--target", str(folder), str(wheel)]
            subprocess.run(pip, check=True, capture_output=True)
            installed[name] = folder
        return installed[name]

    return install


@pytest.fixture(scope="session")
def program(plugin: Callable[[str], Path]) -> Callable[..., str]:
    """``program(command, plugin_name, needs, given="", cwd=None)`` -> what a command prints with a plugin installed.

    ``needs``: the module without which the plugin is of no use. The modules of this folder can be imported.
    """

    def run(command: list[str], name: str, needs: str, *, given: str = "", cwd: Path | None = None) -> str:
        if importlib.util.find_spec(needs) is None:
            missing(f"no {needs}: make setup")
        installed = plugin(name)
        path = os.pathsep.join([str(installed), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        scripts = os.pathsep.join(
            [str(installed / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        environment = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), "PATH": scripts}
        environment |= {"OCRSVC_MODEL": MODEL, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            command, cwd=cwd, env=environment, input=given, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory, draw_page: Callable[..., DrawnPage]) -> Path:
    """A folder with what the plugins' pages take for granted: a receipt, a scan, a folder of scans, an export."""
    folder = tmp_path_factory.mktemp("samples")
    receipt = Image.fromarray(draw_page().image[:, :, ::-1])
    (folder / "scans").mkdir()
    for name in ("receipt.jpg", "scans/1.jpg"):
        receipt.save(folder / name, quality=92)
    receipt.save(folder / "scan.pdf", resolution=150)
    area = {"x": 10, "y": 1, "width": 50, "height": 9, "rotation": 0, "text": ["上海好又多超市"]}
    result = [{"id": "1", "from_name": "t", "to_name": "i", "type": "textarea", "value": area}]
    task = {"id": 1, "data": {"ocr": "/data/upload/1/0a1b2c3d-1.jpg"}, "annotations": [{"result": result}]}
    (folder / "project.json").write_text(json.dumps([task]), "utf-8")
    return folder


@pytest.fixture(scope="session")
def service_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that is ready to read."""
    with launch(tmp_path_factory.mktemp("server"), model=MODEL) as running:
        running.wait_until_ready()
        yield running.url
