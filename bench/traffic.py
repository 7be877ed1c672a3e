"""How much memory a batch touches, and how many cores a memory bandwidth feeds: the model of docs/scaling.md.

    python bench/traffic.py --model crnn --precision int8 --batches 1,4,8 --cache 0.5,1,4 --bandwidth 150

ONNX Runtime's profiler tells for each node of the graph that runs how many bytes go in and come out. If these bytes
fit the cache that a core has for itself, the node is taken to find them there. If not, it is taken to fetch and store
all of them in memory. Weights count once a batch, with the size of their file. "GB/s" is what one core then asks of
memory (time is CPU time of one core), and "cores" how many of them the bandwidth feeds. Without --bandwidth that is
what copies on all cores reach here. Temporary buffers inside a node are not seen.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import harness
import numpy as np
from cells import runner, session
from peers.own import manifest

from ocrsvc.models.manifest import Manifest

_RUNS = 5  # after one that warms up
_COPY_BYTES, _COPY_SECONDS = 2**26, 1.0
# Title of a column, field of a row, format.
_COLUMNS = (
    ("batch", "batch", "d"),
    ("CPU ms a line", "cpu_ms_a_line", ".1f"),
    ("MB a line", "touched_megabytes_a_line", ".1f"),
    ("largest node MB", "largest_node_megabytes", ".1f"),
    ("cache MB", "cache_megabytes", "g"),
    ("beyond it MB a line", "fetched_megabytes_a_line", ".1f"),
    ("GB/s", "gigabytes_per_second_a_core", ".2f"),
    ("cores", "cores", ".0f"),
)


def main() -> None:
    options = parse()
    spec = manifest(options.model)
    head = harness.head(options)
    bandwidth = options.bandwidth or copy_bandwidth(head["cores"])
    rows = []
    for batch in options.batches:
        nodes, seconds = profile(spec, options.precision, batch, options.width)
        weights = spec.files[options.precision].size
        rows += [traffic(batch, nodes, weights, seconds, cache, bandwidth) for cache in options.cache]
    document = {
        **head,
        "bandwidth_gigabytes_per_second": bandwidth,
        "bandwidth_from": "given" if options.bandwidth else "copies on all cores here",
        "rows": rows,
    }
    harness.finish(options, document, parts(document))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "traffic", model=True, precision="fp32")
    add = parser.add_argument
    add("--batches", type=harness.numbers, default=[1, 4, 8], metavar="1,2,...")
    add("--width", type=harness.positive, default=320, help="pixels (default: %(default)s)")
    sizes = "of one core (default: 0.5,1,4)"
    add("--cache", type=_figures, default=[0.5, 1, 4], metavar="MB,...", help=sizes)
    add("--bandwidth", type=float, metavar="GB/s", help="default: what copies on all cores reach here")
    return parser.parse_args()


def profile(spec: Manifest, precision: str, batch: int, width: int) -> tuple[list[int], float]:
    """Return the bytes in and out of each node that runs, and the median CPU seconds of five runs."""
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


def traffic(
    batch: int, nodes: list[int], weights: int, seconds: float, cache: float, bandwidth: float
) -> dict[str, Any]:
    """Return what a batch asks of memory where a core has a cache of this many MB."""
    beyond = sum(each for each in (weights, *nodes) if each > cache * 1e6)
    rate = beyond / seconds / 1e9
    return {
        "batch": batch,
        "cache_megabytes": cache,
        "cpu_ms_a_line": 1000 * seconds / batch,
        "touched_megabytes_a_line": (sum(nodes) + weights) / batch / 1e6,
        "largest_node_megabytes": max(nodes) / 1e6,
        "fetched_megabytes_a_line": beyond / batch / 1e6,
        "gigabytes_per_second_a_core": rate,
        "cores": bandwidth / rate if beyond else None,
    }


def copy_bandwidth(threads: int) -> float:
    """Return the GB/s, read and written, of all these threads copying arrays that no cache holds."""

    def copied(_: int) -> float:
        source, target = np.ones(_COPY_BYTES, np.uint8), np.zeros(_COPY_BYTES, np.uint8)
        begun, count = time.thread_time(), 0
        while time.thread_time() - begun < _COPY_SECONDS:
            np.copyto(target, source)
            count += 1
        return 2 * count * _COPY_BYTES / (time.thread_time() - begun)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(copied, range(threads))) / 1e9


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return what was read, the bandwidth and the table."""
    options = document["options"]
    rows = [[title for title, _, _ in _COLUMNS]]
    for row in document["rows"]:
        rows.append(["any" if row[key] is None else f"{row[key]:{form}}" for _, key, form in _COLUMNS])
    about = f"{options['model']} {options['precision']}, {options['width']} pixels wide"
    bandwidth = f"{document['bandwidth_gigabytes_per_second']:.1f} GB/s ({document['bandwidth_from']})"
    return [f"{about}\n{bandwidth}", rows]


def _figures(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
