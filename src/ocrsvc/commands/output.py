"""Outputs of ``ocrsvc read``: one stream, or a folder with one file for each source."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ocrsvc.commands.sources import Source, targets
from ocrsvc.errors import OcrError, problem
from ocrsvc.formats import Format, Rendering, find, json_format, jsonl_format
from ocrsvc.results import Document

if TYPE_CHECKING:
    from ocrsvc.reading.page_stream import PageReading


PLAIN = Rendering()


class Output(Protocol):
    """Destination of the readings and failures of all sources, in the order of the sources.

    ``format``: name of the format. ``by_page``: ``put_page`` takes each page as it is read, instead of ``put`` the
    whole document.
    """

    format: str
    by_page: bool

    def put_page(self, source: Source, page: PageReading, page_count: int) -> None:
        """Write one page, or its error."""

    def put(self, source: Source, document: Document) -> None:
        """Write one reading; OSError if it cannot be written, OcrError if the format cannot hold it."""

    def fail(self, source: Source, error: Exception) -> None:
        """Record that this source could not be read."""

    def close(self) -> None:
        """Complete the output."""


def rendered(format_: Format, document: Document, source: Source, rendering: Rendering) -> bytes:
    """Return a reading in this format; OcrError if that cannot be written in it."""
    data = source.read() if format_.needs_source else None
    return format_.render(document, replace(rendering, file=source.title, source=data))


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is never there in part."""
    building = path.with_name(f".{path.name}.part")
    building.write_bytes(content)
    building.replace(path)


class Stream:
    """Output of all readings to standard output or to the file ``path``.

    With one source, the output is exactly what the format writes. With ``several``, ``text`` is concatenated (with the
    names on a terminal), ``jsonl`` has one object for each page, ``json`` becomes an array, and ``tsv`` becomes one
    table with the file in its first column. ``rendering``: optional content of all.
    """

    def __init__(
        self, format_name: str, *, several: bool, path: Path | None = None, rendering: Rendering = PLAIN
    ) -> None:
        self.format = format_name
        self.by_page = format_name == "jsonl"
        self.several = several
        self._rendering = rendering
        self._begun = False
        self._file = path.open("wb") if path else None
        self._terminal = path is None and sys.stdout.isatty()

    def put(self, source: Source, document: Document) -> None:
        """Write one reading."""
        content = rendered(find(self.format), document, source, self._rendering)
        if self.several and self.format == "tsv":
            content = _with_file_column(content.decode(), source.title, header=not self._begun).encode()
        elif self.several and self.format == "text" and self._terminal:
            content = f"==> {source.title} <==\n".encode() + content
        self._write(content)

    def put_page(self, source: Source, page: PageReading, page_count: int) -> None:
        """Write one page in jsonl, or why it could not be read."""
        if page.document is not None:
            rendering = replace(self._rendering, file=source.title)
            record = jsonl_format.page_record(page.document, page.number, page_count, rendering)
        else:
            error = problem(page.error or OcrError("The page was not read."))
            record = jsonl_format.error_record(error, page.number, page_count, source.title)
        self._write(json_format.encode(record) + b"\n")

    def fail(self, source: Source, error: Exception) -> None:
        """Write the failure in json and jsonl; other formats have no place for it."""
        if self.format in ("json", "jsonl"):
            self._write(jsonl_format.render_error(source.title, problem(error)))

    def close(self) -> None:
        """Close the array of ``json``, and the file."""
        if self.several and self.format == "json":
            self._print(b"\n]\n" if self._begun else b"[]\n")
        if self._file:
            self._file.close()

    def _write(self, content: bytes) -> None:
        if self.several and self.format == "json":
            self._print((b",\n" if self._begun else b"[\n") + content.rstrip(b"\n"))
        else:
            self._print(content)
        self._begun = True

    def _print(self, content: bytes) -> None:
        if self._file:
            self._file.write(content)
            self._file.flush()
            return
        if self._terminal:  # through sys.stdout, which a progress bar replaces while it is drawn
            sys.stdout.write(content.decode("utf-8", "replace"))
        else:
            sys.stdout.buffer.write(content)
        sys.stdout.flush()  # so that the reader of a pipe sees each file as it is done


class Folder:
    """Output of each reading to its own file in a folder that mirrors the source folders.

    Files are written atomically, because ``unread`` treats every existing file as complete. ``rendering``:
    optional content of all.
    """

    def __init__(
        self, format_name: str, folder: Path, sources: Sequence[Source], *, rendering: Rendering = PLAIN
    ) -> None:
        self.format = format_name
        self.by_page = False
        self._rendering = rendering
        places = targets(sources, find(format_name).suffix)
        self._paths: Mapping[str, Path] = {
            source.name: folder / place for source, place in zip(sources, places, strict=True)
        }
        folder.mkdir(parents=True, exist_ok=True)

    def put_page(self, source: Source, page: PageReading, page_count: int) -> None:
        """Refuse: a file is written whole."""
        raise NotImplementedError

    def put(self, source: Source, document: Document) -> None:
        """Write one file, creating its folders."""
        path = self._paths[source.name]
        content = rendered(find(self.format), document, source, self._rendering)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, content)

    def fail(self, source: Source, error: Exception) -> None:
        """Delete the file of an earlier run, which could be mistaken for this one's."""
        self._paths[source.name].unlink(missing_ok=True)

    def close(self) -> None:
        """Do nothing: every file is complete."""

    def unread(self, sources: Sequence[Source]) -> list[Source]:
        """Return the sources that have no reading yet or are newer than it."""
        return [source for source in sources if not _newer(self._paths[source.name], source)]


class WholeFile:
    """Output of one reading to the file ``path``, in a format that cannot be written piece by piece."""

    def __init__(self, format_name: str, path: Path, *, rendering: Rendering = PLAIN) -> None:
        self.format = format_name
        self.by_page = False
        self._path = path
        self._rendering = rendering

    def put_page(self, source: Source, page: PageReading, page_count: int) -> None:
        """Refuse: a file is written whole."""
        raise NotImplementedError

    def put(self, source: Source, document: Document) -> None:
        """Write the file."""
        write(self._path, rendered(find(self.format), document, source, self._rendering))

    def fail(self, source: Source, error: Exception) -> None:
        """Write nothing: a file of an earlier run stays, because the user named it."""

    def close(self) -> None:
        """Do nothing: the file is complete."""


def _newer(reading: Path, source: Source) -> bool:
    try:
        return reading.stat().st_mtime_ns >= Path(source.name).stat().st_mtime_ns
    except OSError:  # one of them does not exist; standard input never does
        return False


def _with_file_column(table: str, name: str, *, header: bool) -> str:
    head, *rows = table.splitlines(keepends=True)
    cell = " ".join(name.split())
    return ("file\t" + head if header else "") + "".join(f"{cell}\t{row}" for row in rows)
