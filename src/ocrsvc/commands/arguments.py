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


def add_no_tune(parser: argparse.ArgumentParser) -> None:
    """Add ``--no-tune``, which sets ``tune`` to False (default: None)."""
    parser.add_argument(
        "--no-tune",
        action="store_false",
        dest="tune",
        default=None,
        help="ignore the settings that `ocrsvc tune` found",
    )
