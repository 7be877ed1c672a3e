"""Random shapes for a long time: whether memory, descriptors, threads and work inside stay where they are.

    python bench/soak.py --minutes 120 --json out.json --plot out.svg

--clients clients send, in random order: lines of random sizes, pages of random sizes with random numbers of lines,
scans of several pages, batches, jobs, bodies that cannot be read, and requests whose client hangs up. Every --every
seconds a sample is taken: RSS, descriptors and threads of the server and its decoders, pixels and requests inside.
Slopes are those of straight lines through the samples of the second half (least squares), in an hour. In the end the
server rests, until nothing is inside and it has given back what runs need.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import exchange
import harness
import mixups
import numbers_drawn
import numpy as np
import plots
import samples
import serving
import uvloop
from exchange import Answer, Broken, Client
from numbers_drawn import Picture
from PIL import Image

KINDS = {"line": 60, "page": 14, "scan": 6, "batch": 5, "job": 3, "bad": 6, "vanish": 6}
_FORMATS = ("json", "text", "tsv", "hocr", "alto", "markdown", "jsonl", "pdf", "xlsx")
_LAYOUTS = ("lines", "rows", "paragraphs", "tables")
_LINE_HEIGHTS = (10, 120)  # pixels
_STRETCH = (0.3, 8.0)  # width over that of the drawn line of this height; wide ones are cut in parts
_PAGE_SIDES = (200, 2400)
_PAGE_LINES = (0, 40)
_SCAN_PAGES = (2, 6)
_REST_SECONDS = 12.0  # after which an idle server has given back what runs need
_MOST_POINTS = 60  # of a curve
_PAUSE_SECONDS = 0.5  # after a 503
_CURVES = ("megabytes", "own_megabytes", "descriptors", "threads", "processes")


def main() -> None:
    options = parse()
    document = harness.head(options)
    with serving.ours(model=options.model) as server:
        document |= uvloop.run(soak(server, options))
        document["alive"] = server.process.is_running()
    harness.finish(options, document, parts(document), draw)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "soak", model=True, plot=True)
    add = parser.add_argument
    add("--minutes", type=float, default=10.0, help="default: %(default)s")
    add("--clients", type=harness.positive, default=6, help="at once (default: %(default)s)")
    add("--every", type=float, default=10.0, metavar="SECONDS", help="between samples (default: %(default)s)")
    add("--seed", type=int, default=0)
    parser.set_defaults(model="crnn-fast")
    return parser.parse_args()


async def soak(server: serving.Server, options: argparse.Namespace) -> dict[str, Any]:
    """Load the server for the time of the options, and return the fields of the report."""
    statuses: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    sampler = samples.Sampler(server)
    client = Client(server.port)
    begun = time.monotonic()
    until = begun + 60 * options.minutes

    async def one_client(number: int) -> None:
        rng = random.Random(f"{options.seed}:{number}")
        while time.monotonic() < until:
            kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
            content = await asyncio.to_thread(request, rng, kind)
            if kind == "vanish":
                connection = await client.send(content)
                await asyncio.sleep(rng.random())
                connection.close()
                statuses[kind]["left"] += 1
                continue
            try:
                answer = await client.ask(content)
            except (Broken, TimeoutError) as error:
                statuses[kind][type(error).__name__] += 1
                continue
            statuses[kind][str(answer.status)] += 1
            sampler.requests += 1
            if answer.status == 503:
                await asyncio.sleep(_PAUSE_SECONDS)
            elif kind == "job" and answer.status == 202:
                await _finished(client, answer, statuses[kind])
            harness.tell(f"{time.monotonic() - begun:.0f} s, {sampler.requests} requests")

    async with sampler.watching(options.every):
        await asyncio.gather(*(one_client(number) for number in range(options.clients)))
    seconds = time.monotonic() - begun
    loaded = list(sampler.samples)
    await sampler.settle()
    await asyncio.sleep(_REST_SECONDS)
    rested = await sampler.look()
    client.close()
    return {
        "seconds": round(seconds, 1),
        "requests": sampler.requests,
        "statuses": {kind: dict(sorted(counts.items())) for kind, counts in statuses.items()},
        "server_errors": sum(
            count
            for counts in statuses.values()
            for status, count in counts.items()
            if status[0] == "5" and status not in ("503", "504")
        ),
        "refused": sum(counts["503"] for counts in statuses.values()),
        "late": sum(counts["504"] for counts in statuses.values()),
        "unanswered": sum(counts["Broken"] + counts["TimeoutError"] for counts in statuses.values()),
        "slopes_per_hour": {name: round(samples.slope_per_hour(loaded, name), 2) for name in _CURVES},
        "samples": samples.columns(loaded),
        "rested": asdict(rested),
    }


async def _finished(client: Client, answer: Answer, counts: Counter[str]) -> None:
    """Wait for the end of a job, fetch its result, and delete it."""
    path = f"/api/jobs/{answer.json()['id']}"
    while True:
        job = (await client.ask(exchange.request(b"", path, method="GET"))).json()
        if job.get("state") in ("done", "failed", "cancelled"):
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    result = await client.ask(exchange.request(b"", f"{path}/result", method="GET"))
    counts[f"{job['state']} {result.status}"] += 1
    await client.ask(exchange.request(b"", path, method="DELETE"))


def request(rng: random.Random, kind: str) -> bytes:
    """Return a whole request of a kind."""
    given = f"format={rng.choice(_FORMATS)}&layout={rng.choice(_LAYOUTS)}"
    if kind == "bad":
        return exchange.request(rng.choice(list(mixups.poison())), "/api/ocr?mode=line")
    if kind in ("scan", "job"):
        path = "/api/jobs?format=json" if kind == "job" else f"/api/ocr?{given}"
        return exchange.request(scan(rng), path)
    if kind == "batch":
        files = [
            ("images", f"{number}.png", numbers_drawn.png(line(rng))) for number in range(rng.randint(1, 6))
        ]
        body, content_type = exchange.form([*files, ("mode", None, b"line")])
        return exchange.request(body, "/api/ocr/batch", content_type=content_type)
    if kind == "page" or (kind == "vanish" and rng.random() < 0.5):
        return exchange.request(_file(rng, page(rng)), f"/api/ocr?mode=page&{given}")
    return exchange.request(_file(rng, line(rng)), f"/api/ocr?mode=line&{given}")


def line(rng: random.Random) -> Picture:
    """Return a line of a random height and width."""
    drawn = numbers_drawn.drawn(numbers_drawn.number(rng.randrange(10**8)), rng.randrange(16))
    height = rng.randint(*_LINE_HEIGHTS)
    stretch = _STRETCH[0] * (_STRETCH[1] / _STRETCH[0]) ** rng.random()
    width = max(4, round(drawn.shape[1] * height / drawn.shape[0] * stretch))
    return cv2.resize(drawn, (width, height))  # type: ignore[return-value]


def page(rng: random.Random) -> Picture:
    """Return a page of a random size with lines at random places."""
    width, height = rng.randint(*_PAGE_SIDES), rng.randint(*_PAGE_SIDES)
    canvas = np.full((height, width), 255, np.uint8)
    for _ in range(rng.randint(*_PAGE_LINES)):
        drawn = numbers_drawn.drawn(numbers_drawn.number(rng.randrange(10**8)), rng.randrange(4))
        if drawn.shape[0] < height and drawn.shape[1] < width:
            top, left = rng.randrange(height - drawn.shape[0]), rng.randrange(width - drawn.shape[1])
            canvas[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return canvas


def scan(rng: random.Random) -> bytes:
    """Return a TIFF or PDF of several pages."""
    first, *others = (Image.fromarray(page(rng)) for _ in range(rng.randint(*_SCAN_PAGES)))
    buffer = io.BytesIO()
    first.save(buffer, rng.choice(("TIFF", "PDF")), save_all=True, append_images=others)
    return buffer.getvalue()


def _file(rng: random.Random, picture: Picture) -> bytes:
    """Return the picture as a file of a random kind."""
    _, data = cv2.imencode(rng.choice((".png", ".jpg", ".webp", ".bmp")), picture)
    return data.tobytes()


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return what was sent, and what the server held at the beginning, in the middle and at the end."""
    taken, rested = document["samples"], document["rested"]
    rows = [["", "first", "at a tenth", "middle", "end", "most", "after a rest", "an hour"]]
    last = len(taken["seconds"]) - 1
    for name in (*_CURVES, "pixels_inside", "requests_inside"):
        values = taken[name]
        slope = document["slopes_per_hour"].get(name)
        shown = (values[0], values[last // 10], values[last // 2], values[last], max(values), rested[name])
        rows.append([name, *(f"{value:.0f}" for value in shown), "" if slope is None else f"{slope:+.1f}"])
    about = (
        f"{document['options']['model']}, {document['requests']} requests in {document['seconds'] / 60:.1f} minutes, "
        f"{document['server_errors']} other 5xx than {document['refused']} 503 and {document['late']} 504, "
        f"{document['unanswered']} without an answer"
    )
    return [about, rows, json.dumps(document["statuses"])]


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Draw the samples over the time."""
    step = -(-len(document["samples"]["seconds"]) // _MOST_POINTS)
    taken = {name: values[::step] for name, values in document["samples"].items()}
    minutes = [seconds / 60 for seconds in taken["seconds"]]

    def curve(name: str, unit: float = 1.0) -> list[tuple[float, float]]:
        return [(minute, value / unit) for minute, value in zip(minutes, taken[name], strict=True)]

    memory = {"with its decoders": curve("megabytes"), "the server alone": curve("own_megabytes")}
    counts = {"descriptors": curve("descriptors"), "threads": curve("threads")}
    inside = {"pixels inside": curve("pixels_inside", 1e6)}
    panels = [("RSS in MB", "", memory), ("count", "", counts), ("millions", "", inside)]
    title = f"{document['options']['model']}: random shapes, {document['requests']} requests"
    plots.plot(path, panels, x="minutes", title=title)


if __name__ == "__main__":
    main()
