"""Finds the files for ``ocrsvc read``: paths, folders, patterns, lists and standard input."""

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

# Suffixes of files that are read from a folder; a file that is named itself may have any suffix.
_SUFFIXES = frozenset(itertools.chain.from_iterable(SUFFIXES.values()))


@dataclass(frozen=True, slots=True)
class Source:
    """One input: the ``name`` that the user gave, its path ``target`` below ``--output``, its bytes if already read."""

    name: str
    target: Path
    content: bytes | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """Return the name in valid UTF-8, for JSON and terminals; file names may be any bytes."""
        return os.fsencode(self.name).decode("utf-8", "replace")

    def read(self) -> bytes:
        """Return all its bytes; OSError if it cannot be read."""
        return Path(self.name).read_bytes() if self.content is None else self.content


def find(arguments: Iterable[str]) -> list[Source]:
    """Return the sources that the arguments name, each once, in the order of the arguments.

    A folder means the pictures and PDFs below it, sorted; a pattern (``*``, ``?``, ``[``, ``**``) means the matching
    files, for shells that do not expand it. A missing name is kept, so that its error is reported.
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

    The name does not depend on the other sources, so that another run finds it again. ValueError names two sources with
    the same file.
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
        # Not in a thread, because Ctrl-C cannot interrupt a thread that waits for standard input.
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
