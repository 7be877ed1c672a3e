"""LlamaIndex's reader: by itself and within ``SimpleDirectoryReader``, here and with a service."""

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

BLOCKS = blocks_of(Path(__file__).parents[2] / "plugins" / "llama-index-readers-ocrsvc" / "README.md")
PAGES = (("第一页 First page", "合计 TOTAL 37.20"), ("第二页 Second page",))

PROGRAM = """
import json, sys
import fsspec
from page_programs import printed
from llama_index.core import SimpleDirectoryReader
from llama_index.core.schema import MetadataMode
from llama_index.readers.ocrsvc import OcrsvcReader

folder, url = sys.argv[1:]
memory = fsspec.filesystem("memory")
memory.pipe("/scans/scan.pdf", open(folder + "/scan.pdf", "rb").read())
reader = OcrsvcReader(layout="lines")
extractors = {".pdf": reader, ".jpg": OcrsvcReader(url=url, layout="lines")}
found = {
    "folder": SimpleDirectoryReader(folder, file_extractor=extractors).load_data(),
    "memory": SimpleDirectoryReader("/scans", file_extractor=extractors, fs=memory).load_data(),
    "alone": reader.load_data(folder + "/scan.pdf", extra_info={"case": 7}),
}
shown = {way: [{
    "text": each.text,
    "metadata": each.metadata,
    "shown": each.get_content(metadata_mode=MetadataMode.LLM),
} for each in documents] for way, documents in found.items()}
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
    """What LlamaIndex got of a folder with a photograph and a scan of two pages."""
    folder = tmp_path_factory.mktemp("scans")
    sheets = [Image.new("RGB", (1000, 500), "white") for _ in PAGES]
    for sheet, lines in zip(sheets, PAGES, strict=True):
        sheet.paste(Image.fromarray(draw_page(list(lines)).image[:, :, ::-1]), (40, 40))
    sheets[0].save(folder / "scan.pdf", resolution=150, save_all=True, append_images=sheets[1:])
    sheets[1].save(folder / "photo.jpg")
    command = [sys.executable, "-c", PROGRAM, str(folder), service_url]
    given = json.dumps([block.asking(service_url).code for block in BLOCKS])
    answer: dict[str, Any] = json.loads(
        program(command, "llama-index-readers-ocrsvc", "llama_index", given=given, cwd=samples)
    )
    return answer


def test_the_programs_of_the_page_print_what_they_shall(loaded: dict[str, Any]) -> None:
    assert BLOCKS
    for block, output in zip(BLOCKS, loaded["page"], strict=True):
        assert block.word in output


def test_each_page_of_a_folder_is_a_document(loaded: dict[str, Any]) -> None:
    photo, *scan = loaded["folder"]
    assert (photo["text"], photo["metadata"]["file_name"]) == (PAGES[1][0], "photo.jpg")
    for number, (document, lines) in enumerate(zip(scan, PAGES, strict=True), 1):
        assert document["text"] == "\n".join(lines)
        assert document["metadata"]["page_label"] == str(number)
        assert document["metadata"]["file_path"].endswith("/scan.pdf")
        assert 0.8 < document["metadata"]["confidence"] <= 1


def test_files_of_other_file_systems_are_read(loaded: dict[str, Any]) -> None:
    assert [page["text"] for page in loaded["memory"]] == ["\n".join(lines) for lines in PAGES]


def test_a_language_model_sees_the_page_but_not_the_confidence(
    loaded: dict[str, Any],
) -> None:
    first = loaded["alone"][0]
    assert first["metadata"]["case"] == 7
    assert "page_label: 1" in first["shown"]
    assert "confidence" not in first["shown"]
