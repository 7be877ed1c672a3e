"""How right and how fast recognisers read the same line crops: ours, the PP-OCR family, Tesseract.

    python bench/accuracy.py DATA_DIR --limit 300 --json out.json --markdown

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/; the rules are those of `ocrsvc evaluate`. MEAN is over all
sources, MEASURING over those of which no picture was ever trained on. Each recogniser reads with two workers of
one thread each; lines/s here are of one pass after another, bench/lines.py compares speeds alternately. What
is not installed is named with the command that brings it, and left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import drawn
import machine
import slices
from peers import DISTRIBUTIONS, Absent, add_models, expand, open_peer
from peers.batches import plan
from slices import Line, Share

from ocrsvc.diagnosis import evaluation
from ocrsvc.pages import decoding
from ocrsvc.pages.source import Limits

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
    texts: Mapping[str, str]


def main() -> None:
    options = parse(sys.argv[1:])
    decoding.quieten()
    cv2.setNumThreads(1)
    real = load(evaluation.samples(options.data, options.limit))
    lines = [*real, *(drawn.lines(options.drawn, options.fonts) if options.drawn else ())]
    report = machine.describe(DISTRIBUTIONS)
    results: dict[str, Result] = {}
    skipped: dict[str, str] = {}
    for name in expand(options.models):
        try:
            result = read(name, real, lines)
        except Absent as absent:
            skipped[name] = str(absent)
            print(f"{name} left out: {absent}", file=sys.stderr)
            continue
        results[name] = result
        means = result.scores
        print(
            f"{name}: MEAN {means['MEAN']['exact']:.4f}, MEASURING {means.get('MEASURING', {}).get('exact', 0):.4f}, "
            f"{result.lines_per_second:.1f} lines/s",
            file=sys.stderr,
        )
        if options.predictions:
            write_predictions(options.predictions, name, result)
        if options.json:
            write_json(options, report, real, results, skipped)
    if not results:
        raise SystemExit("none of these recognisers is here")
    print(tables(real, lines, results, markdown=options.markdown))
    if options.json:
        write_json(options, report, real, results, skipped)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", metavar="DATA_DIR", type=Path)
    parser.add_argument("--limit", type=int, help="lines of each source, always the same ones")
    add_models(parser)
    parser.add_argument(
        "--drawn", type=int, default=150, metavar="N", help="drawn lines a slice (default: 150)"
    )
    parser.add_argument(
        "--fonts",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="more faces, for handwriting",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", action="store_true", help="tables for a document")
    parser.add_argument(
        "--predictions", type=Path, metavar="FOLDER", help="also write what each of them read"
    )
    return parser.parse_args(arguments)


def load(found: Sequence[evaluation.Sample]) -> list[Line]:
    """The samples with their pictures, decoded as the service decodes them."""
    return [Line(s, next(decoding.decode(s.path.read_bytes(), Limits())).pixels) for s in found]


def read(name: str, real: Sequence[Line], lines: Sequence[Line]) -> Result:
    """Let one recogniser read all lines; ``real`` are those that count for sources and speed. Absent."""
    peer = open_peer(name)
    texts: dict[str, str] = {}
    seconds = 0.0
    with ThreadPoolExecutor(WORKERS) as pool:
        for some in (real, lines[len(real) :]):
            read_texts, spent = plan(peer, [line.picture for line in some]).read(pool)
            seconds = seconds or spent
            texts |= {line.sample.key: text for line, text in zip(some, read_texts, strict=True)}
    return Result(
        about=peer.about,
        scores=scores([line.sample for line in real], texts),
        slices=slices.rate(SLICES, lines, texts),
        lines_per_second=round(len(real) / seconds, 2),
        seconds=round(seconds, 3),
        texts=texts,
    )


def scores(found: Sequence[evaluation.Sample], texts: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Each source, the MEAN of all and, where there are any, of the MEASURING sources."""
    rows = {row.source: dict(row.values) for row in evaluation.score("lines", found, texts)}
    measuring = [sample for sample in found if sample.source in MEASURING]
    if measuring:
        rows["MEASURING"] = dict(evaluation.score("lines", measuring, texts)[-1].values)
    return rows


def tables(
    real: Sequence[Line], lines: Sequence[Line], results: Mapping[str, Result], *, markdown: bool
) -> str:
    """Sources, slices and speed, a column for each recogniser."""
    names = list(results)
    counts: dict[str, int] = {}
    for line in real:
        counts[line.sample.source] = counts.get(line.sample.source, 0) + 1
    first = next(iter(results.values()))
    by_source = [["source", "lines", *names]]
    for source in first.scores:
        count = counts.get(source, "")
        by_source.append([source, str(count), *(cell(results[name].scores[source]) for name in names)])
    speeds = [f"{results[name].lines_per_second:.0f}" for name in names]
    by_source.append(["lines/s", "", *speeds])
    by_slice = [["slice", "lines", *names]]
    for key, share in first.slices.items():
        by_slice.append(
            [key, str(share.lines), *(f"{results[name].slices[key].right:.3f}" for name in names)]
        )
    drawing = format_markdown if markdown else format_plain
    notes = [f"{name}: {results[name].about}" for name in names]
    notes += [f"{key}: {SLICES[key].about}" for key in first.slices]
    bullet = "- " if markdown else "  "
    parts = [
        drawing(by_source),
        "exact / strict (strict where labels know spaces and case)",
        drawing(by_slice),
    ]
    return "\n\n".join([*parts, "\n".join(bullet + note for note in notes)])


def cell(values: Mapping[str, float]) -> str:
    """exact, and strict where there is one."""
    return " / ".join(f"{values[metric]:.3f}" for metric in ("exact", "strict") if metric in values)


def format_markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    marks = "|---" * len(head) + "|"
    return "\n".join([f"| {' | '.join(head)} |", marks, *(f"| {' | '.join(row)} |" for row in body)])


def format_plain(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


def write_json(
    options: argparse.Namespace,
    report: Mapping[str, object],
    real: Sequence[Line],
    results: Mapping[str, Result],
    skipped: Mapping[str, str],
) -> None:
    """What is known so far: a run of an hour that is cut short leaves its figures."""
    document = {
        **report,
        "limit": options.limit,
        "lines": len(real),
        "workers": WORKERS,
        "engines": {name: without_texts(result) for name, result in results.items()},
        "skipped": skipped,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


def without_texts(result: Result) -> dict[str, object]:
    return {key: value for key, value in asdict(result).items() if key != "texts"}


def write_predictions(folder: Path, name: str, result: Result) -> None:
    """One JSON line a picture, as `ocrsvc evaluate --predictions` writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps({"file": key, "text": text}, ensure_ascii=False) for key, text in result.texts.items()]
    path = folder / f"{name.strip('./').replace('/', '-')}.jsonl"
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
