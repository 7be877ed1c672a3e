"""The programs and commands of the plugins' own pages, as they stand, with the plugin installed as a wheel."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from available import missing
from code_blocks import Block, blocks_of
from drawings import DrawnPage
from PIL import Image

pytestmark = pytest.mark.timeout(600)

PLUGINS = Path(__file__).parents[2] / "plugins"
NEEDS = {  # what a plugin is of no use without
    "docling-ocrsvc": "docling",
    "label-studio-ocrsvc": "fastapi",
    "langchain-ocrsvc": "langchain_core",
    "llama-index-readers-ocrsvc": "llama_index",
    "ocrmypdf-ocrsvc": "ocrmypdf",
}
BLOCKS = [(name, block) for name in NEEDS for block in blocks_of(PLUGINS / name / "README.md")]


@pytest.fixture
def folder(tmp_path: Path, draw_page: Callable[..., DrawnPage]) -> Path:
    """What the pages take for granted: receipt.jpg, scan.pdf, a folder of scans, an export of Label Studio."""
    receipt = Image.fromarray(draw_page().image[:, :, ::-1])
    (tmp_path / "scans").mkdir()
    for name in ("receipt.jpg", "scans/1.jpg"):
        receipt.save(tmp_path / name, quality=92)
    receipt.save(tmp_path / "scan.pdf", resolution=150)
    area = {"x": 10, "y": 1, "width": 50, "height": 9, "rotation": 0, "text": ["上海好又多超市"]}
    result = [{"id": "1", "from_name": "t", "to_name": "i", "type": "textarea", "value": area}]
    task = {"id": 1, "data": {"ocr": "/data/upload/1/0a1b2c3d-1.jpg"}, "annotations": [{"result": result}]}
    (tmp_path / "project.json").write_text(json.dumps([task]), "utf-8")
    return tmp_path


def test_every_plugin_has_a_page_with_something_to_run() -> None:
    assert sorted(path.name for path in PLUGINS.iterdir() if path.is_dir()) == sorted(NEEDS)
    assert {name for name, _ in BLOCKS} == set(NEEDS)


@pytest.mark.parametrize(
    ("name", "block"), BLOCKS, ids=[f"{name}-{block.language}" for name, block in BLOCKS]
)
def test_block(name: str, block: Block, folder: Path, program: Callable[..., str], service_url: str) -> None:
    for each in ("tesseract", "pdftotext"):  # OCRmyPDF looks for Tesseract in any case
        if name == "ocrmypdf-ocrsvc" and shutil.which(each) is None:
            missing(f"no {each}")
    command = block.asking(service_url).command()
    if name == "docling-ocrsvc":
        if importlib.util.find_spec("torch") is None:
            missing("docling's converter needs torch: make setup-train")
        command = [sys.executable, "-c", f"import docling_stand_ins\n{block.code}"]
    assert block.word in program(command, name, NEEDS[name], Path(__file__).parent, cwd=folder)
