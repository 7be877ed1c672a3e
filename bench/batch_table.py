"""What batches and threads bring on a CPU: the table that blog posts about CRNN services print, for our models.

    python bench/batch_table.py --model crnn --precision int8 --json out.json --plot out.svg

Each cell runs one shape (batch x width, random pixels) again and again for --seconds; cells take turns, in an order
that turns from round to round, and medians over the rounds are printed. "N threads" is one session with N intra-op
threads that reads one batch after the other; "N workers" is one session of one thread that N threads run at once,
as serving does. Then four claims of the blog posts, each with what was measured: a claim counts as confirmed if at
least four fifths of its gain are there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import machine
import report
from cells import measure, table_cells
from claims import claim_cells, claims_of
from peers.own import manifest

BATCHES = (1, 2, 4, 8, 16, 32)


def main() -> None:
    options = parse(sys.argv[1:])
    spec = manifest(options.model)
    about = machine.describe(["torch"])
    threads = options.threads or sorted({1, about["cores"]})
    with ThreadPoolExecutor(max(threads)) as pool:
        cells = table_cells(spec, options.precision, options.batches, threads, options.width, pool)
        rows = measure(cells, options.rounds, options.seconds, about["cores"])
        claims = claim_cells(spec, options.precision, max(threads), options.width)
        timed = measure(claims, options.rounds, options.seconds, about["cores"])
    document = {
        **about,
        "model": spec.name,
        "precision": options.precision,
        "width_pixels": options.width,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "rows": rows,
        "claim_rows": timed,
        "claims": claims_of(rows, timed, about["cores"]),
    }
    report.write(options.json, document)
    print(text(document, markdown=options.markdown))
    if options.plot:
        draw(options, document)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = report.parser(__doc__, "batch_table", rounds=7, plot=True)
    add = parser.add_argument
    add("--model", default="crnn", help="a model's name or folder (default: crnn)")
    add("--precision", choices=["int8", "fp32"], default="fp32")
    add("--batches", type=report.numbers, default=list(BATCHES), metavar="1,2,...")
    add("--threads", type=report.numbers, metavar="1,2,...", help="default: 1 and all effective cores")
    add("--width", type=report.positive, default=320, help="pixels (default: 320)")
    add("--seconds", type=float, default=0.4, help="of each cell in each round (default: 0.4)")
    return parser.parse_args(arguments)


def text(document: Mapping[str, Any], *, markdown: bool) -> str:
    """Both tables, with the machine above them."""
    head = f"{document['model']} {document['precision']}, {document['width_pixels']} pixels wide; "
    return "\n".join(
        [
            head + report.machine_line(document),
            "",
            report.table(_rows([*document["rows"], *document["claim_rows"]]), markdown=markdown),
            "",
            report.table(_claims(document["claims"]), markdown=markdown),
        ]
    )


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    drawn = [
        ["way", "batch", "ms a run", "lines/s", "p10 - p90", "CPU % of all cores", "cache misses a line"]
    ]
    for row in rows:
        rate, misses = row["lines_per_second"], row["cache_misses_per_line"]
        drawn.append(
            [
                row["way"],
                str(row["batch"]),
                f"{row['latency_ms']['median']:.1f}",
                f"{rate['median']:.1f}",
                f"{rate['p10']:.1f} - {rate['p90']:.1f}",
                f"{row['cpu_percent']:.0f}",
                "perf cannot say" if misses is None else f"{misses}",
            ]
        )
    return drawn


def _claims(claims: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    drawn = [["claim", "promised", "measured (p10 - p90)", "verdict", "how"]]
    for each in claims:
        got = each["measured"]
        measured = "-" if got is None else f"x {got['median']:.2f} ({got['p10']:.2f} - {got['p90']:.2f})"
        drawn.append([each["claim"], f"x {each['promised']:.2f}", measured, each["verdict"], each["how"]])
    return drawn


def draw(options: argparse.Namespace, document: Mapping[str, Any]) -> None:
    """Lines/s and latency by batch."""
    panels = []
    for key, label in (("lines_per_second", "lines/s"), ("latency_ms", "ms a run")):
        series: dict[str, list[tuple[float, float]]] = {}
        for row in document["rows"]:
            series.setdefault(row["way"], []).append((row["batch"], row[key]["median"]))
        panels.append((label, "", series))
    title = f"{document['model']} {document['precision']}, {document['cores']} cores of {document['cpu']}"
    report.plot(options.plot, panels, x="batch", title=title, log=True)


if __name__ == "__main__":
    main()
