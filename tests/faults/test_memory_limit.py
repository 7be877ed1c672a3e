"""A server in a real group with a memory limit: files that ask for gigabytes are refused, and the server lives."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import drawings
import httpx
import pytest
import tiny_model
from PIL import Image
from running_server import launch

pytestmark = pytest.mark.timeout(600)

LIMIT_BYTES = 700 << 20
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@pytest.fixture
def group() -> Iterator[Path]:
    """A group of its own with the limit, for which this machine must let us make one."""
    root = V1 if V1.is_dir() else V2
    folder = root / f"ocrsvc-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no group can be made: {error}")
    try:
        name = "memory.limit_in_bytes" if root == V1 else "memory.max"
        if not (folder / name).exists():
            pytest.skip("the groups here have no limit on memory")
        (folder / name).write_text(str(LIMIT_BYTES))
        yield folder
    finally:
        until = time.monotonic() + 30
        while folder.exists() and time.monotonic() < until:  # until the last process has gone
            with contextlib.suppress(OSError):
                folder.rmdir()
            time.sleep(0.1)


def large(kind: str, side: int, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side), 255).save(buffer, kind, **options)
    return buffer.getvalue()


def test_files_that_ask_for_gigabytes(group: Path, tmp_path: Path, models_dir: Path) -> None:
    enter = f'echo $$ > "{group}/cgroup.procs" && exec "$0" -m ocrsvc serve'
    command = ["sh", "-c", enter, sys.executable]
    chosen = {"model": "tiny", "models_dir": models_dir, "detector_side_pixels": 320, "workers": 1}
    bombs = [
        drawings.nested_pdf(),
        large("PNG", 7_900, compress_level=1),
        large("TIFF", 7_000, compression="tiff_adobe_deflate"),
        drawings.nested_pdf(depth=6),
        large("PNG", 7_800, compress_level=1),
    ]
    line = drawings.encode(tiny_model.draw("0123"))
    with launch(tmp_path, command=command, decode_seconds=5, **chosen) as server:
        server.wait_until_ready()
        url = f"{server.url}/api/ocr?mode=line"
        with httpx.Client(timeout=200) as client, ThreadPoolExecutor(len(bombs)) as pool:
            attacks = [pool.submit(client.post, url, content=bomb) for bomb in bombs]
            while not all(attack.done() for attack in attacks):
                answer = client.post(url, content=line)
                assert (answer.status_code, answer.json().get("text")) == (200, "0123")
            statuses = [attack.result().status_code for attack in attacks]
            assert set(statuses) <= {200, 422, 503}, statuses
            assert client.post(url, content=line).json()["text"] == "0123"
        assert server.process.poll() is None, "at worst the kernel takes a decoder, which says so to it"
