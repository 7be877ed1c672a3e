"""Open WebUI's external content extraction (open-webui/open-webui, loaders/external_document.py): PUT /process.

Open WebUI sends every file here, whatever it is. It reads a file itself if the answer is 422 and says "No extractable
text"; so it does with Word documents and the like, and with pages that have no text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ocrsvc.compat.contract import Contract, Members, Refusal, Sent
from ocrsvc.errors import Unprocessable, UnsupportedMedia
from ocrsvc.formats import markdown_format
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document

_NO_TEXT = "No extractable text"


def _options(options: ReadOptions, members: Members) -> ReadOptions:
    return replace(options, structured=True)


def _answer(document: Document, sent: Sent) -> list[dict[str, Any]]:
    """Return one entry for each page with text, as Open WebUI cites pages by their number, which counts from 0."""
    pages = []
    for page in document.pages:
        part = replace(
            document,
            pages=(page,),
            lines=tuple(line for line in document.lines if line.page == page.number),
            blocks=document.blocks_of(page),
        )
        if part.lines:
            metadata = {"page": page.number - 1, "page_label": str(page.number)}
            pages.append({"page_content": markdown_format.render(part).decode(), "metadata": metadata})
    if not pages:
        raise Unprocessable(f"{_NO_TEXT}: the file has no text that can be read.")
    return pages


def _refuse(problem: Members) -> Refusal:
    if problem["status"] == UnsupportedMedia.status:
        return Refusal(Unprocessable.status, {"detail": f"{_NO_TEXT}: {problem['detail']}"})
    return Refusal(problem["status"])


CONTRACT = Contract((), _options, _answer, _refuse)
