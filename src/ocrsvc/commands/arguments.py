"""Arguments that several commands share."""

from __future__ import annotations

import argparse

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
