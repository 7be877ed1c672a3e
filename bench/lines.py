"""How fast recognisers read the same line crops. They take turns, so that a busy machine slows all alike.

    python bench/lines.py DATA_DIR --limit 25 --rounds 15 --json out.json

The widths of the lines in DATA_DIR are the mix that is measured. Pictures are decoded and scaled before the clock
starts. Normalisation, padding, the model and CTC decoding count. Two workers with one thread each read batches as
serving makes them: lines of one width, at most 32, at most 40 ms. In every round each recogniser reads all lines
once. Ratios are those of one round, against PP-OCRv6 small in fp32 as our service runs it (with its buckets) and as
its makers do (at least 320 pixels wide). Names are those of bench/accuracy.py.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import harness
import pictures
from peers import DISTRIBUTIONS, add_models, expand, open_peer
from peers.batches import Plan, plan
from peers.recogniser import Absent, Picture

from ocrsvc.diagnosis import evaluation

WORKERS = 2
REFERENCES = {"ppocrv6-small@fp32": "its buckets", "ppocrv6-small@320": "320 pixels and more"}


def main() -> None:
    parser = harness.parser(__doc__, "lines", data=True, limit=25, rounds=15)
    add_models(parser)
    options = parser.parse_args()
    head = harness.head(options, DISTRIBUTIONS)
    crops = pictures.load(evaluation.samples(options.data, options.limit))
    plans, skipped = prepare(expand([*REFERENCES, *options.models]), crops)
    engines = summary(plans, race(plans, options.rounds))
    document = {**head, "lines": len(crops), "workers": WORKERS, "engines": engines, "skipped": skipped}
    harness.finish(options, document, parts(document))


def prepare(names: Sequence[str], crops: Sequence[Picture]) -> tuple[dict[str, Plan], dict[str, str]]:
    """Return each recogniser with its batches, and why others are left out. SystemExit if none is here."""
    plans, skipped = {}, {}
    for name in names:
        try:
            plans[name] = plan(open_peer(name), crops)
        except Absent as absent:
            skipped[name] = str(absent)
            print(f"{name} left out: {absent}", file=sys.stderr)
    if not plans:
        raise SystemExit("none of these recognisers is here")
    return plans, skipped


def race(plans: Mapping[str, Plan], rounds: int) -> dict[str, list[float]]:
    """Return the lines/s of each recogniser in each round."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for each in plans.values():
            each.read(pool)  # the first run of a shape allocates
        turns = harness.take_turns(plans, rounds, lambda name, _: plans[name].read(pool)[1])
    return {name: [len(each.lines) / turn[name] for turn in turns] for name, each in plans.items()}


def summary(plans: Mapping[str, Plan], rates: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Return what each recogniser is, its batches, its speed and its ratios to the references that are here."""
    here = [reference for reference in REFERENCES if reference in rates]
    return {
        name: {
            "about": plans[name].recogniser.about,
            "batches": len(plans[name].batches),
            "lines_per_second": harness.spread(own),
            "ratio": {reference: harness.ratio(own, rates[reference]) for reference in here},
            "rounds": [round(rate, 2) for rate in own],
        }
        for name, own in rates.items()
    }


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return a table with a row for each recogniser, the fastest first."""
    rows = [["recogniser", "lines/s", "p10 - p90"]]
    for reference in REFERENCES:
        rows[0] += [f"x {reference}", "p10 - p90"]
    engines = document["engines"].items()
    for name, engine in sorted(engines, key=lambda pair: -pair[1]["lines_per_second"]["median"]):
        row = [name, *harness.cells(engine["lines_per_second"], 1)]
        for reference in REFERENCES:
            row += harness.cells(engine["ratio"].get(reference), 2)
        rows.append(row)
    rounds = document["options"]["rounds"]
    return [f"{document['lines']} lines, {rounds} rounds, {document['workers']} workers", rows]


if __name__ == "__main__":
    main()
