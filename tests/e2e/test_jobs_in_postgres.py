"""A real server whose database of jobs is wrong, away or there: what it says, and never a password."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import tiny_model
from postgres_cluster import Cluster
from running_server import StartServer

pytestmark = pytest.mark.timeout(300)

PASSWORDS = ("open/sesame@1", "open%2Fsesame%401", "sesame")


def test_a_wrong_address_is_one_line() -> None:
    environment = {**os.environ, "OCRSVC_JOBS_DSN": "postgresql://reader:12/sesame@db/jobs"}
    done = subprocess.run(
        [sys.executable, "-m", "ocrsvc", "serve"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "OCRSVC_JOBS_DSN: no valid address of a database" in line
    assert "sesame" not in line


def test_the_database_comes_after_the_service(
    start_server: StartServer, postgres: Cluster, new_database: Callable[[], str], tmp_path: Path
) -> None:
    """At first the password is wrong; the file is put right while the service runs."""
    models = tiny_model.write_with_detector(tmp_path / "models")
    right = new_database()
    file = tmp_path / "dsn"
    file.write_text(right.replace("%401@", "%402@"))
    server = start_server(
        model="tiny", models_dir=models, workers=1, detector_side_pixels=320, jobs_dsn_file=file
    )
    server.wait_until_ready()
    with httpx.Client(base_url=server.url, timeout=60) as client:

        def add() -> httpx.Response:
            return client.post("/api/jobs?mode=line", content=tiny_model.tiff(2))

        refused = add()
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/job-store-unavailable")
        assert "refuses the user or the password" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) >= 1
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["jobs"]) == (200, "unavailable")
        read = client.post("/api/ocr?mode=line&format=text", content=tiny_model.tiff(2))
        assert (read.status_code, read.text) == (200, tiny_model.text_of_tiff(2))
        file.write_text(right)
        while (added := add()).status_code == 503:
            time.sleep(0.2)
        job = f"/api/jobs/{added.json()['id']}"
        while client.get(job).json()["state"] != "done":
            time.sleep(0.1)
        assert client.get(f"{job}/result?format=text").text == tiny_model.text_of_tiff(2)
        metrics = client.get("/metrics").text
        assert "ocrsvc_job_store_usable 1.0" in metrics
    log = server.log_text()
    (failure,) = [line for line in server.log_lines() if line["event"] == "the job store cannot be used"]
    assert failure["path"] == f"postgresql://127.0.0.1:{postgres.port}/{right.rpartition('/')[2]}"
    assert "password authentication failed" in failure["cause"]
    assert not any(password in text for password in PASSWORDS for text in (log, metrics))
