"""Every program in examples/ against the real service: it prints the text, and one line where it fails."""

from __future__ import annotations

import asyncio
import io
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest
from available import missing
from drawings import DrawnPage
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
FIRST_PAGE = ("收银小票 RECEIPT", "苹果汁 Apple juice 12.50", "合计 TOTAL 37.20")
SECOND_PAGE = ("第二页 Second page", "谢谢惠顾 Thank you")
READERS = (
    ("read.sh",),
    ("read.sh", "multipart"),
    ("read.sh", "raw"),
    ("read.sh", "base64"),
    ("pdf.sh",),
    ("read.mjs",),
    ("read_sync.py",),
    ("read_async.py",),
    ("batch.py",),
)
NODE_VERSION = 18  # the first with fetch

Done = subprocess.CompletedProcess[str]


def run(name: str, url: str, *arguments: object) -> Done:
    """Run one example as its own head says."""
    command = [*_interpreter(name), str(EXAMPLES / name), url, *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", timeout=50, check=False
    )


def _interpreter(name: str) -> list[str]:
    if name.endswith(".py"):
        return [sys.executable]
    if name.endswith(".mjs"):
        return [_node()]
    if shutil.which("curl") is None:
        missing("no curl: install curl")
    return ["bash"]


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        missing("no node: install nodejs")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < NODE_VERSION:
        missing(f"node is {version.strip()}: install nodejs {NODE_VERSION} or newer")
    return node


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    draw_page: Callable[..., DrawnPage],
    jpeg: Callable[..., bytes],
) -> Path:
    """A picture, a document of two pages, and a file that is neither."""
    folder = tmp_path_factory.mktemp("examples")
    pages = [draw_page(lines).image for lines in (FIRST_PAGE, SECOND_PAGE)]
    (folder / "receipt, 1.jpg").write_bytes(jpeg(pages[0]))
    first, second = (Image.open(io.BytesIO(jpeg(page))) for page in pages)
    first.save(folder / "both.pdf", save_all=True, append_images=[second])
    (folder / "bad.jpg").write_bytes(b"no picture")
    (folder / "damaged.pdf").write_bytes(b"%PDF-1.7\nno pages")
    return folder


def test_every_example_is_run() -> None:
    programs = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".sh", ".py", ".mjs")}
    assert programs == {name for name, *_ in READERS}


def test_the_page_of_examples_names_them_all() -> None:
    told = (EXAMPLES / "README.md").read_text("utf-8")
    assert all(f"| `{name} URL" in told for name, *_ in READERS)


@pytest.mark.parametrize(("name", "options"), [(name, rest) for name, *rest in READERS])
def test_it_prints_the_text(name: str, options: Sequence[str], folder: Path, server_url: str) -> None:
    done = run(name, server_url, folder / "receipt, 1.jpg", *options)
    assert done.returncode == 0, done.stderr
    assert "合计 TOTAL 37.20" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize("bad", ["bad.jpg", "damaged.pdf"])
@pytest.mark.parametrize(("name", "options"), [(name, rest) for name, *rest in READERS])
def test_a_problem_is_one_line_and_exit_status_1(
    name: str, options: Sequence[str], bad: str, folder: Path, server_url: str
) -> None:
    status, title = {
        "bad.jpg": (415, "Unsupported media type"),
        "damaged.pdf": (422, "Image cannot be decoded"),
    }[bad]
    done = run(name, server_url, folder / bad, *options)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    head, _, detail = line.partition(f"{title} ({status}): ")
    assert head.strip(": ") == str(folder / bad)
    assert detail.endswith(".")
    assert not done.stdout.strip()


@pytest.mark.parametrize("name", dict.fromkeys(name for name, *_ in READERS))
def test_no_service_and_no_file_are_failures_too(name: str, folder: Path, server_url: str) -> None:
    for url, file in (("http://127.0.0.1:1", "both.pdf"), (server_url, "missing.jpg")):
        done = run(name, url, folder / file)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "Traceback" not in line
    assert run(name, server_url).returncode == 2


def test_a_document_is_read_page_by_page(folder: Path, server_url: str) -> None:
    done = run("pdf.sh", server_url, folder / "both.pdf")
    assert done.returncode == 0, done.stderr
    before, first, second = done.stdout.partition("--- page 1\n")[2].partition("--- page 2\n")
    assert FIRST_PAGE[-1] in before
    assert first
    assert SECOND_PAGE[-1] in second
    assert "--- page 3" not in second


@pytest.mark.parametrize("name", ["read_async.py", "batch.py"])
def test_a_bad_file_spoils_only_itself(name: str, folder: Path, server_url: str) -> None:
    done = run(name, server_url, folder / "both.pdf", folder / "bad.jpg", folder / "receipt, 1.jpg")
    assert done.returncode == 1
    assert done.stdout.count("合计 TOTAL 37.20") == 2
    assert SECOND_PAGE[-1] in done.stdout
    assert len(done.stderr.splitlines()) == 1


def test_a_busy_service_is_asked_again(folder: Path) -> None:
    busy = httpx.Response(503, headers={"retry-after": "0"})
    answers = iter([busy, busy, httpx.Response(200, text="合计\n")])
    read = runpy.run_path(str(EXAMPLES / "read_async.py"))["read"]

    async def ask() -> str:
        transport = httpx.MockTransport(lambda request: next(answers))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            text: str = await read(client, folder / "bad.jpg")
            return text

    assert asyncio.run(ask()) == "合计\n"
