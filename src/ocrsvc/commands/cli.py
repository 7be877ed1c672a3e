"""The ``ocrsvc`` command: parses arguments, runs one subcommand, turns errors into a line and an exit status.

Exit status: 0 success, 1 a failure (a file could not be read, a check found a problem), 2 wrong usage or settings,
70 the service was stuck or broken and a restart helps, 130 interrupted, 141 the reader of the output has gone, 143 a
second SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from ocrsvc import __version__
from ocrsvc.commands import (
    bench,
    bulk,
    completion,
    demo,
    doctor,
    evaluate,
    extract,
    mcp,
    models,
    read,
    serve,
    train,
)
from ocrsvc.commands.command_parser import CommandParser
from ocrsvc.commands.exit_status import status_of

DESCRIPTION = "Read mixed Chinese and English text in pictures, on a machine with CPUs."
EPILOG = """\
examples:
  ocrsvc demo                                    read a sample picture
  ocrsvc serve                                   the HTTP service and its page on http://127.0.0.1:8000
  ocrsvc read receipt.jpg                        print the text of one picture
  ocrsvc read scans/ --format jsonl > out.jsonl  a whole folder, one JSON object a file
  ocrsvc extract invoice.json scans/ --output fields.xlsx   the fields of forms, as a table
  ocrsvc doctor                                  is this machine set up well?

`ocrsvc COMMAND --help` explains each command. Settings are OCRSVC_* variables: see docs/settings.md.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; ``options.run`` is the chosen command."""
    root = CommandParser(
        prog="ocrsvc",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"ocrsvc {__version__}")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        demo,
        serve,
        read,
        bulk,
        extract,
        models,
        mcp,
        bench,
        doctor,
        evaluate,
        train,
        completion,
    ):
        command.add_parser(commands)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; the entry point of ``ocrsvc``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # terminals without Chinese show a ? instead of a traceback
    return status_of(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["train"]:  # has its own parser, which needs PyTorch
        return train.delegate(arguments[1:])
    # When imported, NumPy's BLAS would start a thread for each core. They spin after every product, for seconds on ARM,
    # where OpenBLAS's clock is slow, and our products are small: the cores are for the models.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    options = parser().parse_args(arguments)
    return int(options.run(options))


if __name__ == "__main__":
    raise SystemExit(main())
