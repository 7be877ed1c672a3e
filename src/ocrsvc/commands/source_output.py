"""The pages of one source on their way to the output, and what is said of them on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ocrsvc.commands.output import Output
from ocrsvc.commands.sources import Source
from ocrsvc.errors import OcrError, message
from ocrsvc.results import Document, Page, joined

if TYPE_CHECKING:
    from ocrsvc.reading.page_stream import PageReading


class SourceOutput:
    """Pages of one source on their way to ``output``, one by one or, at the end, all at once."""

    def __init__(self, source: Source, output: Output, page_count: int = 0) -> None:
        self.source = source
        self._output = output
        self._page_count = page_count
        self._pages: list[Document] = []
        self._error: Exception | None = None  # the first one

    def add(self, page: PageReading) -> None:
        """Take one page."""
        if page.document is not None:
            for each in page.document.pages:
                if each.lines_omitted:
                    print(f"ocrsvc: {self.source.title}: {_cut(each)}", file=sys.stderr)
        by_page = self._output.by_page and self._page_count > 1
        if page.error is not None:
            self._error = self._error or page.error
            if by_page:
                print(
                    f"ocrsvc: {self.source.title}: page {page.number}: {message(page.error)}", file=sys.stderr
                )
        if by_page or (self._output.by_page and page.error is None):
            self._output.put_page(self.source, page, self._page_count)
        elif page.document is not None:
            self._pages.append(page.document)

    def end(self, error: Exception | None) -> bool:
        """Write what is left to write; return whether all of the source was read."""
        told = self._output.by_page and self._page_count > 1  # a page's error, which has been written
        reason = error or (None if told else self._error)
        if reason is not None:
            self._output.fail(self.source, reason)
            print(f"ocrsvc: {self.source.title}: {message(reason)}", file=sys.stderr)
        elif self._pages:
            from ocrsvc.documents.repeats import with_repeats  # heavy, and not needed for the help

            try:
                self._output.put(self.source, with_repeats(joined(self._pages)))
            except OcrError as unwritable:
                self._output.fail(self.source, unwritable)
                print(f"ocrsvc: {self.source.title}: {message(unwritable)}", file=sys.stderr)
                return False
        return error is None and self._error is None


def _cut(page: Page) -> str:
    return f"page {page.number} has {page.lines_omitted} lines more than the limit; they are left out"
