"""Real servers whose job store is locked, on a full disk, or on one that cannot be written, and usable again later."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import tiny_model
from running_server import RunningServer, StartServer

pytestmark = pytest.mark.timeout(600)

PAGES = 80
DISK_BYTES = 4 << 20


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return tiny_model.write_with_detector(folder)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder))
    if (mounted := subprocess.run(command, capture_output=True, text=True)).returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


@dataclass(frozen=True)
class Jobs:
    """A server, and one client for all requests to it."""

    server: RunningServer
    http: httpx.Client

    def add(self, count: int) -> httpx.Response:
        return self.http.post("/api/jobs?mode=line", content=tiny_model.tiff(count))

    def added(self, count: int) -> str:
        answer = self.add(count)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def until(self, job: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while not condition(body := self.http.get(f"/api/jobs/{job}").json()):
            time.sleep(0.02)
        return dict(body)

    def result(self, job: str, format_: str) -> str:
        return self.http.get(f"/api/jobs/{job}/result?format={format_}").text

    def running(self, *, wanted: bool) -> str | None:
        """Return a job of which a few pages have been read, if one is wanted."""
        if not wanted:
            return None
        job = self.added(PAGES)
        read = self.until(job, lambda job: job["pages"]["read"] >= 3)
        assert read["state"] == "running", "it was read before anything could happen"
        return job

    def check_refused(self, detail: str) -> None:
        """A job is refused, with a reason and a time to come back; a request is answered; /readyz says so."""
        refused = self.add(20)
        assert refused.status_code == 503, refused.text
        problem = refused.json()
        assert problem["type"] == "/problems/job-store-unavailable"
        assert detail in problem["detail"]
        assert int(refused.headers["retry-after"]) >= 1
        read = self.http.post("/api/ocr?mode=line", content=tiny_model.tiff(1))
        assert (read.status_code, read.json()["text"]) == (200, "001")
        ready = self.http.get("/readyz")
        assert (ready.status_code, ready.json()["jobs"]) == (200, "unavailable")

    def check_recovered(self, job: str | None) -> None:
        """New jobs are taken; the one that was being read goes on where it was, without reading a page twice."""
        while (answer := self.add(3)).status_code == 503:
            time.sleep(0.1)
        jobs = {answer.json()["id"]: 3} | ({job: PAGES} if job else {})
        for id_, count in jobs.items():
            done = self.until(id_, lambda job: job["state"] in ("done", "failed"))
            assert (done["state"], done["pages"]["read"]) == ("done", count)
            assert self.result(id_, "text") == tiny_model.text_of_tiff(count)
        assert self.http.get("/readyz").json()["jobs"] == "ok"
        counted = f'ocrsvc_job_pages_total{{outcome="read"}} {float(sum(jobs.values()))}'
        assert counted in self.http.get("/metrics").text
        events = [line["event"] for line in self.server.log_lines()]
        assert events.count("job begins") == len(jobs), "no job was given away"
        assert events.count("the job store cannot be used") == 1
        assert events.count("the job store can be used again") == 1


@pytest.fixture
def start(start_server: StartServer, models_dir: Path) -> Iterator[Callable[[Path], Jobs]]:
    with contextlib.ExitStack() as stack:

        def started(path: Path) -> Jobs:
            server = start_server(
                model="tiny", models_dir=models_dir, workers=1, detector_side_pixels=320, jobs_path=path
            )
            server.wait_until_ready()
            return Jobs(server, stack.enter_context(httpx.Client(base_url=server.url, timeout=60)))

        yield started


@pytest.mark.parametrize("with_job", [False, True])
@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_store(start: Callable[[Path], Jobs], tmp_path: Path, kind: str, with_job: bool) -> None:
    jobs = start(tmp_path / "jobs.sqlite")
    job = jobs.running(wanted=with_job)
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)) as other:
        other.execute(f"BEGIN {kind}")
        jobs.check_refused("locked by another program")
        if job:
            read = jobs.until(job, lambda job: True)["pages"]["read"]
            assert len(jobs.result(job, "jsonl").splitlines()) == read + 1, (
                "they can be had, with a last record"
            )
        other.execute("ROLLBACK")
    jobs.check_recovered(job)


@pytest.mark.parametrize("with_job", [False, True])
def test_a_full_disk(start: Callable[[Path], Jobs], disk: Path, with_job: bool) -> None:
    jobs = start(disk / "jobs.sqlite")
    job = jobs.running(wanted=with_job)
    with (disk / "other").open("wb", buffering=0) as other, contextlib.suppress(OSError):
        while True:
            other.write(bytes(4096))
    jobs.check_refused("disk of the job store is full")
    (disk / "other").unlink()
    jobs.check_recovered(job)


def test_a_disk_that_cannot_be_written(start: Callable[[Path], Jobs], disk: Path) -> None:
    """As after a restart on a disk that the system has made read-only: with jobs, but none that runs."""
    jobs = start(disk / "jobs.sqlite")
    jobs.until(jobs.added(2), lambda job: job["state"] == "done")
    assert jobs.server.stop() == 0
    subprocess.run(("mount", "-o", "remount,ro", str(disk)), check=True)
    jobs = start(disk / "jobs.sqlite")
    jobs.check_refused("its disk is read-only")
    subprocess.run(("mount", "-o", "remount,rw", str(disk)), check=True)
    jobs.check_recovered(None)
