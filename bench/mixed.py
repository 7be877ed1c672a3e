"""One-line requests while pages of 100 lines and more are read: what a page makes a single line wait.

    python bench/mixed.py DATA_DIR --pages PAGES_DIR --model crnn --json out.json

DATA_DIR gives the lines. Pages are those of PAGES_DIR with at least --page-lines labelled boxes, else they are laid
out from the lines. A short calibration finds how many lines/s and pages/s the server reads with all cores busy. Then
four phases take turns. One-line requests come at random times (Poisson), and their time counts from when they were
due:

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

import harness
import load
import pictures
import plots
import serving
from harness import percentile, spread

from ocrsvc.diagnosis import evaluation

PHASES = ("idle", "lines", "mixed", "full")
_WITH_PAGES = ("mixed", "full")  # where the lines beside a page are those that count
_COUNTS = ("lines", "lines_beside", "pages", "errors")
_DRAWN_PAGES = 8
_CALIBRATING_CLIENTS = 16
_CALIBRATING_PAGES = 2  # read at once


def main() -> None:
    options = parse()
    head = harness.head(options)
    files = pictures.line_files(options.data, options.limit)
    pages, origin = page_files(options, files)
    with tempfile.TemporaryDirectory() as folder, serving.ours(model=options.model) as server:
        lines = load.save_pictures(Path(folder), files, "line")
        sheets = load.save_pictures(Path(folder), pages, "page")
        capacity = calibrate(server, lines, sheets, options.calibration_seconds)

        def turn(phase: str, seed: int) -> dict[str, float | None]:
            before = server.cpu_seconds()
            streams = streams_of(phase, capacity, lines, sheets, options, seed)
            outcome = load.run(server.port, streams, options.seconds)
            return figures(outcome, server.cpu_seconds() - before, head["cores"])

        turns = harness.take_turns(PHASES, options.rounds, turn)
    document = {**head, "lines": len(files), "pages": len(pages), "pages_are": origin, "capacity": capacity}
    document["phases"] = {
        phase: harness.summary([each[phase] for each in turns], _COUNTS) for phase in PHASES
    }
    document["p99_over_idle_p50"] = {phase: over_idle(turns, phase) for phase in PHASES}
    harness.finish(options, document | {"turns": turns}, parts(document), draw)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(
        __doc__, "mixed", data=True, limit=40, rounds=5, seconds=20, model=True, plot=True
    )
    add = parser.add_argument
    add("--pages", type=Path, metavar="PAGES_DIR", help="labelled pages (default: laid out from the lines)")
    add("--page-lines", type=harness.positive, default=100, help="of a page, at least (default: %(default)s)")
    calibration = "for lines, and for pages (default: %(default)s)"
    add("--calibration-seconds", type=float, default=8.0, help=calibration)
    share = "share of what the server can do"
    add("--utilisation", type=float, default=0.7, help=f"{share} (default: %(default)s)")
    add("--page-share", type=float, default=0.3, help="pages in mixed, of that share (default: %(default)s)")
    add("--idle", type=float, default=0.03, help=f"{share} that counts as idle (default: %(default)s)")
    return parser.parse_args()


def page_files(options: argparse.Namespace, files: Sequence[bytes]) -> tuple[list[bytes], str]:
    """Return the pages to send, and what they are."""
    least = options.page_lines
    if options.pages:
        found = evaluation.samples(options.pages)
        large = [each.path.read_bytes() for each in found if len(each.row.get("boxes", ())) >= least]
        if large:
            return large, f"labelled, {least} boxes and more"
        print(f"no page has {least} boxes: they are laid out", file=sys.stderr)
    rng = random.Random(0)
    crops = pictures.decode(files)
    made = [pictures.jpeg(pictures.page(crops, least, rng)) for _ in range(_DRAWN_PAGES)]
    return made, f"laid out, {least} lines"


def calibrate(
    server: serving.Server, lines: Sequence[str], pages: Sequence[str], seconds: float
) -> dict[str, float]:
    """Return the lines/s alone and the pages/s alone with all cores busy."""
    load.run(server.port, [load.Stream("lines", lines, clients=_CALIBRATING_CLIENTS)], seconds / 4)
    found = {}
    for name, files, clients in (
        ("lines", lines, _CALIBRATING_CLIENTS),
        ("pages", pages, _CALIBRATING_PAGES),
    ):
        outcome = load.run(server.port, [load.Stream(name, files, clients=clients)], seconds)
        # A page takes seconds: what counts is how long these took, not how many ended in time.
        found[f"{name}_per_second"] = len(outcome.streams[name].good()) / outcome.wall_seconds
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
    """Return what is sent in a phase."""
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
    """Return the figures of one phase of one round. None stands for what did not occur."""
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
    """Return the times of the lines answered with 200 that were on their way while a page was."""
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


def over_idle(turns: Sequence[Mapping[str, Mapping[str, Any]]], phase: str) -> harness.Spread | None:
    """Return the p99 of a phase over the median of idle's p50, or None if one did not occur.

    Where a phase has pages, the p99 is that of the lines beside them.
    """
    quiet = [turn["idle"]["p50_ms"] for turn in turns if turn["idle"]["p50_ms"] is not None]
    if not quiet:
        return None
    idle = statistics.median(quiet)
    name = f"p99{_ending(phase)}"
    values = [turn[phase][name] / idle for turn in turns if turn[phase][name] is not None]
    return spread(values) if values else None


def _ending(phase: str) -> str:
    """Return what follows p50 and p99 in the name of the figure that counts in this phase."""
    return "_beside_ms" if phase in _WITH_PAGES else "_ms"


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return what the server can do, and a row for each phase."""
    options, capacity = document["options"], document["capacity"]
    about = (
        f"{options['model']}, {options['rounds']} rounds of {options['seconds']:g} s\n"
        f"alone and busy: {capacity['lines_per_second']:.1f} lines/s, {capacity['pages_per_second']:.2f} pages/s "
        f"({document['pages']} pages, {document['pages_are']})"
    )
    heads = "phase,lines,p50 ms,p99 ms,beside a page,p50 ms,p99 ms,x idle p50,pages,page p95 ms,CPU %,errors"
    rows = [heads.split(",")]
    for phase, each in document["phases"].items():
        alone = [str(each["lines"]), _ms(each["p50_ms"]), _ms(each["p99_ms"])]
        beside = [str(each["lines_beside"]), _ms(each["p50_beside_ms"]), _ms(each["p99_beside_ms"])]
        beside.append(_ms(document["p99_over_idle_p50"][phase]))
        pages = [str(each["pages"]), _ms(each["page_p95_ms"], 0)]
        rows.append([phase, *alone, *beside, *pages, _ms(each["cpu_percent"], 0), str(each["errors"])])
    return [about, rows]


def _ms(value: Mapping[str, float] | None, digits: int = 1) -> str:
    return harness.cells(value, digits)[0]


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Draw p50 and p99 of the lines that count in each phase, and p99 over idle's p50."""
    times, ratios = {}, {}
    for phase, ratio in document["p99_over_idle_p50"].items():
        if ratio is not None:  # the phase and idle did occur
            each = document["phases"][phase]
            times[phase] = {share: each[f"{share}{_ending(phase)}"]["median"] for share in ("p50", "p99")}
            ratios[phase] = {"": ratio["median"]}
    title = f"{document['options']['model']}: one-line requests, in mixed and full those beside a page"
    plots.bars(path, [("ms", times), ("p99, x idle p50", ratios)], title=title)


if __name__ == "__main__":
    main()
