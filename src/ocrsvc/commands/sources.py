"""Which files ``ocrsvc read`` was asked to read: paths, folders, globs, lists and standard input, in that
order.
"""

from __future__ import annotations

import glob
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ocrsvc.pages.kinds import SUFFIXES

STDIN = "-"

# What is taken from a folder; a file that is named is read whatever its suffix.
_SUFFIXES = frozenset(itertools.chain.from_iterable(SUFFIXES.values()))


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to read. ``name`` is what the user knows it by; ``target`` its place below ``--output``."""

    name: str
    target: Path
    content: bytes | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """The name as UTF-8 has it: names of files may be any bytes, JSON and terminals may not."""
        return os.fsencode(self.name).decode("utf-8", "replace")

    def read(self) -> bytes:
        """Return all its bytes; OSError if they cannot be had."""
        return Path(self.name).read_bytes() if self.content is None else self.content


def find(arguments: Iterable[str]) -> list[Source]:
    """Return every source behind the arguments, each once, in the order of the arguments.

    A folder stands for the pictures and PDFs below it, sorted; a pattern (``*``, ``?``, ``[``, ``**``) for
    the files that match it, for shells that do not expand it. A name that does not exist stays, so that its
    error is told.
    """
    found: dict[str, Source] = {}
    for argument in arguments:
        for source in _expand(argument):
            found.setdefault(source.name, source)
    return list(found.values())


def listed(path: str) -> list[str]:
    """Return the names in a list of files, one a line (``-``: standard input); blank lines are skipped."""
    if path == STDIN:
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    else:
        text = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    return [line for line in text.splitlines() if line.strip()]


def targets(sources: Sequence[Source], suffix: str) -> list[Path]:
    """Return the file below ``--output`` for each source: ``a.png`` becomes ``a.png.txt``.

    The name never depends on what else is read, so that another run finds it again. ValueError names two sources that
    would have the same.
    """
    chosen: dict[Path, Source] = {}
    for source in sources:
        target = source.target.with_name(source.target.name + suffix)
        if (other := chosen.setdefault(target, source)) is not source:
            raise ValueError(
                f"{other.title} and {source.title} would both be written to {target}: read the folder above them, or "
                "write them to different folders"
            )
    return list(chosen)


def _expand(argument: str) -> Iterator[Source]:
    path = Path(argument)
    if argument == STDIN:
        # Here and not in a thread: Ctrl-C cannot interrupt a thread that waits for a keyboard.
        yield Source(STDIN, Path("stdin"), sys.stdin.buffer.read())
    elif path.is_dir():
        yield from _below(path)
    elif path.exists() or not glob.has_magic(argument):
        yield Source(argument, Path(path.name))
    else:
        matches = sorted(glob.glob(argument, recursive=True))
        for match in matches:
            if Path(match).is_file():
                yield Source(match, Path(Path(match).name))
        if not matches:
            yield Source(argument, Path(path.name))


def _below(folder: Path) -> Iterator[Source]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not hidden:
            yield Source(str(path), relative)
