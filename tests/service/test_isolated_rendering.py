"""Rendering in processes of their own: results, problems, limits on memory, and processes that nobody waits for."""

from __future__ import annotations

import asyncio
import contextlib
import io
import struct
import zlib

import psutil
import pytest
from pdf_drawings import stream
from PIL import Image

from ocrsvc.errors import UndecodableImage, UnmodifiablePdf
from ocrsvc.formats import FORMATS, Rendering
from ocrsvc.results import Document, Line, ModelId, Page
from ocrsvc.service.isolated_rendering import IsolatedRendering

PDF = FORMATS["pdf"]
READ = Document(
    (Line("票", 0.9, ((1, 1), (30, 1), (30, 20), (1, 20)), 1),),
    (Page(1, 40, 30),),
    ModelId("crnn", "sha256:ab"),
)


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(buffer, "PNG")
    return buffer.getvalue()


def bomb(unpacked_bytes: int) -> bytes:
    """A small PDF with a stream of objects that unpacks to this many bytes."""
    inner = zlib.compress(b"5 0 (text)" + b" " * unpacked_bytes, 1)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/Extra 5 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 40 30]>>",
        stream(inner, b"/Type/ObjStm/N 1/First 4/Filter/FlateDecode"),
    ]
    data, entries = b"%PDF-1.7\n", [(0, 0, 0)]
    for number, each in enumerate(objects, start=1):
        entries.append((1, len(data), 0))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    entries += [(2, 4, 0), (1, len(data), 0)]
    table = b"".join(struct.pack(">BIB", *entry) for entry in entries)
    members = b"/Type/XRef/W[1 4 1]/Size 7/Root 1 0 R"
    return data + b"6 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF" % (stream(table, members), len(data))


async def test_it_returns_what_the_renderer_returns() -> None:
    made = await IsolatedRendering().render(PDF, READ, Rendering(source=picture()))
    assert made.startswith(b"%PDF-1.7")
    assert made.rstrip().endswith(b"%%EOF")


async def test_it_raises_what_the_renderer_raises() -> None:
    with pytest.raises(UndecodableImage, match="cannot be put into a PDF"):
        await IsolatedRendering().render(PDF, READ, Rendering(source=b"GIF89a"))
    with pytest.raises(UnmodifiablePdf, match="too damaged"):
        await IsolatedRendering().render(PDF, READ, Rendering(source=b"%PDF-1.7"))


async def test_a_hostile_file_takes_no_more_memory_than_it_may() -> None:
    hostile, limit = bomb(2**28), 2**28
    assert len(hostile) < 2**21
    rendering = asyncio.create_task(
        IsolatedRendering(memory_bytes=limit).render(PDF, READ, Rendering(source=hostile))
    )
    most_bytes = 0
    while not rendering.done():
        await asyncio.sleep(0.01)
        for child in children():
            with contextlib.suppress(psutil.Error):
                most_bytes = max(most_bytes, child.memory_info().rss)
    # qpdf may do without what does not fit into memory, or give up.
    assert isinstance(rendering.exception(), UnmodifiablePdf | None)
    assert 0 < most_bytes <= limit + 6 * len(hostile)


async def test_nobody_who_waits_means_no_process() -> None:
    rendering = asyncio.create_task(IsolatedRendering().render(PDF, READ, Rendering(source=picture())))
    while not (found := children()):  # noqa: ASYNC110  (what is waited for is another process)
        await asyncio.sleep(0.005)
    rendering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rendering
    assert not any(each.is_running() for each in found)


def children() -> list[psutil.Process]:
    """The processes of this one that render."""
    return [each for each in psutil.Process().children() if "rendering_process" in command(each)]


def command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
