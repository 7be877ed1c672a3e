"""What batches and threads bring on a CPU: the table that blog posts about CRNN services print, for our models.

    python bench/batch_table.py --model crnn --precision int8 --json out.json --plot out.svg

Each cell of the table reads one shape (batch x width, random pixels) again and again for --seconds. Cells take turns,
and medians over the rounds are printed. "N threads" is one session with N intra-op threads that reads one batch after
the other. "N workers" is one session of one thread that N threads run at once, as serving does. Below it stand four
claims of the blog posts with what was measured. A claim is confirmed if at least four fifths of its gain are there.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import harness
import plots
from cells import measure, table_cells
from claims import claim_cells, claims_of
from peers.own import manifest

BATCHES = (1, 2, 4, 8, 16, 32)


def main() -> None:
    options = parse()
    spec = manifest(options.model)
    head = harness.head(options, ["torch"])
    cores, width = head["cores"], options.width
    threads = options.threads or sorted({1, cores})
    with ThreadPoolExecutor(max(threads)) as pool:
        cells = table_cells(spec, options.precision, options.batches, threads, width, pool)
        rows = measure(cells, options.rounds, options.seconds, cores)
        claims = claim_cells(spec, options.precision, max(threads), width)
        timed = measure(claims, options.rounds, options.seconds, cores)
    document = {**head, "rows": rows, "claim_rows": timed, "claims": claims_of(rows, timed, cores)}
    harness.finish(options, document, parts(document), draw)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(
        __doc__, "batch_table", rounds=7, seconds=0.4, model=True, precision="fp32", plot=True
    )
    add = parser.add_argument
    add("--batches", type=harness.numbers, default=list(BATCHES), metavar="1,2,...")
    add("--threads", type=harness.numbers, metavar="1,2,...", help="default: 1 and all effective cores")
    add("--width", type=harness.positive, default=320, help="pixels (default: %(default)s)")
    return parser.parse_args()


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return the table of cells and that of claims."""
    rows = [["way", "batch", "ms a run", "lines/s", "p10 - p90", "CPU % of all cores", "cache misses a line"]]
    for row in [*document["rows"], *document["claim_rows"]]:
        misses = row["cache_misses_per_line"]
        latency = f"{row['latency_ms']['median']:.1f}"
        rows.append([row["way"], str(row["batch"]), latency, *harness.cells(row["lines_per_second"], 1)])
        rows[-1] += [f"{row['cpu_percent']:.0f}", "perf cannot say" if misses is None else f"{misses}"]
    claims = [["claim", "promised", "measured", "p10 - p90", "verdict", "how"]]
    for each in document["claims"]:
        measured = harness.cells(each["measured"], 2)
        claims.append([each["claim"], f"{each['promised']:.2f}", *measured, each["verdict"], each["how"]])
    return [title(document), rows, claims]


def title(document: Mapping[str, Any]) -> str:
    """Return what was read."""
    options = document["options"]
    return f"{options['model']} {options['precision']}, {options['width']} pixels wide"


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Draw lines/s and latency by batch."""
    panels = []
    for key, label in (("lines_per_second", "lines/s"), ("latency_ms", "ms a run")):
        series: dict[str, list[tuple[float, float]]] = {}
        for row in document["rows"]:
            series.setdefault(row["way"], []).append((row["batch"], row[key]["median"]))
        panels.append((label, "", series))
    about = f"{title(document)}, {document['cores']} cores of {document['cpu']}"
    plots.plot(path, panels, x="batch", title=about, log=True)


if __name__ == "__main__":
    main()
