"""``ocrsvc train``: passes its arguments to the training package, which needs the extra ``train``."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

NEEDED = ("torch", "onnx")


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the help; ``ocrsvc.training.commands.cli`` parses its arguments."""
    commands.add_parser(
        "train", help="make a recogniser from scratch (needs the extra: train)", add_help=False
    )


def delegate(arguments: Sequence[str]) -> int:
    """Run the training command line with these arguments and return its exit status."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        print(
            f"ocrsvc: training needs {' and '.join(absent)}: pip install 'ocrsvc[train]'",
            file=sys.stderr,
        )
        return 1
    training = importlib.import_module("ocrsvc.training.commands.cli")
    return int(training.main(list(arguments)) or 0)
