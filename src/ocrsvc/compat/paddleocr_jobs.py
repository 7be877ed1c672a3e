"""PaddleOCR's job interface (PaddlePaddle/PaddleOCR, paddleocr/_api_client): /api/v2/ocr/jobs, on our jobs.

Dify's plugin, LangChain, Haystack and the ``paddleocr`` package speak it. They fetch the result without their key from
the address that a finished job names, so the id of the job, which cannot be guessed, is all that this address needs.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ocrsvc.compat import paddlex
from ocrsvc.compat.contract import Members, Refusal, without_empty_lines
from ocrsvc.errors import InvalidParameter, InvalidRequest, NotFound
from ocrsvc.jobs.job import Job, Order
from ocrsvc.jobs.rows import StoredPage
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document

NAME = "paddleocr"
UPLOAD_FIELD = "file"
_STATES = {"queued": "pending", "running": "running", "done": "done", "failed": "failed"}


def order_of(options: ReadOptions, members: Members, file: str, kind: str) -> Order:
    """Return what a request asks for; raises InvalidRequest or InvalidParameter.

    A model whose name begins with PP-OCR reads lines; any other parses the layout of the page.
    """
    model = str(members.get("model") or "")
    if not model:
        raise InvalidRequest("The field model is missing, such as PP-OCRv6 or PP-StructureV3.")
    if members.get("batchId"):
        raise InvalidParameter("batchId is not supported: send one job for each file.")
    lines = model.startswith("PP-OCR")
    pages = str(members.get("pageRanges") or "") or None
    least = paddlex.least_score(_payload(members))
    contract = {"name": NAME, "lines": lines, "kind": kind, "least": least}
    options = replace(options, pages=pages, structured=not lines)
    return Order(options, "json" if lines else "markdown", file=file, contract=contract)


def _payload(members: Members) -> dict[str, Any]:
    payload = members.get("optionalPayload") or {}
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"optionalPayload is not JSON: {error}.") from error
    if not isinstance(payload, dict):
        raise InvalidRequest("optionalPayload must be an object.")
    return payload


def check_ours(job: Job) -> Job:
    """Return a job that came through this contract; NotFound for others."""
    if job.order.contract.get("name") != NAME:
        raise NotFound("There is no such job: it was removed, or its time has passed.")
    return job


def accepted(job: Job) -> dict[str, Any]:
    """Return the answer to a new job."""
    return _wrapped({"jobId": job.id})


def state_of(job: Job, result_url: str) -> dict[str, Any]:
    """Return the state of a job and, once it is done, the address of its result."""
    data: dict[str, Any] = {"jobId": job.id, "state": _STATES[job.state]}
    if job.pages_total is not None:
        data["extractProgress"] = {
            "totalPages": job.pages_total,
            "extractedPages": job.pages_read + job.pages_failed,
            "startTime": _time(job.started),
            "endTime": _time(job.ended),
        }
    if job.state == "done":
        data["resultUrl"] = {"jsonUrl": result_url}
    if job.problem is not None:
        data["errorMsg"] = job.problem["detail"]
    return _wrapped(data)


def records(job: Job, pages: Sequence[StoredPage]) -> bytes:
    """Return the result as JSON Lines, one page a line; a page that could not be read has no text."""
    contract = job.order.contract
    content = b""
    for page in pages:
        document = without_empty_lines(page.document()) if page.problem is None else None
        result: dict[str, Any]
        if contract["lines"]:
            results = paddlex.ocr_results(document, contract["least"]) if document else [_blank()]
            result = {"ocrResults": results}
        else:
            parsed = paddlex.layout_results(document, contract["least"]) if document else [_blank()]
            result = {"layoutParsingResults": parsed}
        if document is not None:
            result["dataInfo"] = _info(job, document)
        content += json.dumps({"result": result}, ensure_ascii=False).encode() + b"\n"
    return content


def _blank() -> dict[str, Any]:
    """Return the result of a page without text, for either pipeline."""
    pruned = {**paddlex.text_result((), 1.0, 0.0), "parsing_res_list": []}
    return {"prunedResult": pruned, "markdown": {"text": "", "images": {}, "isStart": True, "isEnd": True}}


def _info(job: Job, document: Document) -> dict[str, Any]:
    info = paddlex.data_info(document, job.order.contract["kind"])
    return {**info, "numPages": job.pages_total} if "numPages" in info else info


def _wrapped(data: dict[str, Any]) -> dict[str, Any]:
    return {"code": 0, "msg": "Success", "data": data}


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def refuse(problem: Members) -> Refusal:
    """Return a problem with its text as ``msg``, which the clients show."""
    return Refusal(problem["status"], {"code": problem["status"], "msg": problem["detail"]})
