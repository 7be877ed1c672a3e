"""The load generator: sends prepared HTTP requests to a server and says how long each took.

It is a process of its own that takes little CPU time from the server on the same machine: it uses uvloop and
httptools, and requests are built before the clock starts.

A stream has ``clients`` or ``per_second``. Clients wait for their answer before they ask again over the same
connection. Per second, requests are sent at random times (Poisson), whatever is still unanswered. Their time counts
from when they were due, so that a slow server cannot hide behind a waiting client.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import httptools
import uvloop

_PATIENCE_SECONDS = 120.0  # for answers that are still due when the time is over


@dataclass(frozen=True)
class Stream:
    """Requests of one kind. Each of ``files`` holds a whole one. ``count`` may end the stream before the time does."""

    name: str
    files: Sequence[str]
    clients: int = 0
    per_second: float = 0.0
    count: int | None = None
    seed: int = 0


@dataclass
class Answers:
    """What a stream got: when each request began (time.monotonic), how long it took, and its ``status``.

    The status of a request whose connection failed is 0.
    """

    began: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Return how many requests were not answered with 200."""
        return sum(status != 200 for status in self.status)

    def good(self) -> list[float]:
        """Return the times in ms of the requests that were answered with 200."""
        return [ms for ms, status in zip(self.ms, self.status, strict=True) if status == 200]

    def done(self, seconds: float, begun: float) -> int:
        """Return how many were answered with 200 within ``seconds`` after ``begun``."""
        ends = (start + ms / 1000 for start, ms in zip(self.began, self.ms, strict=True))
        return sum(
            end <= begun + seconds and status == 200 for end, status in zip(ends, self.status, strict=True)
        )


@dataclass(frozen=True)
class Outcome:
    """A run of the generator. ``cpu_seconds`` is what the generator itself took."""

    streams: Mapping[str, Answers]
    begun: float
    seconds: float
    wall_seconds: float
    cpu_seconds: float


def request(body: bytes, *, path: str, content_type: str = "image/jpeg") -> bytes:
    """Return a whole HTTP/1.1 POST request, which keeps the connection."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nAccept: */*\r\n\r\n"
    )
    return head.encode("ascii") + body


def save(folder: Path, requests: Sequence[bytes]) -> list[str]:
    """Write requests to files in ``folder``, which is made, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, content in enumerate(requests):
        path = folder / f"{number}.http"
        path.write_bytes(content)
        paths.append(str(path))
    return paths


def save_pictures(folder: Path, files: Iterable[bytes], mode: str) -> list[str]:
    """Write requests that let our service read these pictures to ``folder/mode``, and return their paths."""
    return save(folder / mode, [request(content, path=f"/api/ocr?mode={mode}") for content in files])


def run(port: int, streams: Sequence[Stream], seconds: float) -> Outcome:
    """Load the server on this port of localhost for ``seconds``, or until every stream has sent its ``count``.

    The generator is a process of its own. SystemExit if it fails.
    """
    job = {"port": port, "seconds": seconds, "streams": [asdict(stream) for stream in streams]}
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(job), capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(f"the load generator failed:\n{done.stderr}")
    said = json.loads(done.stdout)
    answers = {name: Answers(**columns) for name, columns in said.pop("streams").items()}
    return Outcome(streams=answers, **said)


class _Connection(asyncio.Protocol):
    """One connection with at most one request on its way."""

    def __init__(self) -> None:
        self.open = False
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def ask(self, content: bytes) -> asyncio.Future[int]:
        """Send a request. The future gives the status of its answer, 0 if the connection broke."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(content)
        return self._answer

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        # 1xx is not the answer yet; the parser goes on with what follows.
        status: int = self._parser.get_status_code()
        if status >= 200:
            if not self._parser.should_keep_alive():
                self.close(status)
            self._settle(status)

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self._settle(0)

    def close(self, status: int = 0) -> None:
        """Hang up."""
        self.open = False
        self._settle(status)
        if self._transport is not None:
            self._transport.close()

    def _settle(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)


class _Sender:
    """Sends one stream and keeps its answers."""

    def __init__(self, port: int, stream: Stream, until: float) -> None:
        self.answers = Answers()
        self._port, self._stream, self._until = port, stream, until
        self._contents = [Path(path).read_bytes() for path in stream.files]
        self._numbers = itertools.count()
        self._free: list[_Connection] = []

    async def send(self) -> None:
        """Send all requests and wait for their answers."""
        if self._stream.clients:
            await asyncio.gather(*(self._client() for _ in range(self._stream.clients)))
        else:
            await self._arrivals()

    async def _client(self) -> None:
        while time.monotonic() < self._until:
            content = self._next()
            if content is None:
                return
            await self._ask(content, time.monotonic())

    async def _arrivals(self) -> None:
        rng = random.Random(self._stream.seed)
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while True:
                due += rng.expovariate(self._stream.per_second)
                content = self._next() if due < self._until else None
                if content is None:
                    return
                # uvloop's timers round to the millisecond: it may wake early.
                while (wait := due - time.monotonic()) > 0:  # noqa: ASYNC110 - no event, a time
                    await asyncio.sleep(wait)
                group.create_task(self._ask(content, due))

    def _next(self) -> bytes | None:
        number = next(self._numbers)
        if self._stream.count is not None and number >= self._stream.count:
            return None
        return self._contents[number % len(self._contents)]

    async def _ask(self, content: bytes, began: float) -> None:
        status = 0
        with contextlib.suppress(OSError):
            connection = await self._connection()
            status = await connection.ask(content)
            if connection.open:
                self._free.append(connection)
        self.answers.began.append(round(began, 6))
        self.answers.ms.append(round((time.monotonic() - began) * 1000, 3))
        self.answers.status.append(status)

    async def _connection(self) -> _Connection:
        while self._free:
            connection = self._free.pop()
            if connection.open:
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return made


async def _load(job: Mapping[str, Any]) -> dict[str, Any]:
    streams = [Stream(**each) for each in job["streams"]]
    cpu, begun = time.process_time(), time.monotonic()
    until = begun + job["seconds"]
    senders = {stream.name: _Sender(job["port"], stream, until) for stream in streams}
    async with asyncio.timeout(job["seconds"] + _PATIENCE_SECONDS):
        await asyncio.gather(*(sender.send() for sender in senders.values()))
    return {
        "streams": {name: asdict(sender.answers) for name, sender in senders.items()},
        "begun": begun,
        "seconds": job["seconds"],
        "wall_seconds": time.monotonic() - begun,
        "cpu_seconds": time.process_time() - cpu,
    }


if __name__ == "__main__":
    said = json.dumps(uvloop.run(_load(json.load(sys.stdin))))
    # sys.stdout has no buffer with PYTHONUNBUFFERED, and then loses what a pipe does not take at once.
    with open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False) as out:
        out.write(said)
