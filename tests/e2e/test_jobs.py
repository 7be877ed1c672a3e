"""Jobs of real servers: killed and started again, two on one store, deleted while a page is read; and streams."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import tiny_model
from drawings import DrawnPage
from PIL import Image
from running_server import RunningServer, StartServer

pytestmark = pytest.mark.timeout(180)

PAGES = 60


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny recogniser that takes next to no time, and the real detector, which takes most of it."""
    folder = tmp_path_factory.mktemp("models")
    return tiny_model.write_with_detector(folder)


def add(server: RunningServer, content: bytes, query: str = "mode=line") -> str:
    answer = httpx.post(f"{server.url}/api/jobs?{query}", content=content, timeout=60)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def until(server: RunningServer, job: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the job once the condition holds; the test's time-out is the only limit."""
    while True:
        body: dict[str, Any] = httpx.get(f"{server.url}/api/jobs/{job}", timeout=60).json()
        if condition(body):
            return body
        time.sleep(0.02)


def is_over(job: dict[str, Any]) -> bool:
    return job["state"] in ("done", "failed")


def result(server: RunningServer, job: str) -> str:
    return httpx.get(f"{server.url}/api/jobs/{job}/result?format=text", timeout=60).text


def test_a_killed_server_goes_on_at_once_where_it_stopped(
    start_server: StartServer, models_dir: Path, tmp_path: Path
) -> None:
    settings = {
        "model": "tiny",
        "models_dir": models_dir,
        "workers": 1,
        "detector_side_pixels": 320,
        "jobs_path": tmp_path / "jobs.sqlite",
    }
    one = start_server(**settings)
    one.wait_until_ready()
    finished = add(one, tiny_model.tiff(2))
    until(one, finished, is_over)
    job = add(one, tiny_model.tiff(PAGES))
    read = until(one, job, lambda job: job["pages"]["read"] >= 3)
    os.kill(one.process.pid, signal.SIGKILL)
    one.process.wait()
    assert not is_over(read), "it was read before it could be killed"
    other = start_server(**settings)
    other.wait_until_ready()
    assert result(other, finished) == tiny_model.text_of_tiff(2)
    done = until(other, job, is_over)
    assert (done["state"], done["pages"]) == ("done", {"total": PAGES, "read": PAGES, "failed": 0})
    assert result(other, job) == tiny_model.text_of_tiff(PAGES)
    (begins,) = [line for line in other.log_lines() if line["event"] == "job begins"]
    assert begins["pages_known"] >= read["pages"]["read"]
    assert begins["pages_known"] < PAGES
    assert "ocrsvc_job_pages_total" in (metrics := httpx.get(f"{other.url}/metrics").text)
    assert f'{{outcome="read"}} {float(PAGES - begins["pages_known"])}' in metrics  # none was read twice


def test_two_servers_share_one_store(start_server: StartServer, models_dir: Path, tmp_path: Path) -> None:
    settings = {
        "model": "tiny",
        "models_dir": models_dir,
        "workers": 1,
        "detector_side_pixels": 320,
        "jobs_path": tmp_path / "jobs.sqlite",
        "jobs_at_once": 1,
    }
    servers = [start_server(**settings) for _ in range(2)]
    for server in servers:
        server.wait_until_ready()
    one, other = servers
    jobs = [add(one, tiny_model.tiff(PAGES)) for _ in range(2)]
    for job in jobs:
        until(other, job, lambda job: job["state"] != "queued" and job["pages"]["read"] >= 1)
    for job in jobs:
        assert until(other, job, is_over)["state"] == "done"
        assert result(one, job) == result(other, job) == tiny_model.text_of_tiff(PAGES)
    begun = [line["event"] for server in servers for line in server.log_lines()].count("job begins")
    assert begun == 2
    job = add(one, tiny_model.tiff(500))
    until(one, job, lambda job: job["pages"]["read"] >= 1)
    for server in servers:  # whichever reads it, both delete it
        answer = httpx.delete(f"{server.url}/api/jobs/{job}", timeout=60)
        assert answer.status_code == (204 if server is one else 404)
    wait_until_idle(servers)


def test_a_killed_server_s_job_goes_to_the_other_before_its_lease_has_run_out(
    start_server: StartServer, models_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.sqlite"
    settings = {"model": "tiny", "models_dir": models_dir, "workers": 1, "detector_side_pixels": 320}
    servers = [start_server(**settings, jobs_path=path) for _ in range(2)]
    for server in servers:
        server.wait_until_ready()
    job = add(servers[0], tiny_model.tiff(PAGES))
    until(servers[0], job, lambda job: job["pages"]["read"] >= 1)
    (killed,) = [server for server in servers if begun(server)]
    os.kill(killed.process.pid, signal.SIGKILL)
    killed.process.wait()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as store:
        store.execute("UPDATE jobs SET lease_until = lease_until + 86400 WHERE lease_until IS NOT NULL")
    (other,) = [server for server in servers if server is not killed]
    done = until(other, job, is_over)
    assert (done["state"], done["pages"]["read"]) == ("done", PAGES)
    assert result(other, job) == tiny_model.text_of_tiff(PAGES)
    (known,) = begun(other)
    assert 1 <= known < PAGES


def begun(server: RunningServer) -> list[int]:
    """How many pages were known of each job when the server began to read it."""
    return [line["pages_known"] for line in server.log_lines() if line["event"] == "job begins"]


def wait_until_idle(servers: list[RunningServer]) -> None:
    """Return once no server has work in its scheduler at two looks, one after the other."""
    quiet = 0
    while quiet < 2:
        busy = [
            figure(server, "ocrsvc_lines_outstanding") + figure(server, "ocrsvc_workers_busy")
            for server in servers
        ]
        quiet = 0 if any(busy) else quiet + 1
        time.sleep(0.3)


def figure(server: RunningServer, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics", timeout=60).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


@pytest.fixture
def pages(draw_page: Callable[..., DrawnPage]) -> bytes:
    """A document of twelve real pages."""
    page = Image.fromarray(draw_page().image[:, :, ::-1])
    buffer = io.BytesIO()
    page.save(buffer, "TIFF", save_all=True, append_images=[page] * 11, compression="tiff_lzw")
    return buffer.getvalue()


def test_a_page_comes_while_later_ones_are_read(server: RunningServer, pages: bytes) -> None:
    """Taken slowly, the first pages are here while the metrics still count pages that are in work."""
    begun = figure(server, "ocrsvc_document_pixels_total")
    with httpx.stream("POST", f"{server.url}/api/ocr?format=jsonl", content=pages, timeout=60) as answer:
        rows = answer.iter_lines()
        first = json.loads(next(rows))
        assert (first["page"], first["page_count"]) == (1, 12)
        assert figure(server, "ocrsvc_requests_inside") >= 1
        assert figure(server, "ocrsvc_document_pixels_total") == begun  # counted when the answer is whole
        assert [json.loads(row).get("page", "last") for row in rows] == [*range(2, 13), "last"]


def test_a_client_who_leaves_a_stream_stops_the_work(server: RunningServer, pages: bytes) -> None:
    with httpx.stream("POST", f"{server.url}/api/ocr?format=jsonl", content=pages, timeout=60) as answer:
        next(answer.iter_lines())
    until_gone(server)
    wait_until_idle([server])


def until_gone(server: RunningServer) -> None:
    while figure(server, "ocrsvc_requests_inside"):
        time.sleep(0.05)


def test_a_request_does_not_wait_behind_a_job(server: RunningServer, pages: bytes, line: bytes) -> None:
    job = add(server, pages, "mode=page")
    until(server, job, lambda job: job["state"] == "running")
    for _ in range(3):
        assert httpx.post(f"{server.url}/api/ocr", content=line, timeout=60).status_code == 200
    still = httpx.get(f"{server.url}/api/jobs/{job}", timeout=60).json()
    assert httpx.delete(f"{server.url}/api/jobs/{job}", timeout=60).status_code == 204
    wait_until_idle([server])
    assert still["pages"]["read"] < 12


@pytest.fixture
def line(draw_line: Callable[..., Any], png: Callable[..., bytes]) -> bytes:
    return png(draw_line("发票号码 No. 24417"))
