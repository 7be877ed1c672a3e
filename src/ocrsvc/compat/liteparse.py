"""LiteParse's OCR server (run-llama/liteparse, OCR_API_SPEC.md): POST /ocr with a form field ``file``."""

from __future__ import annotations

from typing import Any

from ocrsvc.compat.contract import Contract, Members, Refusal, Sent, box_of, check_language
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document

_DIGITS = 1  # of a pixel


def _options(options: ReadOptions, members: Members) -> ReadOptions:
    check_language(str(members.get("language", "")))
    return options


def _answer(document: Document, sent: Sent) -> dict[str, Any]:
    return {
        "results": [
            {
                "text": line.text,
                "bbox": [round(value, _DIGITS) for value in box_of(line.polygon)],
                "confidence": round(line.confidence, 4),
                "polygon": [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in line.polygon],
            }
            for line in document.lines
        ]
    }


def _refuse(problem: Members) -> Refusal:
    return Refusal(problem["status"], {"error": problem["detail"]})


CONTRACT = Contract(("file",), _options, _answer, _refuse)
