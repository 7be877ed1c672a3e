"""How right and how fast recognisers read the same line crops: ours, the PP-OCR family, Tesseract.

    python bench/accuracy.py DATA_DIR --limit 300 --json out.json --markdown

The rules are those of `ocrsvc evaluate`. MEAN is over all sources, MEASURING over those of which no picture was ever
trained on. Each recogniser reads with two workers of one thread each. Its lines/s are those of one pass:
bench/lines.py compares speeds. A recogniser that is not installed is named with the command that brings it, and left
out.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import drawn
import harness
import pictures
import slices
from peers import DISTRIBUTIONS, add_models, expand, open_peer
from peers.batches import plan
from peers.recogniser import Absent
from slices import Line, Share

from ocrsvc.diagnosis import evaluation

MEASURING = ("bankcard_digits", "demo_zh_checked", "fa_catalog_zh", "scribe_docs")
WORKERS = 2
SLICES = {**slices.REAL, **drawn.DRAWN}


@dataclass(frozen=True)
class Result:
    """What one recogniser made of all lines. ``scores``: each source, MEAN, MEASURING -> metric -> value."""

    about: str
    scores: Mapping[str, Mapping[str, float]]
    slices: Mapping[str, Share]
    lines_per_second: float
    seconds: float


def main() -> None:
    options = parse()
    head = harness.head(options, DISTRIBUTIONS)
    found = evaluation.samples(options.data, options.limit)
    real = [Line(sample, picture) for sample, picture in zip(found, pictures.load(found), strict=True)]
    lines = [*real, *(drawn.lines(options.drawn, options.fonts) if options.drawn else ())]
    engines: dict[str, Result] = {}
    document = {**head, "lines": len(real), "workers": WORKERS, "engines": engines, "skipped": {}}
    for name in expand(options.models):
        try:
            engines[name], texts = read(name, real, lines)
        except Absent as absent:
            document["skipped"][name] = str(absent)
            print(f"{name} left out: {absent}", file=sys.stderr)
            continue
        harness.write(options.json, document)  # a run of an hour that is cut short leaves its figures
        if options.predictions:
            path = options.predictions / f"{name.strip('./').replace('/', '-')}.jsonl"
            harness.write_lines(path, ({"file": key, "text": text} for key, text in texts.items()))
    if not engines:
        raise SystemExit("none of these recognisers is here")
    harness.finish(options, document, parts(real, engines))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "accuracy", data=True)
    add_models(parser)
    add = parser.add_argument
    add("--drawn", type=int, default=150, metavar="N", help="drawn lines a slice (default: %(default)s)")
    more = "a folder of more faces, for handwriting"
    add("--fonts", type=Path, action="append", default=[], metavar="FOLDER", help=more)
    add("--predictions", type=Path, metavar="FOLDER", help="also write what each of them read")
    return parser.parse_args()


def read(name: str, real: Sequence[Line], lines: Sequence[Line]) -> tuple[Result, dict[str, str]]:
    """Let one recogniser read all lines, and return the result and the texts.

    ``real`` are the first of ``lines``. Only they count for sources and speed.
    Raise Absent if the recogniser is not here.
    """
    peer = open_peer(name)
    texts: dict[str, str] = {}
    seconds = 0.0
    with ThreadPoolExecutor(WORKERS) as pool:
        for some in (real, lines[len(real) :]):
            read_texts, spent = plan(peer, [line.picture for line in some]).read(pool)
            seconds = seconds or spent
            texts |= {line.sample.key: text for line, text in zip(some, read_texts, strict=True)}
    result = Result(
        about=peer.about,
        scores=scores([line.sample for line in real], texts),
        slices=slices.rate(SLICES, lines, texts),
        lines_per_second=round(len(real) / seconds, 2),
        seconds=round(seconds, 3),
    )
    exact = result.scores["MEAN"]["exact"]
    print(f"{name}: MEAN {exact:.4f}, {result.lines_per_second:.1f} lines/s", file=sys.stderr)
    return result, texts


def scores(found: Sequence[evaluation.Sample], texts: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Return the scores of each source, their MEAN and, if any are among them, that of the MEASURING sources."""
    rows = {row.source: dict(row.values) for row in evaluation.score("lines", found, texts)}
    measuring = [sample for sample in found if sample.source in MEASURING]
    if measuring:
        rows["MEASURING"] = dict(evaluation.score("lines", measuring, texts)[-1].values)
    return rows


def parts(real: Sequence[Line], results: Mapping[str, Result]) -> list[harness.Part]:
    """Return tables of sources and slices with a column for each recogniser, and what the names mean."""
    counts = Counter(line.sample.source for line in real)
    columns = results.values()
    first = next(iter(columns))
    by_source = [["source", "lines", *results]]
    for source in first.scores:
        rights = [cell(each.scores[source]) for each in columns]
        by_source.append([source, str(counts[source] or ""), *rights])
    by_source.append(["lines/s", "", *(f"{each.lines_per_second:.0f}" for each in columns)])
    by_slice = [["slice", "lines", *results]]
    for key, share in first.slices.items():
        by_slice.append([key, str(share.lines), *(f"{each.slices[key].right:.3f}" for each in columns)])
    notes = [f"- {name}: {each.about}" for name, each in results.items()]
    notes += [f"- {key}: {SLICES[key].about}" for key in first.slices]
    legend = "exact / strict (strict where labels know spaces and case)"
    return [by_source, legend, by_slice, "\n".join(notes)]


def cell(values: Mapping[str, float]) -> str:
    """Return the metric exact and, where there is one, strict."""
    return " / ".join(f"{values[metric]:.3f}" for metric in ("exact", "strict") if metric in values)


if __name__ == "__main__":
    main()
