"""The commands and programs of the README and of pages in docs, as they stand, against a running service.

``code_blocks`` says which.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from available import missing, model_name
from code_blocks import Block, blocks_of
from drawings import DrawnPage, Picture

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / name for name in ("api.md", "structure.md", "fields.md", "python.md")),
    *sorted((ROOT / "docs" / "migrate").glob("*.md")),
]
BLOCKS = [block for page in PAGES for block in blocks_of(page)]


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
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OCRSVC_MODEL": model_name(), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        block.asking(server_url).command(),
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert block.word in done.stdout.decode()
