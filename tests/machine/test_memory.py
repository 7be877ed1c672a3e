"""Freed pictures leave the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own, because the settings of malloc are the process's. Blocks of 4 MB are freed on threads,
# the last one first kept, so that a heap could not shrink.
_SCRIPT = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from ocrsvc.machine import memory
if sys.argv[1] == "set" and not memory.give_back():
    print("no"); raise SystemExit
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
def work(_):
    blocks = [np.ones(4 << 20, np.uint8) for _ in range(8)]
    small = [bytearray(2000) for _ in range(3)]
    del blocks
    return small
before = resident()
with ThreadPoolExecutor(4) as pool:
    kept = [list(pool.map(work, range(12))) for _ in range(4)]
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_blocks_go_back() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _SCRIPT, "set"], capture_output=True, text=True, check=True
    ).stdout
    if shown.strip() == "no":
        pytest.skip("this C library has no mallopt")
    assert float(shown) < 12
