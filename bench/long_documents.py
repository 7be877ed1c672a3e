"""Documents of many pages at a running server: as a stream, as a job, given up half-way, and over a kill -9."""

from __future__ import annotations

import io
import json
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import httpx
import serving
from PIL import Image, ImageDraw, ImageFont

_SIZE = (1000, 1400)  # pixels of a page: 120 dpi
_LINES = 8
_WORDS = ("order", "price", "total amount", "invoice", "number", "date", "client name", "address", "phone")
_CUT_PAGES = 20  # after which clients give up
_QUIET_SECONDS = 1.0  # a server that uses no more CPU than _IDLE_SHARE of a core for so long has stopped
_IDLE_SHARE = 0.1
_LOOK_SECONDS = 0.05
_SECONDS = 36_000.0  # no time-out decides a measurement


@dataclass(frozen=True)
class Answer:
    """The records of the pages of one document, and what they cost."""

    pages: list[dict[str, Any]]
    cpu_seconds: float
    seconds: float

    @property
    def cpu_seconds_a_page(self) -> float:
        return self.cpu_seconds / max(1, len(self.pages))

    def figures(self) -> dict[str, float | None]:
        """Return the figures of one turn."""
        return {
            "cpu_seconds_a_page": self.cpu_seconds_a_page,
            "seconds_a_page": self.seconds / max(1, len(self.pages)),
        }


def send(server: serving.Server, data: bytes, query: Mapping[str, str]) -> Answer:
    """Return the answer to a document sent with these parameters, ``format=jsonl`` among them."""
    cpu, begun = server.cpu_seconds(), time.perf_counter()
    response = httpx.post(_url(server, "ocr"), params=dict(query), content=data, timeout=_SECONDS)
    response.raise_for_status()
    seconds = time.perf_counter() - begun
    rows = [json.loads(row) for row in response.text.splitlines()]
    return Answer([row for row in rows if "page" in row], server.cpu_seconds() - cpu, seconds)


