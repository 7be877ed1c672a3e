"""The tools for language models, with a tiny real recogniser: pages, regions, folders, and what is wrong."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import tiny_model
from PIL import Image

from ocrsvc import AsyncOCR
from ocrsvc.agents import document_tools
from ocrsvc.agents.document_tools import DocumentTools
from ocrsvc.errors import InvalidParameter, NotFound, UnsupportedMedia

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of one line, a PDF of three pages, and a text."""
    folder = tmp_path_factory.mktemp("documents")
    first, *others = (Image.fromarray(tiny_model.draw(text)) for text in ("12", "34", "56"))
    first.save(folder / "line.png")
    buffer = io.BytesIO()
    first.save(buffer, "PDF", resolution=200, save_all=True, append_images=others)
    (folder / "pages.pdf").write_bytes(buffer.getvalue())
    (folder / "notes.txt").write_text("hello")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ocr(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncOCR]:
    models = tiny_model.write_with_detector(tmp_path_factory.mktemp("models"))
    async with AsyncOCR(model="tiny", models_dir=models, workers=1, detector_side_pixels=320) as ocr:
        yield ocr


async def test_a_picture(ocr: AsyncOCR, folder: Path) -> None:
    tools = DocumentTools(ocr)
    text = await tools.read_image(str(folder / "line.png"), charset="chars:2")
    assert text.startswith("22")
    assert "[no text" in await tools.read_image(str(folder / "line.png"), region=[0.9, 0.9, 1, 1])


async def test_pages_of_a_pdf_have_their_numbers(ocr: AsyncOCR, folder: Path) -> None:
    text = await DocumentTools(ocr).read_pdf(str(folder / "pages.pdf"), pages="2-")
    assert "[Page 1]" not in text
    assert text.index("[Page 2]") < text.index("[Page 3]")


async def test_a_long_answer_says_where_to_read_on(
    ocr: AsyncOCR, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_tools, "MOST_CHARACTERS", 20)
    text = await DocumentTools(ocr).read_pdf(str(folder / "pages.pdf"))
    assert text.endswith("[The answer is full. Read on with pages=2-]")


async def test_only_the_folders_are_read(ocr: AsyncOCR, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(folder / "line.png")
    tools = DocumentTools(ocr, [tmp_path])
    for path in (folder / "line.png", tmp_path / "link.png", tmp_path / ".." / "line.png"):
        with pytest.raises(NotFound, match="outside the folders"):
            await tools.read_image(str(path))
    assert await DocumentTools(ocr, [folder]).read_image(str(folder / "line.png"))


async def test_what_is_wrong(ocr: AsyncOCR, folder: Path) -> None:
    tools = DocumentTools(ocr)
    with pytest.raises(InvalidParameter, match="use read_pdf"):
        await tools.read_image(str(folder / "pages.pdf"))
    with pytest.raises(InvalidParameter, match="use read_image"):
        await tools.read_pdf(str(folder / "line.png"))
    with pytest.raises(InvalidParameter, match="left, top, right, bottom"):
        await tools.read_image(str(folder / "line.png"), region=[1, 2])
    with pytest.raises(UnsupportedMedia):
        await tools.read_image(str(folder / "notes.txt"))
    with pytest.raises(FileNotFoundError):
        await tools.read_image(str(folder / "absent.png"))
