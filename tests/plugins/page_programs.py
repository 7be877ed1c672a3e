"""Runs the programs of a plugin's page within a program that a test starts: one start of the libraries for all."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence


def printed(programs: Sequence[str]) -> list[str]:
    """Return what each program prints."""
    outputs = []
    for code in programs:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own pages
        outputs.append(output.getvalue())
    return outputs
