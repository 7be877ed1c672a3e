"""Writes the completions and the man page of the command line: ``python scripts/shell_files.py [FOLDER]``.

shtab and argparse-manpage make them from the parsers; the wheel brings them along. A test compares them with the
options that there are.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

from ocrsvc import __version__
from ocrsvc.commands import completion
from ocrsvc.commands.cli import parser

MAN_PAGE = "ocrsvc.1"
# What an argument is called that is a file; numbers, names and lists are not completed.
FILES = ("PATH", "FILE", "LIST", "TEMPLATE", "OUT.jsonl")
FOLDERS = ("DIR", "DATA_DIR")
_NO_FILES = ("--providers",)  # a list of names


def parsers(root: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and those of its commands, in their order."""
    yield root
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


def _with_files(root: argparse.ArgumentParser) -> argparse.ArgumentParser:
    for each in parsers(root):
        for action in each._actions:
            if action.metavar in FILES and not set(action.option_strings) & set(_NO_FILES):
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
            elif action.metavar in FOLDERS:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return root


def _man_page() -> str:
    root = parser()
    page = Manpage(root)
    page.manual = "ocrsvc"
    page.source = f"ocrsvc {__version__}"
    page.description = "read mixed Chinese and English text in pictures and PDFs"
    page.date = ""
    # A line that begins with .csv is no request of troff.
    text = re.sub(r"^\.(?=(?!nf|fi|br)[a-z])", r"\\&.", str(page), flags=re.MULTILINE)
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return text.rstrip("\n") + "\n"


def main() -> None:
    """Write all files into the folder, by default that of the package."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else completion.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["COLUMNS"] = "100"  # argparse wraps usages to the terminal
    for shell, name in completion.SHELLS.items():
        text = shtab.complete(_with_files(parser()), shell=shell)
        (folder / name).write_text(
            re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip("\n") + "\n", "utf-8"
        )
    (folder / MAN_PAGE).write_text(_man_page(), "utf-8")


if __name__ == "__main__":
    main()
