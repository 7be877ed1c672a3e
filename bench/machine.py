"""What a figure was measured on, and what a block of work cost: for every script beside this one."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ocrsvc.machine import cpu


def describe(packages: Iterable[str] = ()) -> dict[str, Any]:
    """CPU, cores, versions, load and commit of this run, for its JSON file; ``packages`` that are not installed
    are left out."""
    machine = cpu.inspect()
    return {
        "cpu": machine.model,
        "flags": sorted(machine.flags),
        "cores": machine.effective,
        "python": platform.python_version(),
        **versions(("onnxruntime", "numpy", "opencv-python-headless", *packages)),
        "load_average": round(os.getloadavg()[0], 2),
        "commit": commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those of these packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """The commit of the checkout that holds ``folder``, with ``+`` behind it if tracked files differ from it; None
    outside a checkout."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=folder, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.returncode else "")


class Measure:
    """Wall time, processor time and peak memory of a block of this process."""

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
