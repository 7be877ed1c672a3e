"""Whether clients notice that services, or the database of their jobs, are restarted under load.

    python bench/rollout.py --rounds 10 --json out.json

rollout   Three services behind nginx (deploy/nginx) get SIGTERM one after the other and start again. "failed" are
          requests that were not answered with 200 and the text that the picture has when it is read alone. None is
          sent a second time.
database  Two services read jobs from one PostgreSQL, which is restarted in order (fast) and as by a crash
          (immediate). "lost" are jobs that are not done with the text of their document, "doubled" pages that were
          stored more than once, "failed" requests without jobs that failed meanwhile. "refused" are looks at jobs
          that were answered with 503, as they should be while there is no database.

Needs nginx and postgresql of Debian.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

import exchange
import harness
import nginx_proxy
import numbers_drawn
import postgres_cluster
import serving
from exchange import Answer, Broken, Client, Refused
from PIL import Image

Serve = Callable[..., AbstractContextManager[serving.Server]]  # with settings
Mode = Literal["fast", "immediate"]
_SERVICES, _PICTURES = 3, 32
_LOOK_SECONDS = 0.05
_PAUSE_SECONDS = 0.02  # of a client before each request: restarts need the cores too


@dataclass
class Tally:
    """What was sent and what came of it."""

    sent: int = 0
    failed: Counter[str] = field(default_factory=Counter)  # by reason
    restarts: int = 0
    seconds: float = 0.0


@dataclass
class JobTally(Tally):
    """And what became of jobs."""

    jobs: int = 0
    lost: int = 0
    pages: int = 0
    doubled: int = 0
    refused: int = 0


def main() -> None:
    options = parse()
    document = harness.head(options)

    def serve(**settings: Any) -> AbstractContextManager[serving.Server]:
        return serving.ours(model=options.model, workers=1, **settings)

    document["rollout"] = asyncio.run(roll(serve, rounds=options.rounds, concurrency=options.concurrency))
    document["database"] = {
        mode: asyncio.run(
            restart_database(serve, [mode] * options.rounds, jobs=options.jobs, pages=options.pages)
        )
        for mode in ("fast", "immediate")
    }
    harness.finish(options, document, parts(document))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "rollout", rounds=3, model=True)
    add = parser.add_argument
    add("--concurrency", type=harness.positive, default=16, help="clients at once (default: %(default)s)")
    add("--jobs", type=harness.positive, default=8, help="jobs in each round (default: %(default)s)")
    add("--pages", type=harness.positive, default=100, help="pages of a job (default: %(default)s)")
    parser.set_defaults(model="crnn-fast")
    return parser.parse_args()


async def roll(
    serve: Serve, *, rounds: int, concurrency: int, draw: numbers_drawn.Draw = numbers_drawn.drawn
) -> Tally:
    """Restart each of three services behind nginx in each round, under load."""
    tally = Tally()
    ports = [serving.free_port() for _ in range(_SERVICES)]
    async with contextlib.AsyncExitStack() as stack:
        running = [await _started(stack, _replica(serve, port)) for port in ports]
        port = stack.enter_context(nginx_proxy.nginx(ports))
        pictures = await _read_alone(ports[0], draw)
        begun = time.monotonic()
        async with _load(tally, port, pictures, concurrency):
            for turn, place in itertools.product(range(rounds), range(_SERVICES)):
                harness.tell(f"round {turn + 1} of {rounds}: {tally.sent} requests")
                await _more(tally, 2 * concurrency)
                await asyncio.to_thread(running[place].close)
                await _more(tally, concurrency)
                running[place] = await _started(stack, _replica(serve, ports[place]))
                tally.restarts += 1
            await _more(tally, 2 * concurrency)
        tally.seconds = time.monotonic() - begun
    return tally


async def restart_database(
    serve: Serve,
    modes: Sequence[Mode],
    *,
    jobs: int,
    pages: int,
    draw: numbers_drawn.Draw = numbers_drawn.drawn,
) -> JobTally:
    """Restart the database of two services in each of these ways, each time while they read jobs."""
    tally = JobTally()
    async with contextlib.AsyncExitStack() as stack:
        cluster = stack.enter_context(postgres_cluster.cluster())
        settings = {"jobs_dsn": cluster.create("jobs"), "jobs_max_count": 100_000, "jobs_max_pages": pages}
        patient = {"deadline_seconds": 600, "max_pages": pages}
        servers = [
            await asyncio.to_thread(stack.enter_context, serve(**settings, **patient)) for _ in range(2)
        ]
        clients = [Client(server.port) for server in servers]
        pictures = await _read_alone(servers[0].port, draw)
        document = _tiff([draw(numbers_drawn.number(page), 0) for page in range(pages)])
        expected = (
            await _good(clients[0], exchange.request(document, "/api/ocr?mode=line&format=text"))
        ).body
        begun = time.monotonic()
        async with _load(tally, servers[0].port, pictures, 1), _load(tally, servers[1].port, pictures, 1):
            for turn, mode in enumerate(modes, 1):
                harness.tell(f"{mode}, round {turn} of {len(modes)}")
                names = [await _added(clients[number % 2], document) for number in range(jobs)]
                await _until(clients, names, tally, lambda read: read >= pages // 2)
                await asyncio.to_thread(cluster.restart, mode)
                tally.restarts += 1
                await _until(clients, names, tally, lambda read: read >= jobs * pages)
                for name in names:
                    await _judge(clients[1], name, expected, pages, tally)
        counted = sum([await _figure(client, 'ocrsvc_job_pages_total{outcome="read"}') for client in clients])
        tally.doubled = int(counted) - tally.pages
        tally.seconds = time.monotonic() - begun
        for client in clients:
            client.close()
    return tally


# --- servers ---


def _replica(serve: Serve, port: int) -> AbstractContextManager[serving.Server]:
    return serve(port=port, listen_when_ready=True, deadline_seconds=600, max_queue_seconds=600)


async def _started(
    stack: contextlib.AsyncExitStack, server: AbstractContextManager[serving.Server]
) -> contextlib.ExitStack:
    """Start a server; closing the result stops it, as the end of ``stack`` does."""
    own = stack.enter_context(contextlib.ExitStack())
    await asyncio.to_thread(own.enter_context, server)
    return own


# --- requests ---


async def _read_alone(port: int, draw: numbers_drawn.Draw) -> list[tuple[bytes, str]]:
    """Return requests with a picture each, and the text that each of them has."""
    client = Client(port)
    made = []
    for index in range(_PICTURES):
        picture = numbers_drawn.png(draw(numbers_drawn.number(index), index))
        content = exchange.request(picture, "/api/ocr?mode=line", content_type="image/png")
        made.append((content, (await _good(client, content)).json()["text"]))
    client.close()
    return made


@contextlib.asynccontextmanager
async def _load(
    tally: Tally, port: int, pictures: Sequence[tuple[bytes, str]], concurrency: int
) -> AsyncIterator[None]:
    """Send requests while the block runs, ``concurrency`` at once; those on their way are waited for at its end."""
    client, over = Client(port, patience_seconds=600), asyncio.Event()
    endless = itertools.cycle(pictures)

    async def one() -> None:
        while not over.is_set():
            content, text = next(endless)
            await asyncio.sleep(_PAUSE_SECONDS)
            tally.sent += 1
            try:
                answer = await client.ask(content)
            except (Refused, Broken, TimeoutError) as error:
                tally.failed[type(error).__name__] += 1
                continue
            if answer.status != 200:
                tally.failed[f"status {answer.status}"] += 1
            elif answer.json()["text"] != text:
                tally.failed["another text"] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(one())
        try:
            yield
        finally:
            over.set()
    client.close()


async def _more(tally: Tally, count: int) -> None:
    """Wait until so many more requests have been sent."""
    goal = tally.sent + count
    while tally.sent < goal:  # noqa: ASYNC110 - other tasks count
        await asyncio.sleep(_LOOK_SECONDS)


async def _good(client: Client, content: bytes) -> Answer:
    answer = await client.ask(content)
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {answer.body.decode()}")
    return answer


# --- jobs ---


def _tiff(pictures: Sequence[numbers_drawn.Picture]) -> bytes:
    first, *others = map(Image.fromarray, pictures)
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others, compression="tiff_deflate")
    return buffer.getvalue()


async def _added(client: Client, document: bytes) -> str:
    content = exchange.request(document, "/api/jobs?mode=line")
    while True:
        answer = await client.ask(content)
        if answer.status == 202:
            return str(answer.json()["id"])
        await asyncio.sleep(_LOOK_SECONDS)


async def _until(
    clients: Sequence[Client], names: Sequence[str], tally: JobTally, enough: Callable[[int], bool]
) -> None:
    """Wait until enough pages of the jobs together have been read, or none is left to be read."""
    known = dict.fromkeys(names, 0)
    over: set[str] = set()
    for name, client in zip(itertools.cycle(names), itertools.cycle(clients), strict=False):
        answer = await client.ask(exchange.request(b"", f"/api/jobs/{name}", method="GET"))
        if answer.status == 503:
            tally.refused += 1
        elif answer.status != 200:
            over.add(name)  # it is found lost later
        else:
            job = answer.json()
            known[name] = job["pages"]["read"]
            if job["state"] in ("done", "failed"):
                over.add(name)
        if len(over) == len(names) or (len(over) == 0 and enough(sum(known.values()))):
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def _judge(client: Client, name: str, expected: bytes, pages: int, tally: JobTally) -> None:
    tally.jobs += 1
    job = await client.ask(exchange.request(b"", f"/api/jobs/{name}", method="GET"))
    result = await client.ask(exchange.request(b"", f"/api/jobs/{name}/result?format=text", method="GET"))
    if job.status == result.status == 200 and result.body == expected:
        tally.pages += job.json()["pages"]["read"]
    else:
        tally.lost += 1


async def _figure(client: Client, name: str) -> float:
    answer = await _good(client, exchange.request(b"", "/metrics", method="GET"))
    lines = answer.body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


# --- the report ---


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return the two tables."""
    tally = document["rollout"]
    first = [
        ["restarts of a service", "seconds", "requests", "failed"],
        [str(tally.restarts), f"{tally.seconds:.0f}", str(tally.sent), _reasons(tally)],
    ]
    head = [
        "database",
        "restarts",
        "seconds",
        "jobs",
        "lost",
        "pages",
        "doubled",
        "requests",
        "failed",
        "refused",
    ]
    second = [head] + [
        [
            mode,
            str(each.restarts),
            f"{each.seconds:.0f}",
            *map(str, (each.jobs, each.lost, each.pages, each.doubled, each.sent)),
            _reasons(each),
            str(each.refused),
        ]
        for mode, each in document["database"].items()
    ]
    options = document["options"]
    return [f"{options['model']}, {options['concurrency']} clients at once", first, second]


def _reasons(tally: Tally) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in tally.failed.items()) or "0"


if __name__ == "__main__":
    main()
