"""Umi-OCR's document tasks (docs/http/api_doc.md): /api/doc/upload, result, download and clear, on our jobs."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, cast

from ocrsvc.compat import umi_ocr, umi_text
from ocrsvc.compat.contract import Members, without_empty_lines
from ocrsvc.compat.umi_text import Parser
from ocrsvc.errors import InvalidParameter, InvalidRequest, JobFailed, JobUnfinished, NotFound
from ocrsvc.jobs.job import Job, Order
from ocrsvc.jobs.rows import StoredPage
from ocrsvc.pages.text_layer import PdfText
from ocrsvc.reading.reading import ReadOptions

NAME = "umi-ocr"
UPLOAD_FIELD = "file"
LAYERED = "pdfLayered"
_STATES = {"queued": "waiting", "running": "running", "done": "success", "failed": "failure"}
_EXTRACTION: Mapping[str, PdfText] = {"mixed": "auto", "fullPage": "never", "textOnly": "always"}
_SUFFIXES = {LAYERED: ".layered.pdf", "txt": ".txt", "txtPlain": ".p.txt", "jsonl": ".jsonl", "csv": ".csv"}


def option_list() -> dict[str, Any]:
    """Return the answer of GET /api/doc/get_options."""
    picture = umi_ocr.option_list()
    del picture["data.format"]
    whole = {"type": "number", "isInt": True}
    return {
        **picture,
        "pageRangeStart": {"title": "OCR页数起始", "default": 1, **whole},
        "pageRangeEnd": {"title": "OCR页数结束", "default": -1, **whole},
        "pageList": {"title": "OCR页数列表", "default": [], "type": "var"},
        "password": {"title": "密码", "default": "", "type": "text"},
        "doc.extractionMode": {
            "title": "内容提取模式",
            "default": "mixed",
            "optionsList": [
                ["mixed", "混合OCR/原文本"],
                ["fullPage", "整页强制OCR"],
                ["textOnly", "仅拷贝原有文本"],
            ],
            "type": "enum",
        },
    }


def order_of(options: ReadOptions, members: Members, file: str) -> Order:
    """Return what an upload asks for; raises InvalidRequest or InvalidParameter."""
    try:
        asked = json.loads(members.get("json") or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The field json is not JSON: {error}.") from error
    if not isinstance(asked, dict):
        raise InvalidRequest("The field json must be an object.")
    mode = asked.get("doc.extractionMode", "mixed")
    if mode not in _EXTRACTION:
        raise InvalidParameter(f"doc.extractionMode must be one of {', '.join(_EXTRACTION)}.")
    options = replace(
        umi_ocr.reading_options(options, asked),
        pages=_pages(asked),
        pdf_text=_EXTRACTION[mode],
        password=str(asked.get("password") or "") or None,
    )
    contract = {"name": NAME, "parser": umi_ocr.parser_of(asked)}
    return Order(options, "pdf", keep_document=True, file=file, contract=contract)


def _pages(asked: Mapping[str, Any]) -> str | None:
    """Return our parameter ``pages``: the list, or else the range, whose end may only be -1 or a page."""
    numbers = asked.get("pageList") or []
    first, last = asked.get("pageRangeStart", 1), asked.get("pageRangeEnd", -1)
    if not isinstance(numbers, list) or not all(isinstance(each, int) for each in (*numbers, first, last)):
        raise InvalidParameter("pageList, pageRangeStart and pageRangeEnd must be whole numbers.")
    if numbers:
        return ",".join(map(str, numbers))
    if first < 1 or (last < 1 and last != -1):
        raise InvalidParameter("Pages are counted from 1; of negative numbers, only pageRangeEnd=-1 is read.")
    return f"{first}-" if last == -1 else f"{first}-{last}"


def check_ours(job: Job) -> Job:
    """Return a job that came through this contract; NotFound for others."""
    if job.order.contract.get("name") != NAME:
        raise NotFound(f"There is no task {job.id[:40]!r}.")
    return job


def state_of(job: Job, pages: Sequence[StoredPage] | None, format_: str) -> dict[str, Any]:
    """Return the answer of /api/doc/result; ``pages``: those whose text is wanted, None for none."""
    data: Any = [_entry(job, page) for page in pages or ()]
    if pages is not None and format_ == "text":
        data = "".join(text + "\n" for entry in data if (text := _text(entry)))
    body = {
        "code": umi_ocr.DONE,
        "data": data,
        "processed_count": job.pages_read + job.pages_failed,
        "pages_count": job.pages_total or 0,
        "is_done": job.is_over,
        "state": _STATES[job.state],
    }
    return body if job.problem is None else {**body, "message": job.problem["detail"]}


def _entry(job: Job, page: StoredPage) -> dict[str, Any]:
    """Return one page with its blocks."""
    label = f"{job.order.file} - {page.number}"
    if page.problem is not None:
        body: dict[str, Any] = {"code": umi_ocr.FAILED, "data": page.problem["detail"]}
    else:
        body = umi_ocr.page_answer(
            without_empty_lines(page.document()), cast(Parser, job.order.contract["parser"])
        )
    return {**body, "page": page.number, "path": label, "fileName": label}


def _text(entry: Mapping[str, Any]) -> str:
    return umi_text.text_of(entry["data"]) if entry["code"] == umi_ocr.DONE else ""


def wanted_files(job: Job, members: Members) -> list[str]:
    """Return the kinds of files that a download names; raises for a job without a result, or other kinds."""
    if job.problem is not None:
        raise JobFailed("The task has failed, so that there are no files.")
    if not job.is_over:
        raise JobUnfinished("The task has not ended yet.")
    kinds = members.get("file_types", [LAYERED])
    if not isinstance(kinds, list) or not kinds or not all(each in _SUFFIXES for each in kinds):
        raise InvalidParameter(f"file_types must be a list of {', '.join(_SUFFIXES)}.", allowed=[*_SUFFIXES])
    return kinds


def download_name(job: Job, kinds: Sequence[str]) -> str:
    """Return the name of the file, or of the archive of several."""
    return f"[OCR]_{_stem(job)}" + (".zip" if len(kinds) > 1 else _SUFFIXES[kinds[0]])


def _stem(job: Job) -> str:
    return PurePosixPath(job.order.file.replace("\\", "/")).stem or "document"


def files(
    job: Job, pages: Sequence[StoredPage], kinds: Sequence[str], *, skip_blank: bool, layered: bytes | None
) -> bytes:
    """Return the file of this kind, or an archive of several; ``layered``: the searchable PDF, if it is wanted."""
    entries = [_entry(job, page) for page in pages]
    shown = [each for each in entries if each["code"] == umi_ocr.DONE or not skip_blank]
    writers: Mapping[str, Callable[[], bytes]] = {
        LAYERED: lambda: layered or b"",
        "txt": lambda: "".join(f"≦ {each['fileName']} ≧\n{_text(each)}\n" for each in shown).encode(),
        "txtPlain": lambda: "".join(f"{_text(each)}\n" for each in shown).encode(),
        "jsonl": lambda: "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in entries).encode(),
        "csv": lambda: _csv(shown),
    }
    if len(kinds) == 1:
        return writers[kinds[0]]()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind in dict.fromkeys(kinds):
            archive.writestr(f"[OCR]_{_stem(job)}{_SUFFIXES[kind]}", writers[kind]())
    return buffer.getvalue()


def _csv(entries: Sequence[Mapping[str, Any]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["Name", "OCR", "Path"])
    writer.writerows([each["fileName"], _text(each), each["path"]] for each in entries)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()  # Excel takes UTF-8 only with this mark
