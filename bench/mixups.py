"""Whether each answer belongs to its request: very many different lines, with faults between them.

    python bench/mixups.py --requests 1000000 --concurrency 64 --json out.json

Each request has a picture of another number (bench/numbers_drawn.py), sent as a raw body, a form or JSON, and sometimes
three of them as a batch. In random order between them come clients who hang up in the middle of the body or of the
reading, and bodies that cannot be read. After half of the requests the server gets SIGTERM, while requests are on
their way, and another one takes its place. An answer is

  right    the number that was sent, under the id of its request
  misread  another text, which the picture has as well when it is read alone
  wrong    any other: what the picture does not say when it is read alone; "crossed" if another request has sent it

"lost" are requests without an answer although the server had them before it got SIGTERM, or while it got none. "turned
away": a connection that the server closed between two requests, just as one was sent; HTTP lets a client send it again,
and so it does, as it does after a 503.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import math
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import exchange
import harness
import numbers_drawn
import serving
import uvloop
from exchange import Answer, Broken, Client, Refused

KINDS = {"raw": 60, "form": 10, "json": 8, "batch": 4, "poison": 6, "vanish": 6, "half": 2, "charset": 4}
GAUGES = ("ocrsvc_requests_inside", "ocrsvc_lines_outstanding", "ocrsvc_decode_pixels_inflight")
_BATCH = 3
_MOST_CANCEL_SECONDS = 0.5
_PAUSE_SECONDS = 0.2  # before a request is sent again
_SHOWN = 20  # wrong answers in the report
_SETTLE_SECONDS = 60.0
_LOOK_SECONDS, _TELL_SECONDS = 0.05, 5.0

Serve = Callable[[], AbstractContextManager[serving.Server]]


@dataclass
class Tally:
    """What was sent and what came of it."""

    sent: Counter[str] = field(default_factory=Counter)  # by kind
    answers: Counter[str] = field(default_factory=Counter)  # right, misread, wrong, crossed
    statuses: Counter[int] = field(default_factory=Counter)  # of bodies that cannot be read
    trouble: Counter[str] = field(default_factory=Counter)  # lost, turned away, 503, other statuses, ids
    doubtful: list[tuple[str, int, str, str]] = field(default_factory=list)  # text, look, kind, what was read
    wrong: list[dict[str, str]] = field(default_factory=list)
    left: dict[str, float] = field(default_factory=dict)  # gauges at the end


def main() -> None:
    options = parse()
    document = harness.head(options)
    tally, seconds = uvloop.run(
        prove(
            lambda: serve(options.model),
            requests=options.requests,
            concurrency=options.concurrency,
            minutes=options.minutes,
            seed=options.seed,
        )
    )
    document |= {"seconds": seconds, **figures(tally, seconds)}
    harness.finish(options, document, parts(document))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "mixups", model=True)
    add = parser.add_argument
    add("--requests", type=harness.positive, default=20_000, help="default: %(default)s")
    add("--concurrency", type=harness.positive, default=64, help="clients at once (default: %(default)s)")
    add("--minutes", type=float, help="send no more after this time (default: no limit)")
    add("--seed", type=int, default=0)
    parser.set_defaults(model="crnn-fast")
    return parser.parse_args()


def serve(model: str) -> AbstractContextManager[serving.Server]:
    """Return a server of ours that reads with this model."""
    return serving.ours(model=model)


async def prove(
    serve: Serve,
    *,
    requests: int,
    concurrency: int,
    minutes: float | None = None,
    seed: int = 0,
    draw: numbers_drawn.Draw | None = None,
) -> tuple[Tally, float]:
    """Send so many requests to servers that ``serve`` starts, and return what came of it and the seconds it took.

    After ``minutes`` no more are sent.
    """
    most = math.inf if minutes is None else 60 * minutes
    run = _Run(serve, concurrency, random.Random(seed), draw or numbers_drawn.drawn, requests, most)
    return await run.go()


class _Run:
    """One run: clients that take indices from one iterator, and the server that they ask."""

    def __init__(
        self,
        serve: Serve,
        concurrency: int,
        rng: random.Random,
        draw: numbers_drawn.Draw,
        requests: int,
        most_seconds: float,
    ) -> None:
        self._serve, self._concurrency, self._rng, self._draw = serve, concurrency, rng, draw
        self._requests, self._most_seconds = requests, most_seconds
        self._indices = iter(range(0, requests * _BATCH, _BATCH))  # a batch takes three numbers
        self._bad = list(poison())
        self._ended_at = float("inf")  # the loop's time of the last SIGTERM
        self._ready = asyncio.Event()
        self.tally = Tally()

    async def go(self) -> tuple[Tally, float]:
        """Send everything, with a restart after half, then read alone what was not read as drawn."""
        with contextlib.ExitStack() as stack:
            server = await asyncio.to_thread(stack.enter_context, self._serve())
            self._client = Client(server.port)
            self._ready.set()
            begun = self._begun = time.monotonic()
            clients = asyncio.gather(*(self._one_client() for _ in range(self._concurrency)))
            await self._until(clients, 0.5)
            self._ended_at = asyncio.get_running_loop().time()
            self._ready.clear()
            await asyncio.to_thread(stack.close)  # SIGTERM, and waits
            server = await asyncio.to_thread(stack.enter_context, self._serve())
            self._client.port = server.port
            self._ended_at = float("inf")
            self._ready.set()
            await self._until(clients, math.inf)
            await clients
            seconds = time.monotonic() - begun
            for doubt in self.tally.doubtful:
                await self._read_alone(*doubt)
            await self._settle()
            self.tally.left["rss_megabytes"] = server.rss_bytes() / 1e6
            self._client.close()
        return self.tally, seconds

    @property
    def _share(self) -> float:
        """Return which share of the requests, or of the time, is over."""
        spent = time.monotonic() - self._begun
        return max(self.tally.sent.total() / self._requests, spent / self._most_seconds)

    async def _until(self, clients: asyncio.Future[Any], share: float) -> None:
        """Return once so much of the requests or of the time is over, or all clients have ended."""
        told = time.monotonic()
        while self._share < share and not clients.done():
            await asyncio.sleep(_LOOK_SECONDS)
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                harness.tell(f"{self.tally.sent.total()} of {self._requests} requests")

    async def _one_client(self) -> None:
        for index in self._indices:
            if self._share >= 1:
                return
            kind = self._rng.choices(list(KINDS), list(KINDS.values()))[0]
            self.tally.sent[kind] += 1
            if kind == "poison":
                await self._poison(index)
            elif kind in ("vanish", "half"):
                await self._leave(index, half=kind == "half")
            elif kind == "batch":
                await self._batch(index)
            else:
                await self._read(index, kind)

    async def _read(self, index: int, kind: str) -> None:
        text, look, name = numbers_drawn.number(index), self._rng.randrange(16), f"r{index}"
        picture = numbers_drawn.png(self._draw(text, look))
        content = _request(picture, kind, name)
        if (answer := await self._answer(content)) is None:
            return
        body = answer.json()
        if answer.headers.get("x-request-id") != name or body["request_id"] != name:
            self.tally.trouble["another request's id"] += 1
        self._judge(text, look, kind, body["text"])

    async def _batch(self, index: int) -> None:
        looks = [self._rng.randrange(16) for _ in range(_BATCH)]
        texts = [numbers_drawn.number(index + place) for place in range(_BATCH)]
        pictures = [
            ("images", text, numbers_drawn.png(self._draw(text, look)))
            for text, look in zip(texts, looks, strict=True)
        ]
        body, content_type = exchange.form([*pictures, ("mode", None, b"line")])
        content = exchange.request(
            body, "/api/ocr/batch", content_type=content_type, X_Request_ID=f"r{index}"
        )
        if (answer := await self._answer(content)) is None:
            return
        rows = [json.loads(line) for line in answer.body.splitlines()]
        if sorted(row["index"] for row in rows) != list(range(_BATCH)):
            self.tally.trouble["lost"] += 1
        for row in rows:
            place = row["index"]
            if row["file"] != texts[place]:
                self.tally.trouble["another request's id"] += 1
            if "text" in row:
                self._judge(texts[place], looks[place], "batch", row["text"])
            else:
                self.tally.trouble[f"file {row['error']['status']}"] += 1

    async def _poison(self, index: int) -> None:
        content = exchange.request(
            self._bad[index // _BATCH % len(self._bad)], "/api/ocr?mode=line", X_Request_ID=f"r{index}"
        )
        if (answer := await self._answer(content, good=False)) is not None:
            self.tally.statuses[answer.status] += 1

    async def _leave(self, index: int, *, half: bool) -> None:
        picture = numbers_drawn.png(self._draw(numbers_drawn.number(index), self._rng.randrange(16)))
        content = _request(picture, "raw", f"r{index}")
        with contextlib.suppress(Refused):
            connection = await self._client.send(content[: len(content) // 2] if half else content)
            await asyncio.sleep(_MOST_CANCEL_SECONDS * self._rng.random() ** 3)
            connection.close()

    async def _answer(self, content: bytes, *, good: bool = True) -> Answer | None:
        """Return the answer; sends again what was turned away. None if the request is lost or ended with an error."""
        while True:
            try:
                answer = await self._client.ask(content)
            except Refused:
                await self._ready.wait()
                continue
            except Broken as broken:
                if broken.seconds < self._ended_at:
                    self.tally.trouble["lost"] += 1
                    return None
                self.tally.trouble["turned away"] += 1
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            except TimeoutError:
                self.tally.trouble["lost"] += 1
                return None
            if answer.status == 503 and "retry-after" in answer.headers:
                self.tally.trouble["503"] += 1
                await asyncio.sleep(_PAUSE_SECONDS)
            elif answer.status != 200 and good:
                self.tally.trouble[f"status {answer.status}"] += 1
                return None
            else:
                return answer

    def _judge(self, text: str, look: int, kind: str, read: str) -> None:
        if read == text:
            self.tally.answers["right"] += 1
        else:
            self.tally.doubtful.append((text, look, kind, read))

    async def _read_alone(self, text: str, look: int, kind: str, read: str) -> None:
        """Read a picture again while nothing else is, as it was read before: a charset changes what is read."""
        again = "raw" if kind == "batch" else kind
        content = _request(numbers_drawn.png(self._draw(text, look)), again, "alone")
        answer = await self._answer(content)
        alone = answer.json()["text"] if answer is not None else None
        if alone == read:
            self.tally.answers["misread"] += 1
            return
        self.tally.answers["crossed" if numbers_drawn.guarded(read) else "wrong"] += 1
        self.tally.wrong.append({"sent": text, "read": read, "alone": str(alone)})

    async def _settle(self) -> None:
        """Wait until nothing is inside any more, and note what is."""
        until = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < until:
            answer = await self._client.ask(exchange.request(b"", "/metrics", method="GET"))
            samples = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines())
            self.tally.left |= {name: float(samples[name]) for name in GAUGES}
            if not any(self.tally.left.values()):
                return
            await asyncio.sleep(0.2)


def _request(picture: bytes, kind: str, name: str) -> bytes:
    path = "/api/ocr?mode=line"
    if kind == "form":
        body, content_type = exchange.form([("image", "line.png", picture), ("mode", None, b"line")])
        return exchange.request(body, "/api/ocr", content_type=content_type, X_Request_ID=name)
    if kind == "json":
        body = json.dumps({"image": base64.b64encode(picture).decode(), "mode": "line"}).encode()
        return exchange.request(body, "/api/ocr", content_type="application/json", X_Request_ID=name)
    if kind == "charset":
        path += "&charset=digits"
    return exchange.request(picture, path, content_type="image/png", X_Request_ID=name)


def poison() -> Iterator[bytes]:
    """Yield bodies that cannot be read: cut off, damaged, empty, endless, of no size and of too large a one."""
    whole = numbers_drawn.png(numbers_drawn.drawn("0123456789", 0))
    yield b""
    yield b"no picture"
    yield b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\n"
    yield whole[:60]
    yield whole[: len(whole) // 2]
    yield b"II*\0" + b"\xff" * 60
    yield b"\xff\xd8\xff\xe0" + bytes(range(256))
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 8] = b"\xff" * 8
    yield bytes(damaged)
    for width, height in ((0, 48), (1_000_000, 1_000_000), (400, 48)):  # the last one's data does not fill it
        head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\0\0\0\0"
        chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
        yield b"\x89PNG\r\n\x1a\n" + b"".join(
            len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
            for name, data in chunks
        )


def figures(tally: Tally, seconds: float) -> dict[str, Any]:
    """Return the counts of the report."""
    sent = tally.sent.total()
    return {
        "sent": dict(tally.sent),
        "requests": sent,
        "requests_per_second": round(sent / seconds, 1),
        "answers": {name: tally.answers[name] for name in ("right", "misread", "wrong", "crossed")},
        "server_errors_on_bad_input": sum(n for status, n in tally.statuses.items() if status >= 500),
        "statuses_of_bad_input": {str(status): n for status, n in sorted(tally.statuses.items())},
        "lost": tally.trouble["lost"],
        "trouble": dict(tally.trouble),
        "left": tally.left,
        "examples": tally.wrong[:_SHOWN],
    }


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return the table and what was left inside."""
    answers, trouble = document["answers"], document["trouble"]
    rows = [
        [
            "requests",
            "seconds",
            "right",
            "misread",
            "wrong",
            "crossed",
            "lost",
            "turned away",
            "5xx on bad input",
        ],
        [
            str(document["requests"]),
            f"{document['seconds']:.0f}",
            *(str(answers[name]) for name in ("right", "misread", "wrong", "crossed")),
            str(document["lost"]),
            str(trouble.get("turned away", 0)),
            str(document["server_errors_on_bad_input"]),
        ],
    ]
    sent = ", ".join(f"{count} {kind}" for kind, count in document["sent"].items())
    left = ", ".join(f"{name} {value:g}" for name, value in document["left"].items())
    others = ", ".join(f"{name}: {count}" for name, count in trouble.items()) or "none"
    statuses = ", ".join(f"{status}: {count}" for status, count in document["statuses_of_bad_input"].items())
    about = f"{document['options']['model']}, {document['options']['concurrency']} at once, one restart"
    return [
        about,
        rows,
        f"sent: {sent}\nbad input: {statuses}\ntrouble: {others}\nleft inside: {left}",
        *(["wrong: " + json.dumps(document["examples"])] if document["examples"] else []),
    ]


if __name__ == "__main__":
    main()
