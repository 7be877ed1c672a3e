"""``ocrsvc read``: reads the text of files in this process, without a server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrsvc import formats
from ocrsvc.commands import arguments
from ocrsvc.commands.output import Folder, Output, Stream, WholeFile
from ocrsvc.commands.page_readings import Ended, Opened, page_readings
from ocrsvc.commands.progress import page_progress
from ocrsvc.commands.readings import opened
from ocrsvc.commands.source_output import SourceOutput
from ocrsvc.commands.sources import Source, find
from ocrsvc.diagnosis import configuration
from ocrsvc.results import MOST_ALTERNATIVES

if TYPE_CHECKING:
    from ocrsvc.reading.reading import ReadOptions
    from ocrsvc.settings import Settings

EPILOG = """\
examples:
  ocrsvc read receipt.jpg                          the text, line by line
  ocrsvc read scans/ --format jsonl > out.jsonl    a folder and all below it, one JSON object a page
  ocrsvc read book.pdf --format jsonl | reader     each page as it is read
  ocrsvc read scans/ --output texts/               one .txt a picture, in the same folders
  ocrsvc read scans/ --output all.jsonl            all in one file
  ocrsvc read scan.pdf --output searchable.pdf     the same pages with their text
  ocrsvc read scans/ --output texts/ --resume      go on with what was interrupted
  curl -s https://example.org/a.png | ocrsvc read -
  find . -name '*.pdf' | ocrsvc read --files-from - --pages 1-3 --format json
  ocrsvc read plate.png --mode line --charset plate
  ocrsvc read form.png --charset digits --charset-mode report --format jsonl
  ocrsvc read report.pdf --pdf-text never          read the picture of each page, whatever the PDF says
  ocrsvc read receipt.jpg --layout rows            names and prices on one line
  ocrsvc read prices.pdf --output prices.xlsx      the tables as a workbook
  ocrsvc read form.png --regions FILE.json --format json    also the values of fields (docs/fields.md)
  ocrsvc read card.png --n-best 3 --format jsonl   also the two next best texts of each line

