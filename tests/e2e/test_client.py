"""Client and AsyncClient against the real server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import httpx
import pikepdf
import pytest
from drawings import DrawnPage, Picture
from running_server import StartServer

from ocrsvc import OCR, AsyncClient, Client
from ocrsvc.errors import PasswordRequired, UnknownModel, UnsupportedMedia


@pytest.fixture
def client(server_url: str) -> Iterator[Client]:
    with Client(server_url) as client:
        yield client


@pytest.fixture(scope="module")
def receipt(draw_page: Callable[..., DrawnPage]) -> Picture:
    return draw_page().image


def test_the_result_is_that_of_ocr(client: Client, receipt: Picture) -> None:
    with OCR() as ocr:
        here, there = ocr(receipt, layout="tables"), client(receipt, layout="tables")
    assert there.text == here.text
    assert there.to_markdown() == here.to_markdown()
    assert [line.polygon for line in there.lines] == [
        tuple((round(x, 1), round(y, 1)) for x, y in line.polygon) for line in here.lines
    ]
    assert (there.draw() == here.draw()).mean() > 0.97  # corners are rounded to a tenth of a pixel


def test_the_service_renders_its_formats(client: Client, receipt: Picture) -> None:
    with pikepdf.open(io.BytesIO(client.render(receipt, "pdf"))) as pdf:
        assert len(pdf.pages) == 1
    assert "合计" in client.render(receipt, "text").decode()


def test_several_sources_and_pages_come_in_order(client: Client, draw_line: Callable[..., Picture]) -> None:
    texts = [f"No. {i}{i}{i}" for i in range(12)]
    results = client([draw_line(text) for text in texts], mode="line")
    assert [result.text for result in results] == texts
    pages = list(client.pages(draw_line("苹果汁 Apple"), mode="line"))
    assert [(page.text, page.pages[0].number) for page in pages] == [("苹果汁 Apple", 1)]


def test_an_error_is_the_one_of_the_service(client: Client) -> None:
    with pytest.raises(UnsupportedMedia):
        client(b"no picture")
    with pytest.raises(UnsupportedMedia):
        next(client.pages(b"no picture"))
    with pytest.raises(UnknownModel, match="none"):
        client(b"\x89PNG", model="none")
    file = io.BytesIO()
    pdf = pikepdf.new()
    pdf.add_blank_page()
    pdf.save(file, encryption=pikepdf.Encryption(user="a", owner="b"))
    with pytest.raises(PasswordRequired):
        client(file.getvalue())


async def test_a_loop_waits_for_a_service_that_loads_its_models(
    start_server: StartServer, draw_line: Callable[..., Picture]
) -> None:
    starting = start_server(workers=1)
    async with AsyncClient(starting.url, retries=20) as client:
        assert (await client(draw_line("Apple 12"), mode="line")).text == "Apple 12"
        sources = [draw_line(str(i) * 4) for i in range(9)]
        found = [result.text async for result in client.read_many(sources, mode="line")]
        assert found == [str(i) * 4 for i in range(9)]
        assert [page.text async for page in client.pages(sources[3], mode="line")] == ["3333"]
        assert (await client.render(sources[1], "text", mode="line")).decode().strip() == "1111"
        with pytest.raises(UnsupportedMedia):
            await client(b"no picture")


async def test_a_service_that_is_away_is_an_error_of_the_transport() -> None:
    with Client("http://127.0.0.1:9", retries=0) as client, pytest.raises(httpx.ConnectError):
        client(b"x")
    async with AsyncClient("http://127.0.0.1:9", retries=1) as client:
        with pytest.raises(httpx.ConnectError):
            await client(b"x")
        with pytest.raises(httpx.ConnectError):
            await anext(client.pages(b"x"))
