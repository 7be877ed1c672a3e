"""The plugins' own pages: each has something to run, and the commands run as they stand, with the wheel installed.

Programs in Python are run by the tests of their plugins (``page_programs``).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from available import missing
from code_blocks import Block, blocks_of

pytestmark = pytest.mark.timeout(600)

PLUGINS = Path(__file__).parents[2] / "plugins"
COMMANDS = {
    "label-studio-ocrsvc": "fastapi",
    "ocrmypdf-ocrsvc": "ocrmypdf",
}  # and what they are of no use without
PROGRAMS = ("docling-ocrsvc", "langchain-ocrsvc", "llama-index-readers-ocrsvc")
BLOCKS = [
    pytest.param(name, block, id=name)
    for name in COMMANDS
    for block in blocks_of(PLUGINS / name / "README.md")
]


def test_every_plugin_has_a_page_with_something_to_run() -> None:
    names = sorted(path.name for path in PLUGINS.iterdir() if path.is_dir())
    assert names == sorted((*COMMANDS, *PROGRAMS))
    for name in names:
        languages = {block.language for block in blocks_of(PLUGINS / name / "README.md")}
        assert languages == ({"sh"} if name in COMMANDS else {"python"})


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_commands(name: str, block: Block, samples: Path, program: Callable[..., str]) -> None:
    for each in ("tesseract", "pdftotext"):  # OCRmyPDF looks for Tesseract in any case
        if name == "ocrmypdf-ocrsvc" and shutil.which(each) is None:
            missing(f"no {each}")
    assert block.word in program(block.command(), name, COMMANDS[name], cwd=samples)
