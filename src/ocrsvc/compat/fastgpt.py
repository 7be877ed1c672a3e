"""FastGPT's own parser of PDFs (labring/FastGPT, packages/service/common/file/read/utils.ts): customPdfParse.

The path is free there; ours is the one that its documentation uses, so that only the host is to be changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ocrsvc.compat.contract import Contract, Members, Refusal, Sent
from ocrsvc.formats import markdown_format
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document


def _options(options: ReadOptions, members: Members) -> ReadOptions:
    return replace(options, structured=True)


def _answer(document: Document, sent: Sent) -> dict[str, Any]:
    return {"pages": len(document.pages), "markdown": markdown_format.render(document).decode()}


def _refuse(problem: Members) -> Refusal:
    return Refusal(problem["status"], {"error": problem["detail"]})


CONTRACT = Contract(("file",), _options, _answer, _refuse)
