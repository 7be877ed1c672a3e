"""Resident memory of the running server over very many requests of random sizes: whether it stays where it is.

    python bench/memory.py DATA_DIR --requests 100000 --json out.json --plot out.svg

The lines of DATA_DIR become --pictures pictures, each scaled to a random height and a random width (from 8 pixels to
what is cut in parts), and --page-pictures pages of random sizes with random numbers of lines. --clients clients send
them in random order, one page in --page-every requests. RSS is that of the server's processes, read at 20 points while
nothing is on its way. The slope is that of a straight line through the points of the second half (least squares).
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import harness
import load
import pictures
import plots
import serving
from peers.recogniser import Picture

POINTS = 20
_HEIGHTS = (12, 96)  # pixels, of a line
_WIDTHS = (8, 2400)
_PAGE_WIDTHS = (300, 2600)
_PAGE_LINES = (1, 60)
_SECONDS = 100_000.0  # the count ends each part, not the time
_MEGABYTE = 1_000_000
REST_SECONDS = 12.0  # after which an idle server has given back what runs need


def main() -> None:
    options = parse()
    document = harness.head(options)
    rng = random.Random(options.seed)
    crops = pictures.decode(pictures.line_files(options.data, options.limit))
    with tempfile.TemporaryDirectory() as folder, serving.ours(model=options.model) as server:
        lines = load.save_pictures(Path(folder), line_files(crops, options.pictures, rng), "line")
        pages = load.save_pictures(Path(folder), page_files(crops, options.page_pictures, rng), "page")
        points, document["errors"] = watch(server, lines, pages, options, rng)
        time.sleep(REST_SECONDS)
        document["rested_megabytes"] = round(server.rss_bytes() / _MEGABYTE, 2)
    document["rss"] = [{"requests": sent, "megabytes": round(size, 2)} for sent, size in points]
    document["end_megabytes"] = round(points[-1][1], 2)
    document["slope_megabytes_per_1000_requests"] = round(1000 * slope(second_half(points)), 4)
    harness.finish(options, document, parts(document), draw)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "memory", data=True, limit=40, model=True, plot=True)
    add = parser.add_argument
    add("--requests", type=_enough, default=100_000, help=f"at least {POINTS} (default: %(default)s)")
    add("--clients", type=harness.positive, default=8, help="at once (default: %(default)s)")
    add("--page-every", type=harness.positive, default=50, help="one page in so many (default: %(default)s)")
    add("--pictures", type=harness.positive, default=3000, help="of lines (default: %(default)s)")
    add("--page-pictures", type=harness.positive, default=100, help="of pages (default: %(default)s)")
    add("--seed", type=int, default=0)
    return parser.parse_args()


def _enough(text: str) -> int:
    number = harness.positive(text)
    if number < POINTS:
        raise argparse.ArgumentTypeError(f"{number} requests do not make {POINTS} points")
    return number


def line_files(crops: Sequence[Picture], count: int, rng: random.Random) -> list[bytes]:
    """Return lines of random sizes as JPEG files. An octave of widths is as likely as any other."""
    made = []
    for _ in range(count):
        height = rng.randint(*_HEIGHTS)
        width = round(_WIDTHS[0] * (_WIDTHS[1] / _WIDTHS[0]) ** rng.random())
        made.append(pictures.jpeg(cv2.resize(rng.choice(crops), (width, height))))  # type: ignore[arg-type]
    return made


def page_files(crops: Sequence[Picture], count: int, rng: random.Random) -> list[bytes]:
    """Return pages of random widths with random numbers of lines as JPEG files."""
    return [
        pictures.jpeg(pictures.page(crops, rng.randint(*_PAGE_LINES), rng, rng.randint(*_PAGE_WIDTHS)))
        for _ in range(count)
    ]


def watch(
    server: serving.Server,
    lines: Sequence[str],
    pages: Sequence[str],
    options: argparse.Namespace,
    rng: random.Random,
) -> tuple[list[tuple[int, float]], int]:
    """Send all requests, and return the RSS in MB after so many of them, at each point, and the errors."""
    points, errors = [(0, server.rss_bytes() / _MEGABYTE)], 0
    for number in range(POINTS):
        count = share(options.requests, number)
        files = [rng.choice(pages if rng.random() < 1 / options.page_every else lines) for _ in range(count)]
        stream = load.Stream("all", files, clients=options.clients, count=count)
        errors += load.run(server.port, [stream], _SECONDS).streams["all"].errors
        points.append((points[-1][0] + count, server.rss_bytes() / _MEGABYTE))
        harness.tell(f"{points[-1][0]} requests, {points[-1][1]:.0f} MB")
    return points, errors


def share(requests: int, number: int) -> int:
    """Return how many of the requests are sent between point ``number`` (from 0) and the next."""
    return requests * (number + 1) // POINTS - requests * number // POINTS


def second_half(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the points from the middle of the run on."""
    return list(points[len(points) // 2 :])


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Return the megabytes a request, by least squares."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return the RSS at each point, where it ended and how it moved."""
    rows = [["requests", "RSS MB"]]
    rows += [[str(point["requests"]), f"{point['megabytes']:.1f}"] for point in document["rss"]]
    rising = f"{document['slope_megabytes_per_1000_requests']:+.3f} MB per 1000 requests"
    end = (
        f"at the end {document['end_megabytes']:.1f} MB, {document['rested_megabytes']:.1f} MB after a rest; "
        f"second half {rising}; {document['errors']} errors"
    )
    return [document["options"]["model"], rows, end]


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Draw RSS by requests."""
    points = [(point["requests"], point["megabytes"]) for point in document["rss"]]
    title = "{model}, one page in {page_every} requests".format(**document["options"])
    plots.plot(path, [("RSS in MB", "", {"server": points})], x="requests", title=title)


if __name__ == "__main__":
    main()
