"""A log that cannot be written because its disk is full: requests do not depend on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import drawings
import httpx
import pytest
import serving
import tiny_model

pytestmark = pytest.mark.timeout(600)


def test_a_log_on_a_full_disk_stops_nobody(models_dir: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    port = serving.free_port()
    chosen = {
        "MODEL": "tiny",
        "MODELS_DIR": str(models_dir),
        "PORT": str(port),
        "DETECTOR_SIDE_PIXELS": "320",
    }
    environment = {**os.environ, **{f"OCRSVC_{name}": value for name, value in chosen.items()}}
    command = [sys.executable, "-m", "ocrsvc", "serve"]
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(command, stdout=full, stderr=full, env=environment)
    try:
        while not serving.is_ready(port):
            assert process.poll() is None
            time.sleep(0.1)
        picture = drawings.encode(tiny_model.draw("0123"))
        for _ in range(20):
            answer = httpx.post(f"http://127.0.0.1:{port}/api/ocr?mode=line", content=picture, timeout=60)
            assert (answer.status_code, answer.json()["text"]) == (200, "0123")
        assert httpx.post(f"http://127.0.0.1:{port}/api/ocr", content=b"?", timeout=60).status_code == 415
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
