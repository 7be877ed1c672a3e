"""Decoding in processes: the same pages as in this one, and what happens to inputs that take too much."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import heic_samples
import numpy as np
import pytest
from available import missing
from drawings import endless_pdf, nested_pdf, pdf_page
from pdf_drawings import PdfPage, column, encrypted, pdf
from PIL import Image, ImageDraw

from ocrsvc.errors import (
    InvalidParameter,
    PasswordRequired,
    ShuttingDown,
    TooManyPages,
    UndecodableImage,
    UnsupportedMedia,
)
from ocrsvc.pages import memory_files, messages, text_layer
from ocrsvc.pages.decoder import Decoder, Seen
from ocrsvc.pages.decoder_processes import DecoderProcesses
from ocrsvc.pages.decoding import decode
from ocrsvc.pages.heif import reads_heic
from ocrsvc.pages.source import DocumentOptions, Limits, PageImage

LIMITS = Limits(max_decode_bytes=64 << 20, max_pages=5)


def picture(width: int = 90, height: int = 60, mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((5, 5, width // 2, height // 2), fill="red")
    pen.line((0, height, width, 0), fill="blue", width=3)
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


INPUTS = {
    "tiff": encoded(picture(), "TIFF", save_all=True, append_images=[picture(40, 80), picture(mode="L")]),
    "bmp": encoded(picture(), "BMP"),
    "gif": encoded(picture(mode="P"), "GIF"),
    "webp": encoded(picture(), "WEBP", lossless=True),
    "webp alpha": encoded(picture(mode="RGBA"), "WEBP", lossless=True),
    "avif": encoded(picture(), "AVIF"),
    "cmyk": encoded(picture(mode="CMYK"), "JPEG"),
    "pdf": pdf_page(b"1 0 0 rg 50 50 200 300 re f"),
}


@pytest.fixture
async def processes() -> AsyncIterator[DecoderProcesses]:
    made = DecoderProcesses(2, LIMITS, cpu_seconds=1)
    yield made
    made.close()


@pytest.mark.parametrize("name", INPUTS)
async def test_pages_are_those_of_this_process(processes: DecoderProcesses, name: str) -> None:
    expected = list(decode(INPUTS[name], LIMITS))
    source = await processes.open(INPUTS[name], None)
    assert source.numbers == tuple(page.number for page in expected)
    for page in expected:
        found = await source.page(page.number)
        assert found.number == page.number
        assert np.array_equal(found.pixels, page.pixels)
        assert 0 < found.pixels.nbytes <= await source.decode_bytes(page.number) < 64 << 20
    source.close()


async def test_heic_is_decoded_within_the_limits_of_a_process(processes: DecoderProcesses) -> None:
    if not reads_heic():
        missing("no decoder of HEIC: pip install 'ocrsvc[heic]'")
    source = await processes.open(heic_samples.TURNED, None)
    assert (await source.page(1)).size == (40, 24)


async def test_the_text_of_a_page_comes_along(processes: DecoderProcesses) -> None:
    data = pdf([PdfPage(column(["The first line", "and the second"]))])
    options = DocumentOptions(pdf_text="auto")
    (expected,) = decode(data, LIMITS, None, options)
    source = await processes.open(data, None, options)
    found = await source.page(1)
    assert found.text is not None
    assert found.text == text_layer.decode(text_layer.encode(found.text), *found.size)
    assert expected.text is not None
    assert [line.text for line in found.text.lines] == [line.text for line in expected.text.lines]
    assert np.array_equal(found.pixels, expected.pixels)


async def test_a_password_is_asked_for(processes: DecoderProcesses) -> None:
    with pytest.raises(PasswordRequired):
        await processes.open(encrypted("sesame"), None)
    source = await processes.open(encrypted("sesame"), None, DocumentOptions("sesame"))
    assert (await source.page(1)).pixels.min() < 128


async def test_errors_are_those_of_this_process(processes: DecoderProcesses) -> None:
    many = encoded(picture(), "TIFF", save_all=True, append_images=[picture()] * 7)
    with pytest.raises(TooManyPages, match="More pages than the limit of 5") as refused:
        await processes.open(many, None)
    assert refused.value.extra == {"max_pages": 5, "page_count": 8}
    with pytest.raises(InvalidParameter, match="pages must look like"):
        await processes.open(many, "one")
    with pytest.raises(UndecodableImage, match="cannot be opened"):
        await processes.open(b"%PDF-1.7 nothing", None)
    with pytest.raises(UnsupportedMedia):
        await processes.open(b"hello", None)
    assert (await processes.open(many, "2-3")).numbers == (2, 3)


async def test_what_takes_too_long_is_ended_and_others_go_on(processes: DecoderProcesses) -> None:
    endless, good = await processes.open(endless_pdf(), None), await processes.open(INPUTS["tiff"], None)
    late = asyncio.create_task(endless.page(1))
    for number in (1, 2, 3, 1, 2, 3):
        assert (await good.page(number)).number == number
    with pytest.raises(UndecodableImage, match="more than 1 s of processor time"):
        await late
    assert (await good.page(1)).number == 1
    assert processes.longest_seconds == 0


async def test_what_takes_too_much_memory_is_ended() -> None:
    processes = DecoderProcesses(1, LIMITS, cpu_seconds=60)
    with pytest.raises(UndecodableImage, match="memory"):
        await (await processes.open(nested_pdf(), None)).page(1)
    assert (await (await processes.open(INPUTS["bmp"], None)).page(1)).number == 1
    processes.close()


async def test_who_leaves_takes_the_process_along(processes: DecoderProcesses) -> None:
    source = await processes.open(endless_pdf(), None)
    (process,) = processes._idle
    work = asyncio.create_task(source.page(1))
    async with asyncio.timeout(30):
        while not processes.longest_seconds:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    source.close()
    assert not process.usable
    assert processes._idle == []
    assert (await (await processes.open(INPUTS["bmp"], None)).page(1)).number == 1


async def test_who_leaves_when_the_answer_is_there_leaves_no_connection_open(
    processes: DecoderProcesses,
) -> None:
    source = await processes.open(INPUTS["bmp"], None)
    (process,) = processes._idle
    work = asyncio.create_task(source.page(1))
    async with asyncio.timeout(30):
        while not processes.longest_seconds:  # noqa: ASYNC110
            await asyncio.sleep(0)
    time.sleep(0.5)  # noqa: ASYNC251 - the answer comes while the loop does not look
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    async with asyncio.timeout(30):
        while process._connection.fileno() != -1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await (await processes.open(INPUTS["bmp"], None)).page(1)).number == 1


async def test_a_process_that_was_killed_is_replaced(processes: DecoderProcesses) -> None:
    source = await processes.open(INPUTS["tiff"], None)
    (process,) = processes._idle
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait(10)
    assert (await source.page(2)).number == 2, "the input is not blamed for it"
    (other,) = processes._idle
    assert other is not process


async def test_damage_is_not_written_to_standard_error(
    processes: DecoderProcesses, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = encoded(picture(400, 300), "TIFF", compression="tiff_lzw")
    for cut in range(len(whole) // 2, len(whole), 997):
        with contextlib.suppress(UndecodableImage):
            await (await processes.open(whole[:cut] + bytes(40) + whole[cut + 40 :], None)).page(1)
    assert capfd.readouterr().err == ""


async def test_pixels_stay_as_long_as_they_are_used(processes: DecoderProcesses) -> None:
    first = (await (await processes.open(INPUTS["bmp"], None)).page(1)).pixels
    part, copy = first[10:20, ::2], first.copy()
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 0
    del first
    for name in ("gif", "webp", "pdf"):
        await (await processes.open(INPUTS[name], None)).page(1)
    assert np.array_equal(part, copy[10:20, ::2])
    del part
    files = {(await (await processes.open(INPUTS["bmp"], None)).page(1)).pixels.ctypes.data for _ in range(6)}
    assert len(files) <= 2  # the same memory again and again


async def test_nothing_is_started_after_the_end() -> None:
    processes = DecoderProcesses(1, LIMITS, cpu_seconds=1)
    source = await processes.open(INPUTS["tiff"], None)
    (process,) = processes._idle
    processes.close()
    assert process._process.returncode == -signal.SIGKILL
    with pytest.raises((ShuttingDown, RuntimeError)):
        await source.page(1)


async def test_quick_pictures_are_decoded_in_threads() -> None:
    decoder = Decoder(LIMITS, threads=1, processes=1, cpu_seconds=1)
    looks = []

    def look(page: PageImage) -> tuple[int, ...]:
        looks.append(page.number)
        return page.pixels.shape

    small = await decoder.open(encoded(picture(), "PNG"), None, look)
    assert isinstance(small, Seen)
    assert small.result == (60, 90, 3)
    large = await decoder.open(encoded(picture(1200, 900), "JPEG"), None, look)
    assert not isinstance(large, Seen)
    assert (await large.page(1)).pixels.shape == (900, 1200, 3)
    assert decoder._processes._running == set()
    for data in (INPUTS["bmp"], encoded(picture(), "JPEG", progressive=True)[:-2] + bytes(0) + b"\xff\xd9"):
        opened = await decoder.open(data, None, look)
        assert isinstance(opened, Seen) == data.startswith(b"\xff\xd8")
    assert len(decoder._processes._running) == 1
    assert decoder.longest_seconds == 0
    decoder.close()


def test_messages_and_files_arrive_as_they_were_sent() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        file = memory_files.holding(b"bytes")
        messages.send(ours, {"text": "发票" * 9000}, [file])
        message, files = messages.receive(theirs, most_files=1)
        assert message == {"text": "发票" * 9000}
        assert os.pread(files[0], 10, 0) == b"bytes"
        for each in (file, *files):
            os.close(each)
        ours.sendall(b"\xff\xff\xff\x7f")
        with pytest.raises(messages.Closed):
            messages.receive(theirs, most_files=0)
        ours.sendall(b"\x02\0\0\0[]")
        with pytest.raises(messages.Closed):
            messages.receive(theirs, most_files=0)
        ours.sendall(b"\x09\0\0\0{")
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(messages.Closed):
            messages.receive(theirs, most_files=0)
        theirs.close()
        with pytest.raises(messages.Closed):
            messages.send(ours, {"text": "x" * 10_000_000})
