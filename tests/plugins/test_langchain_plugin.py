"""LangChain's loader and parser: pages as documents, through LangChain's own classes, here and with a service."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from code_blocks import blocks_of
from drawings import DrawnPage
from PIL import Image

pytestmark = pytest.mark.timeout(600)

BLOCKS = blocks_of(Path(__file__).parents[2] / "plugins" / "langchain-ocrsvc" / "README.md")
PAGES = (("第一页 First page", "合计 TOTAL 37.20"), ("第二页 Second page",), ())

# All in one process, which takes long to start: the loader at once, lazily and with an event loop, and the parser.
PROGRAM = """
import asyncio, json, sys
from page_programs import printed
from langchain_core.documents.base import Blob
from langchain_ocrsvc import OcrsvcLoader, OcrsvcParser
from ocrsvc import OcrError

scan, broken, url = sys.argv[1:]

async def with_event_loop():
    return [page async for page in OcrsvcLoader(scan, layout="lines").alazy_load()]

lazy = OcrsvcLoader([scan, broken]).lazy_load()
before = [next(lazy) for _ in range(3)]
try:
    next(lazy)
except OcrError as error:
    raised = error.detail
parser = OcrsvcParser(url=url, model=before[0].metadata["model"], pages="2")
given = Blob.from_data(open(scan, "rb").read(), mime_type="application/pdf", metadata={"case": 7})
shown = {
    "here": before,
    "raised": raised,
    "async": asyncio.run(with_event_loop()),
    "service": OcrsvcLoader(scan, url=url).load(),
    "parser": parser.parse(given),
}
shown = {k: v if isinstance(v, str) else [dict(page) for page in v] for k, v in shown.items()}
json.dump({**shown, "page": printed(json.load(sys.stdin))}, sys.stdout)
"""


@pytest.fixture(scope="module")
def loaded(
    draw_page: Callable[..., DrawnPage],
    samples: Path,
    program: Callable[..., str],
    service_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What LangChain got of a scan of three pages, the last of them blank."""
    folder = tmp_path_factory.mktemp("scans")
    sheets = [Image.new("RGB", (1000, 500), "white") for _ in PAGES]
    for sheet, lines in zip(sheets, PAGES, strict=True):
        if lines:
            sheet.paste(Image.fromarray(draw_page(list(lines)).image[:, :, ::-1]), (40, 40))
    scan, broken = folder / "scan.pdf", folder / "broken.pdf"
    sheets[0].save(scan, resolution=150, save_all=True, append_images=sheets[1:])
    broken.write_bytes(b"%PDF-1.7 and no more")
    command = [sys.executable, "-c", PROGRAM, str(scan), str(broken), service_url]
    given = json.dumps([block.asking(service_url).code for block in BLOCKS])
    printed = program(command, "langchain-ocrsvc", "langchain_core", given=given, cwd=samples)
    return {"path": str(scan), **json.loads(printed)}


def test_the_programs_of_the_page_print_what_they_shall(loaded: dict[str, Any]) -> None:
    assert BLOCKS
    for block, output in zip(BLOCKS, loaded["page"], strict=True):
        assert block.word in output


def test_each_page_is_a_document(loaded: dict[str, Any]) -> None:
    for way in ("here", "service"):
        documents = loaded[way]
        for number, (document, lines) in enumerate(zip(documents, PAGES, strict=True)):
            assert document["page_content"].split() == " ".join(lines).split()
            metadata = document["metadata"]
            assert metadata["source"] == loaded["path"]
            assert (metadata["page"], metadata["page_label"]) == (number, str(number + 1))
            assert 0.8 < metadata["confidence"] <= 1 if lines else metadata["confidence"] == 0


def test_an_event_loop_gets_the_same_pages(loaded: dict[str, Any]) -> None:
    assert [page["page_content"] for page in loaded["async"]] == ["\n".join(lines) for lines in PAGES]


def test_a_blob_keeps_its_metadata(loaded: dict[str, Any]) -> None:
    (document,) = loaded["parser"]
    assert document["page_content"] == PAGES[1][0]
    assert (document["metadata"]["case"], document["metadata"]["page"]) == (7, 1)


def test_a_broken_file_is_raised_at_its_turn(loaded: dict[str, Any]) -> None:
    assert "PDF" in loaded["raised"]
