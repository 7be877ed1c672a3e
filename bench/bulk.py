"""``ocrsvc bulk`` on this machine: one actor against two, and both against ``ocrsvc read`` on the same drawn scans.

The time of a bulk run is that from its listing to its end: Ray's own start is a column of its own. CPU seconds are
those of the command and of all processes below it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import harness
import long_documents
import psutil
import serving

_PAGES = 2  # of each scan
_LOOK_SECONDS = 0.2


class Tree(threading.Thread):
    """Adds up the CPU time of a process and of all below it, those that have ended included."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._seconds: dict[tuple[int, float], float] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until ``stop``."""
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                every = serving.tree(self._root)
            except psutil.Error:
                return
            for each in every:
                try:
                    spent = each.cpu_times()
                    self._seconds[each.pid, each.create_time()] = spent.user + spent.system
                except psutil.Error:
                    continue

    def stop(self) -> float:
        """Return the CPU seconds that were seen."""
        self._ended.set()
        self.join()
        return sum(self._seconds.values())


def run(command: list[str], workers: int, model: str) -> dict[str, Any]:
    """Return what a command cost; ``seconds`` counts from its first line on standard error, if it has one."""
    environment = {**os.environ, "OCRSVC_WORKERS": str(workers), "OCRSVC_MODEL": model}
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ocrsvc", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    tree = Tree(process.pid)
    tree.start()
    assert process.stderr is not None
    planned: float | None = None
    lines = []
    for line in process.stderr:
        planned = planned or time.perf_counter()
        lines.append(line)
    status = process.wait()
    ended = time.perf_counter()
    if status:
        raise SystemExit("".join(lines))
    start = (planned or begun) if command[0] == "bulk" else begun
    return {"start_seconds": start - begun, "seconds": ended - start, "cpu_seconds": tree.stop()}


def turn(name: str, scans: Path, model: str) -> dict[str, Any]:
    """Return the figures of one way to read the scans; ``name`` ends in the number of cores."""
    way, cores = name.split()
    with tempfile.TemporaryDirectory() as folder:
        results = str(Path(folder, "out"))
        if way == "read":
            command = ["read", str(scans), "--format", "jsonl", "--output", f"{results}.jsonl"]
            return run(command, int(cores), model)
        command = ["bulk", str(scans), results, "--format", "jsonl", "--cores", "1", "--actors", cores]
        return run([*command, "--address", "local"], 1, model)


def main() -> None:
    """Draw the scans, read them in turns, and report."""
    parser = harness.parser(__doc__, "bulk", rounds=1, model=True)
    parser.add_argument("--files", type=harness.positive, default=40, help="scans (default: %(default)s)")
    options = parser.parse_args()
    document = harness.head(options, ["ray", "pyarrow"])
    names = ["read 1", "read 2", "bulk 1", "bulk 2"]
    with tempfile.TemporaryDirectory() as folder:
        scans = Path(folder)
        scan = long_documents.drawn("tiff", _PAGES)
        for number in range(options.files):
            (scans / f"{number:05}.tiff").write_bytes(scan)
        turns = harness.take_turns(names, options.rounds, lambda name, _: turn(name, scans, options.model))
    document["turns"] = turns
    figures = ("start_seconds", "seconds", "cpu_seconds")
    median = {
        name: {each: sorted(row[name][each] for row in turns)[len(turns) // 2] for each in figures}
        for name in names
    }
    pages = options.files * _PAGES
    document |= {
        "pages": pages,
        "median": median,
        "speed_up_of_two_actors": median["bulk 1"]["seconds"] / median["bulk 2"]["seconds"],
        "cpu_of_bulk_over_read": median["bulk 1"]["cpu_seconds"] / median["read 1"]["cpu_seconds"],
    }
    rows = [["command, cores", "start s", "reading s", "CPU s", "CPU ms a page"]]
    for name in names:
        mine = median[name]
        each = mine["cpu_seconds"] / pages * 1000
        rows.append([name, *(f"{mine[figure]:.1f}" for figure in figures), f"{each:.0f}"])
    ratios = {key: round(value, 2) for key, value in document.items() if key.endswith(("actors", "read"))}
    harness.finish(options, document, [rows, json.dumps(ratios)])


if __name__ == "__main__":
    main()
