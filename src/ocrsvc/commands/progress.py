"""Progress on standard error: a bar if that is a terminal, else nothing, or lines if they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each of ``total`` steps; ``unit`` is their name."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    with bars() as bar:
        task = bar.add_task(unit, total=total)
        yield lambda: bar.advance(task)


class PageProgress:
    """Told of files and pages as they are read; shows nothing."""

    def opened(self, title: str, page_count: int) -> None:
        """A file is open."""

    def page(self, number: int) -> None:
        """A page of it was read."""

    def file(self) -> None:
        """It is done."""


@dataclass(slots=True)
class _Lines(PageProgress):
    """One line for each page of documents that have several."""

    title: str = ""
    page_count: int = 0
    done: int = 0

    def opened(self, title: str, page_count: int) -> None:
        self.title, self.page_count, self.done = title, page_count, 0

    def page(self, number: int) -> None:
        self.done += 1
        if self.page_count > 1:
            place = f"{self.done} of {self.page_count} pages"
            print(f"ocrsvc: {self.title}: {place} (page {number})", file=sys.stderr, flush=True)


@dataclass(slots=True)
class _Bars(PageProgress):
    """A bar for the files, if there are several, and one for the pages of a document that has several."""

    bars: Progress
    files: TaskID | None
    pages: TaskID | None = None

    def opened(self, title: str, page_count: int) -> None:
        if page_count > 1:
            self.pages = self.bars.add_task("pages", total=page_count)

    def page(self, number: int) -> None:
        if self.pages is not None:
            self.bars.advance(self.pages)

    def file(self) -> None:
        if self.pages is not None:
            self.bars.remove_task(self.pages)
            self.pages = None
        if self.files is not None:
            self.bars.advance(self.files)


@contextmanager
def page_progress(files: int, *, lines: bool = False) -> Iterator[PageProgress]:
    """Yield what to tell of ``files`` files and their pages; ``lines``: also where there is no terminal."""
    if not sys.stderr.isatty():
        yield _Lines() if lines else PageProgress()
        return
    with bars() as shown:
        yield _Bars(shown, shown.add_task("files", total=files) if files > 1 else None)


def bars() -> Progress:
    """Return a display of bars on standard error, with the rate and the time that remains."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Recent steps per second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        Rate(),
        TimeRemainingColumn(),
    )
    # soft_wrap keeps the line ends of text printed above the bar in narrow terminals.
    console = Console(stderr=True, soft_wrap=True)
    return Progress(*columns, console=console, transient=True)
