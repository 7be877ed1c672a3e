"""Events of the processor, such as cache misses, that ``perf stat`` counts while this process works."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

_FIELDS = 3  # of a line of `perf stat -x,`: the count, its unit, the event, and more


def count(event: str, work: Callable[[], object]) -> int | None:
    """Return how often ``event`` happened in all threads of this process while ``work`` ran.

    Return None where perf, its rights or the event are missing. Most virtual machines hide events of caches.
    """
    program = shutil.which("perf")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        order, answer, out = (Path(folder) / name for name in ("order", "answer", "out"))
        os.mkfifo(order)
        os.mkfifo(answer)
        watched = [program, "stat", "-x,", "-e", event, "-p", str(os.getpid())]
        told = ["-D", "-1", "--control", f"fifo:{order},{answer}", "-o", str(out)]
        nowhere = subprocess.DEVNULL
        perf = subprocess.Popen([*watched, *told], stdout=nowhere, stderr=nowhere)
        try:
            done = _between(perf, order, answer, work)
        finally:
            with contextlib.suppress(ProcessLookupError):
                perf.send_signal(signal.SIGINT)
            perf.wait()
        return parse(out.read_text("utf-8"), event) if done and out.is_file() else None


def _between(perf: subprocess.Popen[bytes], order: Path, answer: Path, work: Callable[[], object]) -> bool:
    """Do the work while perf counts. Return False, and do nothing, if perf has ended: it may not count, or cannot."""
    # Opened for both directions: otherwise this would wait for ever for a perf that has ended.
    with order.open("r+b", buffering=0) as orders, answer.open("r+b", buffering=0) as answers:
        for command, then in (("enable", work), ("disable", None)):
            orders.write(f"{command}\n".encode())
            os.set_blocking(answers.fileno(), False)
            while answers.read(16) is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    perf.wait(0.005)
                    return False
            if then is not None:
                then()
    return True


def parse(output: str, event: str) -> int | None:
    """Return the count in the output of ``perf stat -x,``, or None if the event was not counted."""
    for line in output.splitlines():
        fields = line.split(",")
        if len(fields) >= _FIELDS and fields[2].split(":")[0] == event and fields[0].isdigit():
            return int(fields[0])
    return None
