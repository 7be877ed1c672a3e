"""How fast recognisers read the same line crops, taking turns in one run, so that a busy machine slows all alike.

    python bench/lines.py DATA_DIR --limit 25 --rounds 15 --json out.json

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/, and the widths of its lines are the mix that is measured.
Pictures are decoded and scaled before the clock starts; normalisation, padding, the model and CTC decoding count.
Two workers with one thread each read batches as serving makes them: lines of one width, at most 32, at most 40 ms.
Every round has each recogniser read all lines once, in an order that turns from round to round; ratios are those
of one round, against PP-OCRv6 small in fp32 as our service runs it (its buckets) and as its makers do (at least
320 pixels wide). Names are those of bench/accuracy.py.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import machine
from peers import DISTRIBUTIONS, Absent, Picture, add_models, expand, open_peer
from peers.batches import Plan, plan

from ocrsvc.diagnosis import evaluation
from ocrsvc.pages import decoding
from ocrsvc.pages.source import Limits

WORKERS = 2
REFERENCES = {"ppocrv6-small@fp32": "its buckets", "ppocrv6-small@320": "320 pixels and more"}


def main() -> None:
    options = parse(sys.argv[1:])
    decoding.quieten()
    cv2.setNumThreads(1)
    report = machine.describe(DISTRIBUTIONS)
    pictures = load(evaluation.samples(options.data, options.limit))
    plans, skipped = prepare(expand([*REFERENCES, *options.models]), pictures)
    rates = race(plans, options.rounds)
    document = {
        **report,
        "lines": len(pictures),
        "limit": options.limit,
        "rounds": options.rounds,
        "workers": WORKERS,
        "engines": summary(plans, rates),
        "skipped": skipped,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    print(table(document, markdown=options.markdown))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", metavar="DATA_DIR", type=Path)
    parser.add_argument("--limit", type=int, default=25, help="lines of each source (default: 25)")
    parser.add_argument(
        "--rounds", type=int, default=15, help="times that each reads all lines (default: 15)"
    )
    add_models(parser)
    parser.add_argument("--json", type=Path, default=Path("bench/results/lines.json"), metavar="FILE")
    parser.add_argument("--markdown", action="store_true", help="a table for a document")
    return parser.parse_args(arguments)


def load(found: Sequence[evaluation.Sample]) -> list[Picture]:
    """The samples' pictures, decoded as the service decodes them."""
    return [next(decoding.decode(s.path.read_bytes(), Limits())).pixels for s in found]


def prepare(names: Sequence[str], pictures: Sequence[Picture]) -> tuple[dict[str, Plan], dict[str, str]]:
    """Each recogniser with its batches, and why the others are left out; SystemExit if none is here."""
    plans, skipped = {}, {}
    for name in names:
        try:
            plans[name] = plan(open_peer(name), pictures)
        except Absent as absent:
            skipped[name] = str(absent)
            print(f"{name} left out: {absent}", file=sys.stderr)
    if not plans:
        raise SystemExit("none of these recognisers is here")
    return plans, skipped


def race(plans: Mapping[str, Plan], rounds: int) -> dict[str, list[float]]:
    """Lines per second of each recogniser in each round; one round before them warms all shapes."""
    rates: dict[str, list[float]] = {name: [] for name in plans}
    with ThreadPoolExecutor(WORKERS) as pool:
        for turn in range(-1, rounds):
            for name in order(list(plans), turn):
                _, seconds = plans[name].read(pool)
                if turn >= 0:
                    rates[name].append(len(plans[name].lines) / seconds)
            print(f"round {turn + 1} of {rounds}", end="\r", file=sys.stderr)
    return rates


def order(names: Sequence[str], turn: int) -> list[str]:
    """Who reads when in this round: every other one goes backwards, and everybody is first as often as last."""
    shift = turn // 2 % len(names)
    turned = [*names[shift:], *names[:shift]]
    return turned[::-1] if turn % 2 else turned


def summary(plans: Mapping[str, Plan], rates: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Of each recogniser what it is, its batches, its speed and its ratios to the references that are here."""
    engines = {}
    for name, own in rates.items():
        ratios = {
            reference: spread([a / b for a, b in zip(own, rates[reference], strict=True)])
            for reference in REFERENCES
            if reference in rates
        }
        engines[name] = {
            "about": plans[name].recogniser.about,
            "batches": len(plans[name].batches),
            "lines_per_second": spread(own),
            "ratio": ratios,
            "rounds": [round(rate, 2) for rate in own],
        }
    return engines


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 10th and 90th percentile."""
    if len(values) == 1:
        low = high = values[0]
    else:
        low, *_, high = statistics.quantiles(values, n=10, method="inclusive")
    return {"median": round(statistics.median(values), 3), "p10": round(low, 3), "p90": round(high, 3)}


def table(document: Mapping[str, Any], *, markdown: bool) -> str:
    """One row a recogniser, the fastest first."""
    heads = [f"x {reference}" for reference in REFERENCES]
    rows = [["recogniser", "lines/s", "p10 - p90", *(part for head in heads for part in (head, "p10 - p90"))]]
    engines = sorted(document["engines"].items(), key=lambda pair: -pair[1]["lines_per_second"]["median"])
    for name, engine in engines:
        row = [name, *_cells(engine["lines_per_second"], 1)]
        for reference in REFERENCES:
            row += _cells(engine["ratio"].get(reference), 2)
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    head = (
        f"{document['lines']} lines, {document['rounds']} rounds, {document['workers']} workers, "
        f"{document['cores']} cores of {document['cpu']}, load {document['load_average']}"
    )
    if not markdown:
        return "\n".join([head, *("  ".join(line).rstrip() for line in lines)])
    marks = "|---" * len(widths) + "|"
    drawn = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "", drawn[0], marks, *drawn[1:]])


def _cells(values: Mapping[str, float] | None, digits: int) -> list[str]:
    if values is None:
        return ["-", "-"]
    return [f"{values['median']:.{digits}f}", f"{values['p10']:.{digits}f} - {values['p90']:.{digits}f}"]


if __name__ == "__main__":
    main()
