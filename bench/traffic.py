"""How much memory a batch touches, and how many cores a memory bandwidth feeds: the model of docs/scaling.md.

    python bench/traffic.py --model crnn --precision int8 --batches 1,4,8 --cache 0.5,1,4 --bandwidth 150

ONNX Runtime's profiler tells of every node of the graph that it really runs how many bytes went in and came out. A
node whose bytes fit the cache that a core has for itself is taken to find them there, any other to fetch and store
all of them in memory. Weights count once a batch, with the size of their file. "GB/s" is what one core asks of memory
then (time is CPU time of one core), "cores" how many of them the bandwidth feeds. Without --bandwidth that is what
copies on all cores reach here. Temporary buffers inside a node are not seen.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import machine
import numpy as np
import report
from cells import runner, session
from peers.own import manifest

from ocrsvc.models.manifest import Manifest

_RUNS = 5  # after one that warms up
_COPY_BYTES, _COPY_SECONDS = 2**26, 1.0


def main() -> None:
    options = parse(sys.argv[1:])
    spec = manifest(options.model)
    about = machine.describe()
    bandwidth = options.bandwidth or copy_bandwidth(about["cores"])
    weights = spec.files[options.precision].size
    rows = []
    for batch in options.batches:
        nodes, seconds = profile(spec, options.precision, batch, options.width)
        for cache in options.cache:
            beyond = weights * (weights > cache * 1e6) + sum(each for each in nodes if each > cache * 1e6)
            rows.append(
                {
                    "batch": batch,
                    "cache_megabytes": cache,
                    "cpu_ms_a_line": 1000 * seconds / batch,
                    "touched_megabytes_a_line": (sum(nodes) + weights) / batch / 1e6,
                    "largest_node_megabytes": max(nodes) / 1e6,
                    "fetched_megabytes_a_line": beyond / batch / 1e6,
                    "gigabytes_per_second_a_core": beyond / seconds / 1e9,
                    "cores": bandwidth / (beyond / seconds / 1e9) if beyond else None,
                }
            )
    document = {
        **about,
        "model": spec.name,
        "precision": options.precision,
        "width_pixels": options.width,
        "bandwidth_gigabytes_per_second": bandwidth,
        "bandwidth_from": "given" if options.bandwidth else "copies on all cores here",
        "rows": rows,
    }
    report.write(options.json, document)
    print(text(document, markdown=options.markdown))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = report.parser(__doc__, "traffic", rounds=0)
    add = parser.add_argument
    add("--model", default="crnn", help="a model's name or folder (default: crnn)")
    add("--precision", choices=["int8", "fp32"], default="fp32")
    add("--batches", type=report.numbers, default=[1, 4, 8], metavar="1,2,...")
    add("--width", type=report.positive, default=320, help="pixels (default: 320)")
    add(
        "--cache", type=_figures, default=[0.5, 1, 4], metavar="MB,...", help="of one core (default: 0.5,1,4)"
    )
    add("--bandwidth", type=float, metavar="GB/s", help="default: what copies on all cores reach here")
    return parser.parse_args(arguments)


def profile(spec: Manifest, precision: str, batch: int, width: int) -> tuple[list[int], float]:
    """Bytes in and out of each node that runs, and the CPU seconds of a run: the median of five."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"enable_profiling": True, "profile_file_prefix": str(Path(folder) / "profile")}
        opened = session(spec, precision, intra_op_num_threads=1, **settings)
        read = runner(opened, spec, batch, width)
        spent = []
        for _ in range(1 + _RUNS):
            begun = time.thread_time()
            read()
            spent.append(time.thread_time() - begun)
        events = json.loads(Path(opened.end_profiling()).read_text("utf-8"))
    nodes = [event["args"] for event in events if event["name"].endswith("_kernel_time")]
    last = nodes[-(len(nodes) // (1 + _RUNS)) :]
    return [int(node["activation_size"]) + int(node["output_size"]) for node in last], median(spent[1:])


def copy_bandwidth(threads: int) -> float:
    """GB/s, read and written, of all these threads copying arrays that no cache holds."""

    def copied(_: int) -> float:
        source, target = np.ones(_COPY_BYTES, np.uint8), np.zeros(_COPY_BYTES, np.uint8)
        begun, count = time.thread_time(), 0
        while time.thread_time() - begun < _COPY_SECONDS:
            np.copyto(target, source)
            count += 1
        return 2 * count * _COPY_BYTES / (time.thread_time() - begun)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(copied, range(threads))) / 1e9


def text(document: Mapping[str, Any], *, markdown: bool) -> str:
    """The table, with the machine and the bandwidth above it."""
    drawn = [
        [
            "batch",
            "CPU ms a line",
            "MB a line",
            "largest node MB",
            "cache MB",
            "beyond it MB a line",
            "GB/s",
            "cores",
        ]
    ]
    for row in document["rows"]:
        drawn.append(
            [
                str(row["batch"]),
                f"{row['cpu_ms_a_line']:.1f}",
                f"{row['touched_megabytes_a_line']:.1f}",
                f"{row['largest_node_megabytes']:.1f}",
                f"{row['cache_megabytes']:g}",
                f"{row['fetched_megabytes_a_line']:.1f}",
                f"{row['gigabytes_per_second_a_core']:.2f}",
                "any" if row["cores"] is None else f"{row['cores']:.0f}",
            ]
        )
    about = f"{document['model']} {document['precision']}, {document['width_pixels']} pixels wide; "
    bandwidth = f"{document['bandwidth_gigabytes_per_second']:.1f} GB/s ({document['bandwidth_from']})"
    return "\n".join(
        [about + report.machine_line(document), bandwidth, "", report.table(drawn, markdown=markdown)]
    )


def _figures(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