def drawn(kind: str, pages: int) -> bytes:
    """Return a scan of so many pages, as ``tiff`` or ``pdf``; page n begins with its number."""
    rng, face = random.Random(pages), ImageFont.load_default(28)
    images = []
    for number in range(1, pages + 1):
        page = Image.new("L", _SIZE, 245)
        draw = ImageDraw.Draw(page)
        for row in range(_LINES):
            text = f"Page {number:04}" if row == 0 else " ".join(rng.choices(_WORDS, k=7))
            draw.text((90, 100 + 90 * row), text, fill=30, font=face)
        images.append(page)
    buffer = io.BytesIO()
    options = {"compression": "tiff_lzw"} if kind == "tiff" else {"resolution": 120}
    images[0].save(buffer, kind.upper(), save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


def scans(kind: str, pages: int, **settings: Any) -> dict[str, Any]:
    """Return how a drawn scan is read by a server of these settings, as a stream and as a job."""
    data = drawn(kind, pages)
    with serving.ours(**settings) as server:
        send(
            server, drawn(kind, 4), {"format": "jsonl"}
        )  # memory of the first runs is not that of the document
        return {
            "kind": kind,
            "pages": pages,
            "stream": {**_streamed(server, data), "busy_seconds_after_end": _hung_up(server, data, pages)},
            "job": {**_job(server, data), "busy_seconds_after_end": _deleted(server, data, pages)},
        }


def _streamed(server: serving.Server, data: bytes) -> dict[str, Any]:
    begun, rss, first = time.perf_counter(), [], 0.0
    for _ in _rows(server, data):
        first = first or time.perf_counter() - begun
        rss.append(server.rss_bytes() / 1e6)
    return _course(first, time.perf_counter() - begun, rss)


def _job(server: serving.Server, data: bytes) -> dict[str, Any]:
    begun, rss, first, seen = time.perf_counter(), [], 0.0, 0
    job = _add(server, data)
    while (body := _look(server, job))["state"] not in ("done", "failed"):
        if body["pages"]["read"] > seen:
            seen = body["pages"]["read"]
            first = first or time.perf_counter() - begun
            rss.append(server.rss_bytes() / 1e6)
        time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - begun
    httpx.delete(_url(server, f"jobs/{job}"), timeout=_SECONDS)
    return {**_course(first, seconds, rss), "state": body["state"], "pages_read": body["pages"]["read"]}


def _course(first: float, seconds: float, rss: list[float]) -> dict[str, Any]:
    """Return the figures of a document; the slope is that of the second half of the pages."""
    half = rss[len(rss) // 2 :]
    slope = statistics.linear_regression(range(len(half)), half).slope if len(half) > 1 else 0.0
    return {
        "first_page_seconds": round(first, 3),
        "seconds": round(seconds, 2),
        "rss_megabytes": [round(each, 1) for each in rss],
        "megabytes_per_100_pages": round(100 * slope, 2),
    }


def _hung_up(server: serving.Server, data: bytes, pages: int) -> float:
    rows = _rows(server, data)
    for _ in range(min(_CUT_PAGES, pages // 2)):
        next(rows)
    rows.close()  # which closes the connection
    return _until_quiet(server)


def _deleted(server: serving.Server, data: bytes, pages: int) -> float:
    job = _add(server, data)
    while _look(server, job)["pages"]["read"] < min(_CUT_PAGES, pages // 2):
        time.sleep(_LOOK_SECONDS)
    asked = time.perf_counter()
    httpx.delete(_url(server, f"jobs/{job}"), timeout=_SECONDS).raise_for_status()
    return _until_quiet(server, asked)


def _until_quiet(server: serving.Server, begun: float | None = None) -> float:
    """Return after how many seconds the server used no more CPU time."""
    begun = begun or time.perf_counter()
    busy = begun
    cpu, looked = server.cpu_seconds(), begun
    while time.perf_counter() - busy < _QUIET_SECONDS:
        time.sleep(4 * _LOOK_SECONDS)
        now, used = time.perf_counter(), server.cpu_seconds()
        if used - cpu > _IDLE_SHARE * (now - looked):
            busy = now
        cpu, looked = used, now
    return round(busy - begun, 2)


def resume(pages: int, **settings: Any) -> dict[str, Any]:
    """Return what a server that gets SIGKILL in the middle of a job does when it is started again."""
    data = drawn("tiff", pages)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "jobs.sqlite"
        with serving.ours(jobs_path=store, **settings) as server:
            job = _add(server, data)
            while (before := _look(server, job)["pages"]["read"]) < pages // 3:
                time.sleep(_LOOK_SECONDS)
            for process in server.tree():
                process.send_signal(signal.SIGKILL)
        killed = time.perf_counter()
        with serving.ours(jobs_path=store, **settings) as server:
            ready = time.perf_counter()
            known = _look(server, job)["pages"]["read"]
            while (body := _look(server, job))["pages"]["read"] <= known and body["state"] != "done":
                time.sleep(_LOOK_SECONDS)
            goes_on = time.perf_counter() - ready
            while _look(server, job)["state"] not in ("done", "failed"):
                time.sleep(_LOOK_SECONDS)
            result = httpx.get(
                _url(server, f"jobs/{job}/result"), params={"format": "jsonl"}, timeout=_SECONDS
            )
            stored = _counter(server, "ocrsvc_job_pages_total")
    numbers = [row["page"] for row in map(json.loads, result.text.splitlines()) if "page" in row]
    return {
        "pages": pages,
        "read_before": before,
        "ready_seconds": round(ready - killed, 2),
        "goes_on_seconds": round(goes_on, 2),
        "stored_read_again": max(0, int(stored) - (pages - before)),
        "missing": pages - len(set(numbers)),
        "doubled": len(numbers) - len(set(numbers)),
    }


def _counter(server: serving.Server, name: str) -> float:
    rows = httpx.get(f"http://localhost:{server.port}/metrics", timeout=_SECONDS).text.splitlines()
    return sum(float(row.rpartition(" ")[2]) for row in rows if row.startswith((f"{name} ", f"{name}{{")))


def _rows(server: serving.Server, data: bytes) -> Any:
    """Yield the records of the pages as they come; closing it hangs up."""
    with httpx.stream(
        "POST", _url(server, "ocr"), params={"format": "jsonl"}, content=data, timeout=_SECONDS
    ) as answer:
        answer.raise_for_status()
        for row in answer.iter_lines():
            record = json.loads(row)
            if "page" in record:
                harness.tell(f"page {record['page']} of {record['page_count']}")
                yield record


def _add(server: serving.Server, data: bytes) -> str:
    answer = httpx.post(_url(server, "jobs"), content=data, timeout=_SECONDS)
    answer.raise_for_status()
    return str(answer.json()["id"])


def _look(server: serving.Server, job: str) -> dict[str, Any]:
    body: dict[str, Any] = httpx.get(_url(server, f"jobs/{job}"), timeout=_SECONDS).json()
    return body


def _url(server: serving.Server, path: str) -> str:
    return f"http://localhost:{server.port}/api/{path}"
