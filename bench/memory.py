"""Resident memory of the running server over very many requests of random sizes: whether it stays where it is.

    python bench/memory.py DATA_DIR --requests 100000 --json out.json --plot out.svg

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/. Of its lines --pictures pictures are made, each scaled to a
random height and a random width (8 pixels up to what is cut in parts), and --page-pictures pages of random sizes
with random numbers of those lines. They are sent in random order by --clients clients at once, one page in
--page-every requests. RSS is that of the server's processes, read at 20 points while nothing is on its way; the slope
is that of a straight line through the points of the second half (least squares).
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import load
import machine
import pictures
import report
import serving
from peers.recogniser import Picture
from systems import raw

POINTS = 20
_HEIGHTS = (12, 96)  # pixels, of a line
_WIDTHS = (8, 2400)
_PAGE_WIDTHS = (300, 2600)
_PAGE_LINES = (1, 60)
_SECONDS = 100_000.0  # the count ends each part, not the time
_MEGABYTE = 1_000_000
REST_SECONDS = 12.0  # after which an idle server has given back what runs need


def main() -> None:
    options = parse(sys.argv[1:])
    about = machine.describe()
    rng = random.Random(options.seed)
    crops = pictures.decode(pictures.line_files(options.data, options.limit))
    with tempfile.TemporaryDirectory() as folder, serving.ours(model=options.model) as server:
        lines = load.save(Path(folder) / "lines", raw("/api/ocr?mode=line")(line_files(crops, options, rng)))
        pages = load.save(Path(folder) / "pages", raw("/api/ocr?mode=page")(page_files(crops, options, rng)))
        points = [(0, server.rss_bytes() / _MEGABYTE)]
        errors = 0
        for number in range(POINTS):
            files = mixture(lines, pages, share(options.requests, number), options.page_every, rng)
            stream = load.Stream("all", files, clients=options.clients, count=len(files))
            outcome = load.run(server.port, [stream], _SECONDS)
            errors += outcome.streams["all"].errors
            points.append((points[-1][0] + len(files), server.rss_bytes() / _MEGABYTE))
            print(f"{points[-1][0]} requests, {points[-1][1]:.0f} MB".ljust(50), end="\r", file=sys.stderr)
        time.sleep(REST_SECONDS)
        rested = server.rss_bytes() / _MEGABYTE
    document = {
        **about,
        "model": options.model,
        "requests": options.requests,
        "page_every": options.page_every,
        "errors": errors,
        "rss": [{"requests": requests, "megabytes": round(megabytes, 2)} for requests, megabytes in points],
        "end_megabytes": round(points[-1][1], 2),
        "rested_megabytes": round(rested, 2),
        "slope_megabytes_per_1000_requests": round(1000 * slope(second_half(points)), 4),
    }
    report.write(options.json, document)
    print(text(document, markdown=options.markdown))
    if options.plot:
        title = f"{options.model}, one page in {options.page_every} requests"
        report.plot(options.plot, [("RSS in MB", "", {"server": points})], x="requests", title=title)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = report.parser(__doc__, "memory", rounds=0, plot=True)
    add = parser.add_argument
    add("data", metavar="DATA_DIR", type=Path)
    add("--requests", type=_twenty, default=100_000, help="in all (default: 100000, at least 20)")
    add("--clients", type=report.positive, default=8, help="at once (default: 8)")
    add("--page-every", type=report.positive, default=50, help="one page in so many (default: 50)")
    add("--pictures", type=report.positive, default=3000, help="of lines (default: 3000)")
    add("--page-pictures", type=report.positive, default=100, help="of pages (default: 100)")
    add("--limit", type=report.positive, default=40, help="lines of each source (default: 40)")
    add("--model", default="crnn", help="a model's name or folder (default: crnn)")
    add("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def _twenty(text: str) -> int:
    number = report.positive(text)
    if number < POINTS:
        raise argparse.ArgumentTypeError(f"{number} requests do not make {POINTS} points")
    return number


def line_files(crops: Sequence[Picture], options: argparse.Namespace, rng: random.Random) -> list[bytes]:
    """Lines of random sizes as JPEG files; narrow ones are as likely as wide ones by the octave."""
    made = []
    for _ in range(options.pictures):
        height = rng.randint(*_HEIGHTS)
        width = round(_WIDTHS[0] * (_WIDTHS[1] / _WIDTHS[0]) ** rng.random())
        made.append(pictures.jpeg(cv2.resize(rng.choice(crops), (width, height))))  # type: ignore[arg-type]
    return made


def page_files(crops: Sequence[Picture], options: argparse.Namespace, rng: random.Random) -> list[bytes]:
    """Pages of random widths with random numbers of lines as JPEG files."""
    return [
        pictures.jpeg(pictures.page(crops, rng.randint(*_PAGE_LINES), rng, rng.randint(*_PAGE_WIDTHS)))
        for _ in range(options.page_pictures)
    ]


def share(requests: int, number: int) -> int:
    """How many of the requests are sent before point ``number`` (from 0) and after the one before it."""
    return requests * (number + 1) // POINTS - requests * number // POINTS


def mixture(
    lines: Sequence[str], pages: Sequence[str], count: int, page_every: int, rng: random.Random
) -> list[str]:
    """So many requests in random order."""
    return [rng.choice(pages if rng.random() < 1 / page_every else lines) for _ in range(count)]


def second_half(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points from the middle of the run on."""
    return list(points[len(points) // 2 :])


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Megabytes a request, by least squares."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def text(document: Mapping[str, Any], *, markdown: bool) -> str:
    """RSS at each point, where it ended and how it moved."""
    rows = [["requests", "RSS MB"]]
    rows += [[str(point["requests"]), f"{point['megabytes']:.1f}"] for point in document["rss"]]
    rising = f"{document['slope_megabytes_per_1000_requests']:+.3f} MB per 1000 requests"
    end = (
        f"at the end {document['end_megabytes']:.1f} MB, {document['rested_megabytes']:.1f} MB after a rest; "
        f"second half {rising}; {document['errors']} errors"
    )
    head = f"{document['model']}; {report.machine_line(document)}"
    return f"{head}\n\n{report.table(rows, markdown=markdown)}\n\n{end}"


if __name__ == "__main__":
    main()
