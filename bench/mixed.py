"""One-line requests while pages of 100 lines and more are read: what a page makes a single line wait.

    python bench/mixed.py DATA_DIR --pages PAGES_DIR --model crnn --json out.json

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/ and gives the lines. Pages are those of PAGES_DIR with at least
--page-lines labelled boxes, else they are laid out from the lines. A short calibration finds how many lines/s and
pages/s the server reads with all cores busy. Then four phases take turns; one-line requests come at random times
(Poisson), and their time counts from when they were due:

  idle   lines at --idle of the lines/s
  lines  lines at --utilisation, no pages
  mixed  --utilisation in all, of which --page-share is pages that come at random times too
  full   lines at --utilisation and, beyond that, always one page being read: more than the cores can do for as long as
         that page lasts

"beside a page" counts only lines that were on their way while a page was. "x idle p50" is their p99 over idle's p50.
"""

from __future__ import annotations

import argparse
import bisect
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import load
import machine
import pictures
import report
import serving
from lines import order, spread
from systems import raw
from throughput import percentile

from ocrsvc.diagnosis import evaluation

PHASES = ("idle", "lines", "mixed", "full")
_WITH_PAGES = ("mixed", "full")  # where the lines beside a page are those that count
_DRAWN_PAGES = 8
_CALIBRATING_CLIENTS = 16
_CALIBRATING_PAGES = 2  # read at once


def main() -> None:
    options = parse(sys.argv[1:])
    about = machine.describe()
    files = pictures.line_files(options.data, options.limit)
    pages, origin = page_files(options, files)
    with tempfile.TemporaryDirectory() as folder, serving.ours(model=options.model) as server:
        lines = load.save(Path(folder) / "lines", raw("/api/ocr?mode=line")(files))
        sheets = load.save(Path(folder) / "pages", raw("/api/ocr?mode=page")(pages))
        capacity = calibrate(server, lines, sheets, options.calibration_seconds)
        turns: list[dict[str, Any]] = []
        for turn in range(options.rounds):
            done: dict[str, Any] = {}
            for phase in order(PHASES, turn):
                print(f"round {turn + 1} of {options.rounds}: {phase}".ljust(50), end="\r", file=sys.stderr)
                streams = streams_of(phase, capacity, lines, sheets, options, turn)
                before = server.cpu_seconds()
                outcome = load.run(server.port, streams, options.seconds)
                done[phase] = figures(outcome, server.cpu_seconds() - before, about["cores"])
            turns.append(done)
    document = {
        **about,
        "model": options.model,
        "lines": len(files),
        "pages": len(pages),
        "pages_are": origin,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "utilisation": options.utilisation,
        "page_share": options.page_share,
        "capacity": capacity,
        "phases": {phase: summary([each[phase] for each in turns]) for phase in PHASES},
        "p99_over_idle_p50": {phase: over_idle(turns, phase) for phase in PHASES},
        "turns": turns,
    }
    report.write(options.json, document)
    print(text(document, markdown=options.markdown))
    if options.plot:
        draw(options.plot, document)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = report.parser(__doc__, "mixed", rounds=5, plot=True)
    add = parser.add_argument
    add("data", metavar="DATA_DIR", type=Path)
    add("--pages", type=Path, metavar="PAGES_DIR", help="labelled pages (default: laid out from the lines)")
    add("--page-lines", type=report.positive, default=100, help="of a page, at least (default: 100)")
    add("--limit", type=report.positive, default=40, help="lines of each source (default: 40)")
    add("--model", default="crnn", help="a model's name or folder (default: crnn)")
    add("--seconds", type=float, default=20.0, help="of each phase in each round (default: 20)")
    add("--calibration-seconds", type=float, default=8.0, help="for lines, and for pages (default: 8)")
    add("--utilisation", type=float, default=0.7, help="share of what the server can do (default: 0.7)")
    add("--page-share", type=float, default=0.3, help="share of that which is pages, in mixed (default: 0.3)")
    add("--idle", type=float, default=0.03, help="share of what the server can do that counts as idle")
    return parser.parse_args(arguments)


def page_files(options: argparse.Namespace, files: Sequence[bytes]) -> tuple[list[bytes], str]:
    """Pages to send, and what they are."""
    if options.pages:
        found = evaluation.samples(options.pages)
        large = [each for each in found if len(each.row.get("boxes", ())) >= options.page_lines]
        if large:
            return [
                each.path.read_bytes() for each in large
            ], f"labelled, {options.page_lines} boxes and more"
        print(f"no page has {options.page_lines} boxes: they are laid out", file=sys.stderr)
    rng = random.Random(0)
    crops = pictures.decode(files)
    made = [pictures.jpeg(pictures.page(crops, options.page_lines, rng)) for _ in range(_DRAWN_PAGES)]
    return made, f"laid out, {options.page_lines} lines"


def calibrate(
    server: serving.Server, lines: Sequence[str], pages: Sequence[str], seconds: float
) -> dict[str, float]:
    """Lines/s alone and pages/s alone with all cores busy."""
    load.run(server.port, [load.Stream("lines", lines, clients=_CALIBRATING_CLIENTS)], seconds / 4)
    alone = load.run(server.port, [load.Stream("lines", lines, clients=_CALIBRATING_CLIENTS)], seconds)
    # A page takes seconds: what counts is how long these took, not how many ended in time.
    sheets = load.run(server.port, [load.Stream("pages", pages, clients=_CALIBRATING_PAGES)], seconds)
    good = len(sheets.streams["pages"].good())
    found = {
        "lines_per_second": len(alone.streams["lines"].good()) / alone.wall_seconds,
        "pages_per_second": good / sheets.wall_seconds,
    }
    if not all(found.values()):
        raise SystemExit("the server did not answer in the calibration: give it more --calibration-seconds")
    return found


