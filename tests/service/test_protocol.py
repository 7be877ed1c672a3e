"""Heads of requests are bounded in size and time; what is within the bounds goes on as ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from ocrsvc.service.protocol import BoundedProtocol, guarded

Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"


class Impatient(BoundedProtocol):
    """Does not wait long, so that the tests do not."""

    head_seconds = 0.2


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    content = str(size).encode()
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class Lingering(BoundedProtocol):
    """Lingers longer than the test takes."""

    linger_seconds = 30


@asynccontextmanager
async def listening(protocol: type[BoundedProtocol] = BoundedProtocol) -> AsyncIterator[Any]:
    async with running(protocol) as (connect, _):
        yield connect


@asynccontextmanager
async def running(protocol: type[BoundedProtocol]) -> AsyncIterator[Any]:
    config = uvicorn.Config(
        echo, port=0, http=protocol, log_config=None, lifespan="off", timeout_keep_alive=30
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells by a flag
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    writers = []

    async def connect() -> Raw:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    try:
        yield connect, server
    finally:
        for writer in writers:
            writer.close()
        server.should_exit = True
        await serving


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return int(head.split()[1]), await reader.readexactly(int(length.split(b":")[1]))


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        GET + b"X: " + b"a" * 5_000_000,
        GET + b"".join(b"X%d: 1\r\n" % i for i in range(20_000)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 1_000_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 1_000_000,
    ],
    ids=["a long header", "without end", "many", "a long path", "a long chunk extension", "a long trailer"],
)
async def test_a_large_head_is_refused(head: bytes) -> None:
    async with listening() as connect:
        reader, writer = await connect()
        writer.write(head)
        if b"chunked" not in head:
            status, content = await answer(reader)
            problem = json.loads(content)
            assert (status, problem["status"], problem["type"]) == (431, 431, "/problems/headers-too-large")
            assert "64 KiB" in problem["detail"]
        try:
            rest = await reader.read()
        except ConnectionError:  # closed with bytes of ours unread
            rest = b""
        assert b"200 OK" not in rest


async def test_an_answer_on_its_way_is_not_disturbed_by_what_follows() -> None:
    async with listening() as connect:
        reader, writer = await connect()
        writer.write(GET + b"\r\n")
        assert await answer(reader) == (200, b"0")
        writer.write(GET + b"X: " + b"a" * 60_000 + b"\r\n\r\n")
        assert await answer(reader) == (200, b"0")


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
@pytest.mark.parametrize("piece", [1, 50_000])
async def test_bodies_are_not_heads(size: int, piece: int) -> None:
    if size // piece > 200_000:
        piece = 7  # frames of chunks are many times the body all the same
    async with listening() as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"b" * size)
        assert await answer(reader) == (200, str(size).encode())
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunks = [min(piece, size - start) for start in range(0, size, piece)]
        writer.write(b"".join(b"%x\r\n%s\r\n" % (each, b"b" * each) for each in chunks) + b"0\r\n\r\n")
        assert await answer(reader) == (200, str(size).encode())


async def test_requests_behind_each_other_are_all_answered() -> None:
    async with listening() as connect:
        reader, writer = await connect()
        writer.write((GET + b"X: " + b"a" * 2_000 + b"\r\n\r\n") * 100)
        for _ in range(100):
            assert await answer(reader) == (200, b"0")


async def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    async with listening(Impatient) as connect:
        reader, writer = await connect()
        writer.write(GET + b"X-A")
        for _ in range(4):
            await asyncio.sleep(0.04)
            writer.write(b"a")  # a byte now and then is no progress
        status, content = await answer(reader)
        assert (status, json.loads(content)["type"]) == (408, "/problems/request-timeout")
        assert await reader.read() == b""


async def test_between_requests_a_client_may_rest() -> None:
    async with listening(Impatient) as connect:
        reader, writer = await connect()
        for _ in range(2):
            await asyncio.sleep(0.5)
            writer.write(GET + b"\r\n")
            assert await answer(reader) == (200, b"0")


async def test_a_request_that_meets_a_shutdown_is_answered() -> None:
    """uvicorn would close a connection at rest with the request that has been sent over it."""
    async with running(Lingering) as (connect, server):
        rested, new, begun = await connect(), await connect(), await connect()
        rested[1].write(GET + b"\r\n")
        assert await answer(rested[0]) == (200, b"0")
        begun[1].write(GET)
        server.should_exit = True
        while server.servers[0].is_serving():  # noqa: ASYNC110 - closed in the step in which connections are
            await asyncio.sleep(0.01)
        for reader, writer in (rested, new, begun):
            writer.write(b"\r\n" if writer is begun[1] else GET + b"\r\n")
            assert await answer(reader) == (200, b"0")
            assert await reader.read() == b"", "and the connection is closed"


async def test_connections_at_rest_do_not_hold_up_a_shutdown() -> None:
    async with running(BoundedProtocol) as (connect, server):
        reader, writer = await connect()
        writer.write(GET + b"\r\n")
        assert await answer(reader) == (200, b"0")
        server.should_exit = True
        async with asyncio.timeout(30):
            assert await reader.read() == b""


class FullDoor:
    """Refuses what asks for /full."""

    def refusal(self, method: bytes, path: bytes, headers: Any, client: Any, *, always: Any) -> bytes | None:
        """Return an answer, or None."""
        refused = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nfull"
        return refused if path == b"/full" else None


PLAIN = b"POST /full HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b"b" * 3_000_000
CHUNKED = b"POST /full HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\nT: 1\r\n\r\n"
EXPECTANT = PLAIN.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")


@pytest.mark.parametrize("request_", [PLAIN, CHUNKED, EXPECTANT], ids=["plain", "chunked", "expectant"])
async def test_who_is_turned_away_keeps_the_connection(request_: bytes) -> None:
    async with listening(guarded(FullDoor())) as connect:  # type: ignore[arg-type]
        reader, writer = await connect()
        for _ in range(2):
            writer.write(request_)
            assert await answer(reader) == (503, b"full")
            writer.write(GET + b"\r\n")
            assert await answer(reader) == (200, b"0")


async def test_the_door_leaves_some_to_the_application() -> None:
    async with listening(guarded(FullDoor())) as connect:  # type: ignore[arg-type]
        # One that may be answered only after the one before it.
        reader, writer = await connect()
        writer.write(GET + b"\r\n" + CHUNKED)
        assert [await answer(reader), await answer(reader)] == [(200, b"0"), (200, b"1")]
        for head in (b"HTTP/1.0\r\nHost: x", b"HTTP/1.1\r\nHost: x\r\nConnection: close"):
            reader, writer = await connect()
            writer.write(b"POST /full " + head + b"\r\nContent-Length: 2\r\n\r\nbb")
            assert await answer(reader) == (200, b"2")


async def test_a_body_that_nobody_wants_may_not_stall_for_ever() -> None:
    async with running(guarded(FullDoor())) as (connect, server):  # type: ignore[arg-type]
        server.config.timeout_keep_alive = 0.2
        reader, writer = await connect()
        writer.write(PLAIN[:1000])
        assert await answer(reader) == (503, b"full")
        assert await reader.read() == b""


async def test_a_trailer_without_end_gets_no_second_answer() -> None:
    async with listening(guarded(FullDoor())) as connect:  # type: ignore[arg-type]
        reader, writer = await connect()
        writer.write(CHUNKED[:-4] + b"a" * 1_000_000)
        assert await answer(reader) == (503, b"full")
        with suppress(ConnectionError):  # closed with bytes of ours unread
            assert await reader.read() == b""
