"""A wall clock that jumps by days in both directions: deadlines, jobs and probes do not mind."""

from __future__ import annotations

import time
from pathlib import Path

import drawings
import httpx
import pytest
import tiny_model
from available import missing
from running_server import RunningServer, StartServer

pytestmark = pytest.mark.timeout(600)

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
PAGES = 30


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that says by how much the wall clock of processes started from here differs."""
    if not LIBRARIES:
        missing("no clock can be made to jump: install libfaketime")
    file = tmp_path / "clock"
    file.write_text("+0\n")
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARIES[0]))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    for name in ("FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"):
        monkeypatch.setenv(name, "1")  # as a real clock that is set: the monotonic one goes on
    return file


def year(server: RunningServer) -> str:
    """The year that the server's log has last written."""
    return str(server.log_lines()[-1]["ts"])[:4]


def test_jumps_of_the_clock(start_server: StartServer, clock: Path, tmp_path: Path) -> None:
    server = start_server(workers=1, jobs_path=tmp_path / "jobs.sqlite", jobs_keep_seconds=40 * 86_400)
    picture = drawings.encode(tiny_model.draw("0123"))
    with httpx.Client(base_url=server.url, timeout=120) as client:
        jobs = []
        years = set()
        for offset in ("+0", "+30d", "-1000d", "+5d"):
            document = tiny_model.tiff(PAGES)
            jobs.append(client.post("/api/jobs?mode=line&format=text", content=document).json()["id"])
            clock.write_text(f"{offset}\n")
            for _ in range(3):
                answer = client.post("/api/ocr?mode=line", content=picture)
                assert (answer.status_code, answer.json()["text"]) == (200, "0123")
            years.add(year(server))
            for probe in ("livez", "readyz"):
                assert client.get(f"/{probe}").status_code == 200
        assert len(years) > 1, "the clock has not jumped"
        for job in jobs:
            until = time.monotonic() + 200
            while (state := client.get(f"/api/jobs/{job}").json()["state"]) not in ("done", "failed"):
                assert time.monotonic() < until, state
                time.sleep(0.1)
            assert state == "done"
            assert client.get(f"/api/jobs/{job}/result").text == tiny_model.text_of_tiff(PAGES)
    assert server.stop() == 0
