"""``ocrsvc bench``: measures the speed of this machine, and compares machines."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ocrsvc.diagnosis import configuration

EPILOG = """\
examples:
  ocrsvc bench report                          writes ocrsvc-bench.json, about a minute
  ocrsvc bench report --output kunpeng.json
  ocrsvc bench compare x86.json kunpeng.json   a table in Markdown

Run it on an idle machine. The file names processor, versions and models; not the machine, its user or any path.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "bench",
        help="measure the speed of this machine; compare machines",
        description="Measure all shipped models, and pages, on generated pictures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    steps = parser.add_subparsers(metavar="report|compare", required=True)
    report = steps.add_parser("report", help="measure and write one file", allow_abbrev=False)
    report.add_argument("--output", type=Path, metavar="FILE", default=Path("ocrsvc-bench.json"))
    report.add_argument("--seconds", type=float, metavar="S", default=1.0, help="for each cell (default: 1)")
    report.add_argument("--model", metavar="NAME", help="only this recogniser (default: all that ship)")
    report.set_defaults(run=run_report)
    compare = steps.add_parser("compare", help="print a table of two or more files", allow_abbrev=False)
    compare.add_argument("files", type=Path, nargs="+", metavar="FILE")
    compare.set_defaults(run=run_compare)


def run_report(options: argparse.Namespace) -> int:
    """Measure, print each row, write the file; return 0."""
    settings = configuration.load_offline(model=options.model)
    from ocrsvc.diagnosis import benchmark
    from ocrsvc.machine import cpu
    from ocrsvc.models import ppocr
    from ocrsvc.models.registry import Registry

    registry = Registry(settings)
    names = [options.model] if options.model else [each for each in registry.names() if each != ppocr.NAME]
    machine = cpu.inspect(cores=settings.workers)
    print(f"{machine.model or machine.architecture}, {machine.effective} cores", flush=True)
    document = benchmark.report(
        [registry.spec(name) for name in names], settings, machine, seconds=options.seconds, tell=_tell
    )
    options.output.write_text(json.dumps(document, indent=1), encoding="utf-8")
    print(f"written to {options.output}")
    return 0


def run_compare(options: argparse.Namespace) -> int:
    """Print a table that compares the files; return 0."""
    try:
        documents = [json.loads(path.read_text("utf-8")) for path in options.files]
        print("\n".join(table(documents)))
    except (KeyError, TypeError, ValueError) as error:
        raise configuration.InvalidSettings(f"not what `ocrsvc bench report` writes: {error!r}") from error
    return 0


def table(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a Markdown table: a column for each machine with ratios to the first, a row for each configuration."""
    machines = [each["machine"] for each in documents]
    head = [f"{each['model'] or each['architecture']}, {each['effective']} cores" for each in machines]
    drawn = [["lines/s of 320 pixels", *head]]
    tables = [{_way(row): row["lines_per_second"] for row in each["lines"]} for each in documents]
    for way in tables[0]:
        drawn.append([way, *_against_first([each.get(way) for each in tables])])
    pages = [each["pages"] for each in documents]
    what = f"pages/s of {pages[0]['lines']} lines, {pages[0]['model']}"
    drawn.append([what, *_against_first([each["pages_per_second"] for each in pages])])
    drawn.append(["a page alone, ms", *(f"{each['ms_a_page_alone']:g}" for each in pages)])
    drawn.append(["its lines read right", *(f"{each['lines_right']} of {each['lines']}" for each in pages)])
    drawn.append(["weights of the pages", *(each["digest"][7:19] for each in pages)])
    drawn.append(["onnxruntime", *(each["onnxruntime"] for each in machines)])
    drawn.append(["load before", *(f"{each['load_average']:.1f}" for each in machines)])
    lines = [f"| {' | '.join(row)} |" for row in drawn]
    return [lines[0], "|---" * len(drawn[0]) + "|", *lines[1:]]


def _way(row: Mapping[str, Any]) -> str:
    """Return the name of a configuration, in which the number of cores does not occur, as it differs by machine."""
    workers = "one core" if row["workers"] == 1 else "all cores"
    return f"{row['model']} {row['precision']}, {workers}, batches of {row['batch']}"


def _against_first(figures: Sequence[float | None]) -> list[str]:
    first = figures[0]
    return [
        "-"
        if each is None
        else f"{each:g}"
        if index == 0 or not first
        else f"{each:g} (x {each / first:.2f})"
        for index, each in enumerate(figures)
    ]


def _tell(row: Mapping[str, Any]) -> None:
    if "batch" in row:
        print(f"{row['lines_per_second']:9.1f} lines/s   {_way(row)}", flush=True)
    else:
        print(f"{row['pages_per_second']:9.2f} pages/s   {row['ms_a_page_alone']:g} ms alone", flush=True)
