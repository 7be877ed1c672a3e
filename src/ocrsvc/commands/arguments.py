"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ocrsvc.commands.sources import STDIN, listed


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the files to read: PATH and ``--files-from``."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="file, folder, pattern, or - for standard input"
    )
    parser.add_argument(
        "--files-from", metavar="LIST", help="read more names from this file (or -), one a line"
    )


def names_of(options: argparse.Namespace) -> list[str]:
    """Return the names that ``add_sources`` was given; ends the program if there is none, or two are ``-``."""
    if [*options.paths, options.files_from].count(STDIN) > 1:
        options.error("standard input (-) can only be read once")
    names = [*options.paths, *(listed(options.files_from) if options.files_from else [])]
    if not names:
        options.error("nothing to read: name a file, a folder, or - for standard input")
    return names


def add_detector(parser: argparse.ArgumentParser) -> None:
    """Add ``--detector``."""
    parser.add_argument("--detector", metavar="NAME", help="text detector (see `ocrsvc models`)")


def add_providers(parser: argparse.ArgumentParser) -> None:
    """Add ``--providers``."""
    parser.add_argument(
        "--providers",
        metavar="LIST",
        help="execution providers in order, such as cuda,cpu (docs/providers.md)",
    )


def whole_number(most: int | None = None) -> Callable[[str], int]:
    """Return what argparse calls for a whole number from 1, to ``most`` if that is given."""
    allowed = "from 1" if most is None else f"from 1 to {most}"

    def parsed(value: str) -> int:
        number = int(value) if value.isdecimal() else 0
        if number < 1 or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"must be a whole number {allowed}, not {value!r}")
        return number

    return parsed
