"""RapidOCRAPI (RapidAI/RapidOCRAPI, rapidocr_api/main.py): POST /ocr, form field ``image_file`` or ``image_data``.

Of its parameters, ``use_det=false`` is our ``mode=line``; the others are about the stages of its engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ocrsvc.compat.contract import Contract, Members, Refusal, Sent, is_set
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document


def _options(options: ReadOptions, members: Members) -> ReadOptions:
    return replace(options, mode="line") if is_set(members, "use_det") is False else options


def _answer(document: Document, sent: Sent) -> dict[str, Any]:
    return {
        str(number): {
            "rec_txt": line.text,
            "dt_boxes": [[round(x, 1), round(y, 1)] for x, y in line.polygon],
            "score": round(line.confidence, 4),
        }
        for number, line in enumerate(document.lines)
    }


def _refuse(problem: Members) -> Refusal:
    return Refusal(problem["status"])  # its own errors are FastAPI's, with `detail`, as ours


CONTRACT = Contract(("image_file", "image_data"), _options, _answer, _refuse)
