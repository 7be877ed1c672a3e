"""``ocrsvc bulk``: reads many files on Ray Data, on this machine or on a cluster, into tables."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocrsvc.commands import arguments
from ocrsvc.diagnosis import configuration

if TYPE_CHECKING:
    from rich.progress import Progress

    from ocrsvc.scaleout.plan import Plan
    from ocrsvc.scaleout.worker import Outcome

_REPORT_SECONDS = 30.0  # between lines of progress where there is no terminal

EPILOG = """\
examples:
  ocrsvc bulk scans/ texts/                      this machine: one Parquet row a page
  ocrsvc bulk scans/ texts/                      the same again: goes on where it was ended, reads what has come since
  ocrsvc bulk s3://bucket/scans gs://other/texts --address auto       on the Ray cluster of this node
  ocrsvc bulk 's3://bucket/2026-*/*.tif' texts/ --format jsonl
  ocrsvc bulk pictures.parquet texts/ --column image --name-column id
  ocrsvc bulk scans/ texts/ --retry-failed       read again what could not be read
  duckdb -c "select path, page, text from 'texts/*.parquet' where problem is null"

SRC is a file, a folder or a pattern, DST a folder; both may be URLs of any store that fsspec knows (s3:// needs
s3fs, gs:// gcsfs). A file that cannot be read is a row with its problem; the exit status is then 1. Needs the extra
`ray`: pip install 'ocrsvc[ray]'. More: docs/bulk.md.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "bulk",
        help="read many files into tables, on one machine or a Ray cluster",
        description="Read all pictures and PDFs in SRC into DST, one row a page; go on where an earlier run was ended.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("source", metavar="SRC", help="file, folder, pattern or URL")
    add(
        "results",
        metavar="DST",
        help="folder or URL of the results: new, or that of an earlier run of the same",
    )
    add(
        "--format",
        choices=("parquet", "jsonl"),
        default="parquet",
        help="parquet (default) or jsonl: JSON Lines",
    )
    add(
        "--column", metavar="NAME", help="SRC has Parquet files with pictures or PDFs in this column of bytes"
    )
    add("--name-column", metavar="NAME", help="with --column: column of the names (default: FILE#ROW)")
    add("--mode", choices=("auto", "line", "page"), default="auto", help="as in `ocrsvc read`")
    add("--model", metavar="NAME", help="recogniser (see `ocrsvc models`), or a model folder on every node")
    arguments.add_detector(parser)
    add("--charset", metavar="SET", help="allow only these: digits, plate, latin,space, chars:0123X, ...")
    add(
        "--orientation", choices=("auto", "0", "90", "180", "270"), default="auto", help="as in `ocrsvc read`"
    )
    add(
        "--layout",
        choices=("lines", "rows", "paragraphs", "tables", "raw"),
        default="lines",
        help="layout of the text, as in `ocrsvc read`",
    )
    add("--pages", metavar="RANGES", help="pages of each PDF or TIFF, such as 1-3,7")
    add("--pdf-text", choices=("auto", "never", "always"), default="auto", help="as in `ocrsvc read`")
    add(
        "--max-file-bytes",
        type=arguments.whole_number(),
        default=2**30,
        metavar="N",
        help="a larger file is a problem (default: 1 GiB)",
    )
    add("--retry-failed", action="store_true", help="read again what earlier runs could not read")
    add(
        "--address",
        metavar="ADDRESS",
        help="Ray cluster, such as auto or HOST:PORT (default: RAY_ADDRESS, else this machine alone)",
    )
    add("--cores", type=arguments.whole_number(), metavar="N", help="cores of each reader (default: up to 4)")
    add(
        "--actors",
        type=arguments.whole_number(),
        metavar="N",
        help="most readers at once (default: one for each group of cores)",
    )
    parser.set_defaults(run=run, error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Read what is not done yet; return 1 if any item could not be read."""
    import os

    if options.name_column is not None and options.column is None:
        options.error("--name-column needs --column")
    settings = configuration.load_offline(model=options.model, detector=options.detector)
    for warning in configuration.unknown_variables():
        print(f"ocrsvc: {warning}", file=sys.stderr)

    from ocrsvc.pages.turns import turn_named
    from ocrsvc.recognition.charsets import characters_of
    from ocrsvc.scaleout import bulk
    from ocrsvc.scaleout.block_reader import LoadLimits
    from ocrsvc.scaleout.plan import Source

    if options.charset is not None:
        characters_of(options.charset)
    job = bulk.Job(
        source=Source(options.source, options.column, options.name_column),
        results_url=options.results,
        part_format=options.format,
        settings=settings,
        options={
            "mode": options.mode,
            "charset": options.charset,
            "pages": options.pages,
            "orientation": turn_named(options.orientation),
            "pdf_text": options.pdf_text,
            "layout": options.layout,
        },
        limits=LoadLimits(max_bytes=options.max_file_bytes),
        retry_failed=options.retry_failed,
    )
    cluster = bulk.Cluster(
        options.address or os.environ.get("RAY_ADDRESS") or "local", options.cores, options.actors
    )
    began = time.perf_counter()
    with _progress() as progress:
        summary = bulk.run(job, cluster, progress.planned, progress.done)
    read = summary.items - summary.done_before
    print(
        f"ocrsvc: {read} files read, {summary.pages} pages, {summary.failed} files with a problem, "
        f"{summary.done_before} done before; {time.perf_counter() - began:.0f} s",
        file=sys.stderr,
    )
    return 1 if summary.failed else 0


class _Lines:
    """A line on standard error now and then."""

    def __init__(self) -> None:
        self._total = self._done = self._before = 0
        self._began = self._said = time.monotonic()

    def planned(self, plan: Plan, done_before: int) -> None:
        """Print the number of files and blocks, and how many were done before."""
        self._total, self._done, self._before = plan.items, done_before, done_before
        print(
            f"ocrsvc: {plan.items} files in {len(plan.blocks)} blocks, {done_before} done before",
            file=sys.stderr,
            flush=True,
        )
        self._began = time.monotonic()

    def done(self, outcome: Outcome) -> None:
        """Count a block."""
        self._done += outcome.items
        if (now := time.monotonic()) - self._said > _REPORT_SECONDS:
            self._said = now
            rate = (self._done - self._before) / max(0.001, now - self._began)
            print(
                f"ocrsvc: {self._done} of {self._total} files, {rate:.1f} files/s",
                file=sys.stderr,
                flush=True,
            )


@dataclass(slots=True)
class _Bar:
    bars: Progress

    def planned(self, plan: Plan, done_before: int) -> None:
        """Begin the bar."""
        self.bars.add_task("files", total=plan.items, completed=done_before)

    def done(self, outcome: Outcome) -> None:
        """Count a block."""
        self.bars.advance(self.bars.task_ids[0], outcome.items)


@contextmanager
def _progress() -> Iterator[_Lines | _Bar]:
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from ocrsvc.commands.progress import bars

    with bars() as shown:
        yield _Bar(shown)
