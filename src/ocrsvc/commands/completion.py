"""``ocrsvc completion``: prints the completions of a shell, which the package brings along.

``scripts/shell_files.py`` writes them, and the man page, from the parsers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

SHELLS = {"bash": "ocrsvc", "zsh": "_ocrsvc", "fish": "ocrsvc.fish"}  # names that the shells look for
FOLDER = Path(__file__).with_name("shell")

EPILOG = """\
examples:
  eval "$(ocrsvc completion bash)"        in ~/.bashrc
  eval "$(ocrsvc completion zsh)"         in ~/.zshrc, after compinit
  ocrsvc completion fish | source         in ~/.config/fish/config.fish

Installed with pip, the files are also in share/ of the environment, where the shells of a system installation find
them, and so is the man page: man ocrsvc.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "completion",
        help="print the completions of a shell",
        description="Print what lets a shell complete commands, options, choices and file names.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=list(SHELLS), help="name of the shell")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the file of one shell; return 0."""
    sys.stdout.write((FOLDER / SHELLS[options.shell]).read_text("utf-8"))
    return 0
