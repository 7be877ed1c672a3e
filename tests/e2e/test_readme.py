"""The commands and programs of the README and of pages in docs, as they stand, against a running service.

A block runs if an HTML comment ``test: expect WORD`` stands before it: it must succeed and print WORD.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from available import missing, model_name
from drawings import DrawnPage, Picture

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / name for name in ("api.md", "structure.md", "fields.md", "python.md")),
    *sorted((ROOT / "docs" / "migrate").glob("*.md")),
]
ADDRESS = "http://localhost:8000"
BLOCK = re.compile(
    r"<!-- test: expect (?P<word>[^\n]+) -->\n```(?P<language>\w+)\n(?P<code>.*?)```", re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One block of code and the word that it must print."""

    language: str
    code: str
    word: str

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.code] if self.language == "python" else ["bash", "-ec", self.code]


BLOCKS = [
    Block(m["language"], m["code"], m["word"])
    for page in PAGES
    for m in BLOCK.finditer(page.read_text("utf-8"))
]


@pytest.fixture
def folder(
    tmp_path: Path,
    draw_page: Callable[..., DrawnPage],
    draw_line: Callable[..., Picture],
    jpeg: Callable[..., bytes],
    png: Callable[[Picture], bytes],
) -> Path:
    """What the pages take for granted: receipt.jpg, a folder of scans, and two lines."""
    receipt = jpeg(draw_page().image)
    (tmp_path / "scans").mkdir()
    for path in (tmp_path / "receipt.jpg", tmp_path / "scans" / "1.jpg"):
        path.write_bytes(receipt)
    (tmp_path / "card.png").write_bytes(png(draw_line("4539148803436467")))
    (tmp_path / "label.png").write_bytes(png(draw_line("苹果汁 Apple juice")))
    return tmp_path


def test_the_pages_have_blocks_to_run() -> None:
    assert {block.language for block in BLOCKS} == {"sh", "python"}
    assert len(BLOCKS) >= 10


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.code.split("\n")[0][:60])
def test_block(block: Block, folder: Path, server_url: str) -> None:
    if "curl" in block.code and shutil.which("curl") is None:
        missing("no curl: install curl")
    here = Block(block.language, block.code.replace(ADDRESS, server_url), block.word)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OCRSVC_MODEL": model_name(), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        here.command(), cwd=folder, env=environment, capture_output=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert block.word in done.stdout.decode()
