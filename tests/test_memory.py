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
from ocrsvc import memory
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


# Two blocks of 8 MB, freed and asked for again: pages that stay are not cleared by the kernel once more.
_AGAIN = """
import resource
import numpy as np
from ocrsvc import memory
if not memory.keep():
    print("no"); raise SystemExit
def work():
    blocks = [np.empty(8 << 20, np.uint8) for _ in range(2)]
    for block in blocks:
        block[::4096] = 1
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the page faults of Linux")
def test_kept_blocks_are_taken_again_without_page_faults() -> None:
    run = subprocess.run([sys.executable, "-c", _AGAIN], capture_output=True, text=True, check=True)
    if run.stdout.strip() == "no":
        pytest.skip("this C library has no mallopt")
    assert int(run.stdout) < 500  # nearly 10 000 without
