"""The ``ocrsvc`` command: parses arguments, runs one subcommand, turns what went wrong into a line and a
status.

Exit status: 0 all well, 1 something failed (a file could not be read, a check found a problem), 2 wrong usage
or settings, 130 interrupted, 141 whoever read the output has gone.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence

from ocrsvc import __version__
from ocrsvc.commands import bench, doctor, evaluate, models, read, serve, train, tune
from ocrsvc.commands.configuration import InvalidSettings
from ocrsvc.errors import OcrError, Unprocessable

FAILED, WRONG_USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141

DESCRIPTION = "Read mixed Chinese and English text in pictures, on a machine with CPUs."
EPILOG = """\
examples:
  ocrsvc serve                                   the HTTP service and its page on http://127.0.0.1:8000
  ocrsvc read receipt.jpg                        print the text of one picture
  ocrsvc read scans/ --format jsonl > out.jsonl  a whole folder, one JSON object a file
  ocrsvc doctor                                  is this machine set up well?

`ocrsvc COMMAND --help` explains each command. Settings are OCRSVC_* variables: see docs/settings.md.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; ``options.run`` is the chosen command."""
    root = argparse.ArgumentParser(
        prog="ocrsvc",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"ocrsvc {__version__}")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (serve, read, models, tune, bench, doctor, evaluate, train):
        command.add_parser(commands)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; the entry point of ``ocrsvc``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no Chinese shows a ? and no traceback
    return status_of(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["train"]:  # has a parser of its own, which only exists where torch does
        return train.delegate(arguments[1:])
    # NumPy's BLAS would start a thread for each core at its import, which after every product spin for up to seconds
    # (OpenBLAS counts ticks of a clock that is slow on ARM); our products are small, the cores belong to the models.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    options = parser().parse_args(arguments)
    return int(options.run(options))


def status_of(work: Callable[[], int]) -> int:
    """The exit status of ``work``, or of what it raised, which is told in one line."""
    try:
        status = work()
        sys.stdout.flush()
    except InvalidSettings as error:
        return _fail(str(error), WRONG_USAGE)
    except OcrError as error:
        # A name that does not exist, of a model or a charset, is a wrong argument; the rest is a failure.
        return _fail(error.detail, WRONG_USAGE if isinstance(error, Unprocessable) else FAILED)
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit and would complain about the same pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", FAILED)
    return status


def _fail(message: str, status: int) -> int:
    print("ocrsvc:", " ".join(message.split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
