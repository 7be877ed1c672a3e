"""Arguments that several commands share."""

from __future__ import annotations

import argparse


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
