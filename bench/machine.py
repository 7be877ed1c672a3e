"""What a figure was measured on, and what a block of work cost."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ocrsvc.machine import cpu


def describe(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return the CPU, the cores, the versions of libraries, the load, the commit and the time.

    ``packages`` adds libraries. Those that are not installed are left out.
    """
    machine = cpu.inspect()
    versions = {}
    for name in ("onnxruntime", "numpy", "opencv-python-headless", *packages):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "cpu": machine.model,
        "flags": sorted(machine.flags),
        "cores": machine.effective,
        "python": platform.python_version(),
        **versions,
        "load_average": round(os.getloadavg()[0], 2),
        "commit": commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the commit of the checkout that holds ``folder``, or None outside a checkout.

    A ``+`` at the end says that tracked files differ from the commit.
    """
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=folder, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.returncode else "")


def repeat(run: Callable[[], object], seconds: float) -> tuple[int, float, float]:
    """Run again and again for at least this time, and return the runs and their wall and CPU seconds."""
    runs, cpu, begun = 0, time.process_time(), time.perf_counter()
    while not runs or time.perf_counter() - begun < seconds:
        run()
        runs += 1
    return runs, time.perf_counter() - begun, time.process_time() - cpu


class Measure:
    """Wall time, CPU time and peak memory of a block of this process: ``figures`` has them after the block."""

    def __enter__(self) -> Measure:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.figures = {
            "wall_seconds": time.perf_counter() - self._wall,
            "cpu_seconds": time.process_time() - self._cpu,
            "peak_megabytes": peak // (1024 * 1024 if sys.platform == "darwin" else 1024),
        }