Results keep the order of the files. Unreadable files are reported on standard error (json and jsonl also hold
{"file", "error"} in their place); the rest are still read, and the exit status is 1. In jsonl, the same holds for the
pages of a document.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "read",
        help="read files, folders or standard input",
        description="Read the text of pictures and PDFs: files, folders, patterns, or - for standard input.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    arguments.add_sources(parser)
    add(
        "--mode",
        choices=("auto", "line", "page"),
        default="auto",
        help="line: the picture is one line of text; page: detect lines; auto (default): decide by shape",
    )
    add("--model", metavar="NAME", help="recogniser (see `ocrsvc models`), or a model folder")
    arguments.add_detector(parser)
    add(
        "--format",
        choices=tuple(formats.FORMATS),
        help="output format (default: from the suffix of --output, else text)",
    )
    add(
        "--output",
        metavar="PATH",
        type=Path,
        help="folder for one file per picture, or one file for all: .txt, .json, .jsonl, .tsv, .md, .csv, "
        ".xlsx, .docx, .hocr, .xml (alto), .page.xml (pagexml), .pdf",
    )
    add(
        "--resume",
        action="store_true",
        help="with --output: skip pictures that have a newer result",
    )
    add("--charset", metavar="SET", help="allow only these: digits, plate, latin,space, chars:0123X, ...")
    add(
        "--charset-mode",
        choices=("force", "report"),
        default="force",
        help="report: add free_text to json and jsonl where the unconstrained text differs",
    )
    add(
        "--review-threshold",
        type=_share,
        metavar="P",
        help="confidence below which a line is marked needs_review (default: the model's)",
    )
    add(
        "--n-best",
        type=arguments.whole_number(MOST_ALTERNATIVES),
        metavar="N",
        help=f"add to json and jsonl the N most probable texts of each line, 1 to {MOST_ALTERNATIVES}",
    )
    add(
        "--granularity",
        choices=("line", "word", "char"),
        default="line",
        help="word: add the words of each line with their boxes to json and jsonl; char: add its characters",
    )
    add("--characters", action="store_true", help="short for --granularity char")
    add(
        "--orientation",
        choices=("auto", "0", "90", "180", "270"),
        default="auto",
        help="clockwise angle by which pages have to be turned to be upright; auto (default): found for each page",
    )
    add(
        "--layout",
        choices=("lines", "rows", "paragraphs", "tables", "raw"),
        default="lines",
        help="how the text is laid out: rows keeps lines side by side on one line, tables writes tables in Markdown",
    )
    add("--pages", metavar="RANGES", help="pages of a PDF or TIFF, such as 1-3,7")
    add(
        "--pdf-text",
        choices=("auto", "never", "always"),
        default="auto",
        help="text layer of a PDF; auto (default): take what is visible and agrees with the picture, read the rest",
    )
    add("--password", metavar="PASSWORD", help="password of encrypted PDFs")
    add(
        "--regions",
        metavar="FILE",
        type=Path,
        help="JSON with regions, whose text json and jsonl have as fields, and ignore (docs/fields.md)",
    )
    add("--progress", action="store_true", help="report each page on standard error, without a terminal, too")
    arguments.add_providers(parser)
    parser.set_defaults(run=run, error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Read all sources; return 1 if any could not be read."""
    if options.charset_mode == "report" and options.charset is None:
        options.error("--charset-mode report needs a --charset to compare with")
    if options.resume and (not options.output or options.output.is_file()):
        options.error("--resume goes by the files in a folder: name it with --output")
    names = arguments.names_of(options)
    sources = find(names)
    if not sources:
        print(f"ocrsvc: there is no picture and no PDF in {', '.join(names)}", file=sys.stderr)
        return 1
    settings = configuration.load_offline(
        model=options.model, detector=options.detector, providers=options.providers
    )
    for warning in configuration.unknown_variables():
        print(f"ocrsvc: {warning}", file=sys.stderr)

    from ocrsvc.commands.regions import regions_of
    from ocrsvc.pages.turns import turn_named
    from ocrsvc.reading.reading import ReadOptions
    from ocrsvc.recognition.charsets import characters_of

    if options.charset is not None:
        characters_of(options.charset)  # checked once, instead of an error for every file
    regions, ignore = regions_of(options.regions) if options.regions else ((), ())
    request = ReadOptions(
        mode=options.mode,
        charset=options.charset,
        pages=options.pages,
        charset_mode=options.charset_mode,
        review_threshold=options.review_threshold,
        n_best=options.n_best or 0,
        orientation=turn_named(options.orientation),
        pdf_text=options.pdf_text,
        password=options.password,
        layout=options.layout,
        regions=regions,
        ignore=ignore,
    )
    output = _output(options, names, sources)
    request = replace(request, structured=formats.find(output.format).structured)
    if isinstance(output, Folder) and options.resume:
        every, sources = len(sources), output.unread(sources)
        print(f"ocrsvc: {every - len(sources)} of {every} files have their reading already", file=sys.stderr)
        if not sources:
            return 0
    failed = asyncio.run(_read(sources, settings, request, output, lines=options.progress))
    if failed and len(sources) > 1:
        print(f"ocrsvc: {failed} of {len(sources)} files could not be read", file=sys.stderr)
    return 1 if failed else 0


def _output(options: argparse.Namespace, names: Sequence[str], sources: Sequence[Source]) -> Output:
    """Return where the readings go: a folder, a file, or standard output."""
    rendering = formats.Rendering(
        granularity="char" if options.characters else options.granularity, password=options.password
    )
    path: Path | None = options.output
    of_file = formats.of_file(path.name) if path else None
    one_file = path is not None and of_file is not None and not path.is_dir()
    if path and one_file and any(_is_same(path, source) for source in sources):
        options.error(f"--output {path} is one of the files to read")
    format_name = options.format or (of_file.name if of_file and one_file else "text")
    if path and not one_file:
        return _folder(format_name, path, sources, rendering=rendering)
    if formats.find(format_name).whole:
        if len(sources) > 1:
            options.error(f"{format_name} holds one input: name a folder for several with --output")
        if path:
            return WholeFile(format_name, path, rendering=rendering)
        if formats.find(format_name).binary and sys.stdout.isatty():
            options.error(f"{format_name} is not for a terminal: name a file with --output")
    several = not (len(names) == len(sources) == 1 and sources[0].name == names[0])
    return Stream(format_name, several=several, path=path, rendering=rendering)


def _folder(
    format_name: str, path: Path, sources: Sequence[Source], *, rendering: formats.Rendering
) -> Folder:
    try:
        return Folder(format_name, path, sources, rendering=rendering)
    except ValueError as error:
        raise configuration.InvalidSettings(str(error)) from error
    except FileExistsError as error:
        raise configuration.InvalidSettings(
            f"--output {path} is a file: name a folder, or a file that ends in "
            ".txt, .json, .jsonl, .tsv, .md, .csv, .xlsx, .docx, .hocr, .xml, .page.xml or .pdf"
        ) from error


def _is_same(path: Path, source: Source) -> bool:
    return path.exists() and Path(source.name).exists() and path.samefile(source.name)


def _share(value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, not {value!r}")
    return share


async def _read(
    sources: Sequence[Source], settings: Settings, request: ReadOptions, output: Output, *, lines: bool
) -> int:
    """Read every source into ``output``; return how many failed."""
    failed = 0
    async with opened(settings) as reader:
        answers = page_readings(reader, sources, Source.read, request, settings=settings)
        with page_progress(len(sources), lines=lines) as progress:
            async with aclosing(answers):
                file = SourceOutput(sources[0], output)
                async for source, item in answers:
                    if isinstance(item, Opened):
                        file = SourceOutput(source, output, item.page_count)
                        progress.opened(source.title, item.page_count)
                    elif isinstance(item, Ended):
                        file = file if file.source is source else SourceOutput(source, output)
                        failed += not file.end(item.error)
                        progress.file()
                    else:
                        file.add(item)
                        progress.page(item.number)
        output.close()
    return failed
