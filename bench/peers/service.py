"""The command line of every service beside this module: what it runs and how it batches."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from ocrsvc.machine import cpu

MAX_BATCH = 16
WAIT_MS = 5


@dataclass(frozen=True)
class Service:
    """How to serve: ``workers`` processes with one thread each.

    A batch has at most ``max_batch`` lines, which wait at most ``wait_ms`` for each other.
    """

    port: int
    model: str
    precision: str
    workers: int
    max_batch: int
    wait_ms: int


def parse(about: str | None, arguments: Sequence[str] | None = None) -> Service:
    """Return the service that the command line asks for."""
    parser = argparse.ArgumentParser(description=about)
    add = parser.add_argument
    add("--port", type=int, required=True)
    add("--model", default="crnn")
    add("--precision", choices=["int8", "fp32"], default="fp32")
    add("--workers", type=int, default=cpu.inspect().effective)
    add("--max-batch", type=int, default=MAX_BATCH)
    add("--wait-ms", type=int, default=WAIT_MS)
    return Service(**vars(parser.parse_args(arguments)))
