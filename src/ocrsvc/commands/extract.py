"""``ocrsvc extract``: reads the fields of forms by a template, as a table with a row for each page."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrsvc.commands import arguments
from ocrsvc.commands.page_readings import Ended, Opened, page_readings
from ocrsvc.commands.progress import page_progress
from ocrsvc.commands.readings import opened
from ocrsvc.commands.sources import Source, find
from ocrsvc.diagnosis import configuration
from ocrsvc.errors import message

if TYPE_CHECKING:
    from ocrsvc.fields.table import FieldTable
    from ocrsvc.reading.reading import ReadOptions
    from ocrsvc.settings import Settings

EPILOG = """\
examples:
  ocrsvc extract invoice.json scans/ --output fields.xlsx   a table for a spreadsheet
  ocrsvc extract invoice.json a.pdf --pages 1 > fields.csv  the first page only
  ocrsvc extract invoice.json scans/ --output fields.csv --bom

docs/fields.md describes templates. The table has a row for each page: file, page, for each field its value and, as
NAME_valid, whether it can be trusted, and error. Pages that do not match the template, and files that cannot be read,
have an error; the rest are still read, and the exit status is 1.
"""
_SUFFIXES = (".csv", ".xlsx")


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "extract",
        help="read the fields of forms by a template, as a table",
        description="Read the fields of forms by a template, as CSV or XLSX.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("template", metavar="TEMPLATE", type=Path, help="JSON file with anchors and regions (docs/fields.md)")
    arguments.add_sources(parser)
    add("--output", metavar="FILE", type=Path, help=".csv or .xlsx (default: CSV on standard output)")
    add(
        "--bom",
        action="store_true",
        help="begin CSV with a byte order mark, so that Excel takes it for UTF-8",
    )
    add("--model", metavar="NAME", help="recogniser (see `ocrsvc models`), or a model folder")
    arguments.add_detector(parser)
    add("--pages", metavar="RANGES", help="pages of a PDF or TIFF, such as 1-3,7")
    add("--password", metavar="PASSWORD", help="password of encrypted PDFs")
    add("--progress", action="store_true", help="report each page on standard error, without a terminal, too")
    arguments.add_providers(parser)
    parser.set_defaults(run=run, error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Read all sources and write the table; return 1 if any page has no fields."""
    if options.output and options.output.suffix.lower() not in _SUFFIXES:
        options.error(f"--output {options.output} must end in .csv or .xlsx")
    names = arguments.names_of(options)

    from ocrsvc.commands.regions import template_of
    from ocrsvc.fields.table import FieldTable, as_csv, as_xlsx
    from ocrsvc.reading.reading import ReadOptions

    template = template_of(options.template)
    sources = find(names)
    if not sources:
        print(f"ocrsvc: there is no picture and no PDF in {', '.join(names)}", file=sys.stderr)
        return 1
    settings = configuration.load_offline(
        model=options.model, detector=options.detector, providers=options.providers
    )
    table = FieldTable(tuple(dict.fromkeys(region.name for region in template.regions)))
    request = ReadOptions(mode="page", pages=options.pages, password=options.password, template=template)
    asyncio.run(_read(sources, settings, request, table, lines=options.progress))
    if options.output and options.output.suffix.lower() == ".xlsx":
        content = as_xlsx(table)
    else:
        content = as_csv(table, bom=options.bom)
    if options.output:
        options.output.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
    failed = sum(bool(row[-1]) for row in table.rows)
    if failed:
        print(f"ocrsvc: {failed} of {len(table.rows)} rows have an error", file=sys.stderr)
    return 1 if failed else 0


async def _read(
    sources: Sequence[Source], settings: Settings, request: ReadOptions, table: FieldTable, *, lines: bool
) -> None:
    """Read every source into the table."""
    async with opened(settings) as reader:
        answers = page_readings(reader, sources, Source.read, request, settings=settings)
        with page_progress(len(sources), lines=lines) as progress:
            async with aclosing(answers):
                async for source, item in answers:
                    if isinstance(item, Opened):
                        progress.opened(source.title, item.page_count)
                    elif isinstance(item, Ended):
                        if item.error is not None:
                            table.fail(source.title, None, message(item.error))
                        progress.file()
                    else:
                        if item.document is not None:
                            table.add(source.title, item.document)
                        elif item.error is not None:
                            table.fail(source.title, item.number, message(item.error))
                        progress.page(item.number)