def streams_of(
    phase: str,
    capacity: Mapping[str, float],
    lines: Sequence[str],
    pages: Sequence[str],
    options: argparse.Namespace,
    seed: int,
) -> list[load.Stream]:
    """What is sent in a phase."""
    busy = options.idle if phase == "idle" else options.utilisation
    if phase == "mixed":
        busy *= 1 - options.page_share
    singles = load.Stream("lines", lines, per_second=busy * capacity["lines_per_second"], seed=seed)
    if phase == "mixed":
        rate = options.utilisation * options.page_share * capacity["pages_per_second"]
        return [singles, load.Stream("pages", pages, per_second=rate, seed=seed + 1)]
    if phase == "full":
        return [singles, load.Stream("pages", pages, clients=1)]
    return [singles]


def figures(outcome: load.Outcome, cpu_seconds: float, cores: int) -> dict[str, float | None]:
    """One phase of one round; None for what did not occur."""
    lines = outcome.streams["lines"]
    pages = outcome.streams.get("pages", load.Answers())
    beside = sorted(beside_a_page(lines, pages))
    every, sheets = sorted(lines.good()), sorted(pages.good())
    return {
        "lines": len(every),
        "p50_ms": percentile(every, 50) if every else None,
        "p99_ms": percentile(every, 99) if every else None,
        "lines_beside": len(beside),
        "p50_beside_ms": percentile(beside, 50) if beside else None,
        "p99_beside_ms": percentile(beside, 99) if beside else None,
        "pages": len(sheets),
        "page_p95_ms": percentile(sheets, 95) if sheets else None,
        "cpu_percent": 100 * cpu_seconds / outcome.wall_seconds / cores,
        "errors": lines.errors + pages.errors,
    }


def beside_a_page(lines: load.Answers, pages: load.Answers) -> list[float]:
    """Times of the lines answered with 200 that were on their way while a page was."""
    spans: list[list[float]] = []  # in which pages are on their way, joined, in order
    for began, ms in sorted(zip(pages.began, pages.ms, strict=True)):
        if spans and began <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], began + ms / 1000)
        else:
            spans.append([began, began + ms / 1000])
    ends = [end for _, end in spans]
    found = []
    for began, ms, status in zip(lines.began, lines.ms, lines.status, strict=True):
        first = bisect.bisect_left(ends, began)  # the first span that does not end before it
        if status == 200 and first < len(spans) and spans[first][0] <= began + ms / 1000:
            found.append(ms)
    return found


def summary(turns: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    """Spreads over the rounds; counts are added up, None stays None."""
    summed: dict[str, Any] = {}
    for name in turns[0]:
        values = [value for turn in turns if (value := turn[name]) is not None]
        if name in ("lines", "lines_beside", "pages", "errors"):
            summed[name] = int(sum(values))
        else:
            summed[name] = spread(values) if values else None
    return summed


def over_idle(turns: Sequence[Mapping[str, Mapping[str, Any]]], phase: str) -> dict[str, float] | None:
    """p99 of a phase (beside pages where it has pages) over the median of idle's p50; None if one did not occur."""
    quiet = [turn["idle"]["p50_ms"] for turn in turns if turn["idle"]["p50_ms"] is not None]
    if not quiet:
        return None
    idle = statistics.median(quiet)
    name = f"p99{_ending(phase)}"
    values = [turn[phase][name] / idle for turn in turns if turn[phase][name] is not None]
    return spread(values) if values else None


def _ending(phase: str) -> str:
    """Behind p50 and p99 in the name of the figure that counts in this phase."""
    return "_beside_ms" if phase in _WITH_PAGES else "_ms"


def text(document: Mapping[str, Any], *, markdown: bool) -> str:
    """One row a phase."""
    capacity = document["capacity"]
    head = (
        f"{document['model']}, {document['rounds']} rounds of {document['seconds']:g} s; "
        f"{report.machine_line(document)}\n"
        f"alone and busy: {capacity['lines_per_second']:.1f} lines/s, {capacity['pages_per_second']:.2f} pages/s "
        f"({document['pages']} pages, {document['pages_are']})"
    )
    cells = "phase,lines,p50 ms,p99 ms,beside a page,p50 ms,p99 ms,x idle p50,pages,page p95 ms,CPU %,errors"
    rows = [cells.split(",")]
    for phase, each in document["phases"].items():
        alone = [str(each["lines"]), _ms(each["p50_ms"]), _ms(each["p99_ms"])]
        beside = [str(each["lines_beside"]), _ms(each["p50_beside_ms"]), _ms(each["p99_beside_ms"])]
        beside.append(_ms(document["p99_over_idle_p50"][phase]))
        pages = [str(each["pages"]), _ms(each["page_p95_ms"], 0)]
        rows.append([phase, *alone, *beside, *pages, _ms(each["cpu_percent"], 0), str(each["errors"])])
    return f"{head}\n\n{report.table(rows, markdown=markdown)}"


def _ms(value: Mapping[str, float] | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value['median']:.{digits}f}"


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """p50 and p99 of the lines in each phase, of those beside a page where there are pages; p99 over idle's p50."""
    times, ratios = {}, {}
    for phase, ratio in document["p99_over_idle_p50"].items():
        if ratio is not None:  # the phase and idle did occur
            each = document["phases"][phase]
            times[phase] = {share: each[f"{share}{_ending(phase)}"]["median"] for share in ("p50", "p99")}
            ratios[phase] = {"": ratio["median"]}
    title = f"{document['model']}: one-line requests, in mixed and full those beside a page"
    report.bars(path, [("ms", times), ("p99, x idle p50", ratios)], title=title)


if __name__ == "__main__":
    main()
