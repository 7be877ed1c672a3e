"""What the real server lets in, over raw connections, and how it shares itself between two clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from running_server import RunningServer, StartServer

HEAD = b"POST /api/ocr HTTP/1.1\r\nHost: x\r\n"
FORM = HEAD + b"Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = 64 * 1024


def chunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def answer_to(url: str, head: bytes, pieces: Iterator[bytes]) -> tuple[int, dict[str, Any], int]:
    """Send pieces until the server answers; the status, the problem, and how many bytes were sent until then."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=50) as connection:
        connection.sendall(head)
        sent = 0
        connection.setblocking(False)
        received = b""
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view and not received:
                    try:
                        count = connection.send(view)
                        view, sent = view[count:], sent + count
                    except BlockingIOError:
                        pass
                    with contextlib.suppress(BlockingIOError):
                        received += connection.recv(65536)
                if received:
                    break
        except ConnectionError:
            pass
        connection.settimeout(50)
        while b"}" not in received and (more := connection.recv(65536)):
            received += more
    top, _, body = received.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body), sent


def endless(piece: bytes = b"x" * PIECE) -> Iterator[bytes]:
    while True:
        yield piece


def test_a_chunked_body_is_counted_as_it_arrives(server: RunningServer) -> None:
    head = HEAD + b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, problem, sent = answer_to(server.url, head, chunked(endless()))
    assert (status, problem["type"], problem["max_bytes"]) == (413, "/problems/too-large", 20 << 20)
    assert sent < 2 * (20 << 20)  # what has left for the server's buffers when the answer comes


def test_an_announced_body_is_refused_before_it_comes(server: RunningServer) -> None:
    status, problem, _ = answer_to(server.url, HEAD + b"Content-Length: 99999999999\r\n\r\n", iter(()))
    assert (status, problem["type"]) == (413, "/problems/too-large")


@pytest.mark.parametrize(
    ("name", "part", "status"),
    [
        ("fields", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n', 400),
        ("files", b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n1\r\n', 422),
    ],
)
def test_the_parts_of_a_form_are_counted(server: RunningServer, name: str, part: bytes, status: int) -> None:
    code, problem, sent = answer_to(server.url, FORM, chunked(endless(part * 100)))
    assert code == status, problem
    assert sent < 20 << 20


def test_the_headers_of_a_part_are_bounded(server: RunningServer) -> None:
    for begin in (b"--x\r\nContent-Disposition: ", b"--x\r\n"):
        pieces = iter([begin, b"A" * PIECE, b"B" * PIECE])
        status, _, _ = answer_to(server.url, FORM, chunked(pieces))
        assert status == 400


def test_the_headers_of_a_request_are_bounded(server: RunningServer) -> None:
    many = b"".join(b"X-%d: %b\r\n" % (n, b"y" * 100) for n in range(2000))
    for head in (HEAD + b"X-Long: ", HEAD + many):
        status, problem, _ = answer_to(server.url, head, iter([b"z" * PIECE, b"z" * PIECE]))
        assert (status, problem["type"]) == (431, "/problems/headers-too-large")


def test_a_time_limit_can_only_be_shortened(server: RunningServer) -> None:
    pixels = httpx.get(f"{server.url}/api/options").json()["limits"]["deadline_seconds"]
    assert pixels == 60
    for value in ("0", "-1", "nan", "soon"):
        answer = httpx.post(f"{server.url}/api/ocr", content=b"x", headers={"X-Request-Timeout": value})
        assert answer.status_code == 422


async def test_a_client_with_much_in_the_queue_does_not_starve_another(
    start_server: StartServer, draw_line: Callable[..., Any], png: Callable[..., bytes]
) -> None:
    """How fast the machine is does not matter: what counts is who is answered first."""
    busy, idle = {"X-API-Key": "key-of-the-busy-one"}, {"X-API-Key": "key-of-the-idle-one"}
    server = start_server(
        workers=1,
        deadline_seconds=900,
        max_queue_seconds=900,
        api_keys="key-of-the-busy-one,key-of-the-idle-one",
    )
    await asyncio.to_thread(server.wait_until_ready)
    line = png(draw_line("收银小票 RECEIPT 2026-11-27"))
    answered = 0

    async def read(client: httpx.AsyncClient, key: dict[str, str]) -> None:
        nonlocal answered
        (await client.post("/api/ocr?mode=line", content=line, headers=key)).raise_for_status()
        answered += key is busy

    async with httpx.AsyncClient(base_url=server.url, timeout=300) as client:
        tasks = [asyncio.create_task(read(client, busy)) for _ in range(40)]
        outstanding = 0.0
        while outstanding + answered < 35:
            figures = (await client.get("/metrics", headers=idle)).text
            outstanding = float(re.findall(r"^ocrsvc_lines_outstanding (\S+)", figures, re.MULTILINE)[0])
        before = answered
        await read(client, idle)
        meanwhile = answered - before
        await asyncio.gather(*tasks)
    assert meanwhile <= 8 + (40 - before) / 2
