"""What batches and threads bring on a CPU: the table that blog posts about CRNN services print, for our models.

    python bench/batch_table.py --model crnn --precision int8 --json out.json --plot out.svg

Each cell runs one shape (batch x width, random pixels) again and again for --seconds; cells take turns, in an order
that turns from round to round, and medians over the rounds are printed. "N threads" is one session with N intra-op
threads that reads one batch after the other; "N workers" is one session of one thread that N threads run at once,
as serving does. Then four claims of the blog posts, each with what was measured: a claim counts as confirmed if at
least four fifths of its gain are there.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import events
import machine
import numpy as np
import onnxruntime as ort
import report
from lines import order, spread
from peers.own import manifest

from ocrsvc.manifest import Manifest

Run = Callable[[], object]

BATCHES = (1, 2, 4, 8, 16, 32)
EVENT = "cache-misses"
_ENOUGH = 0.8  # of a claimed gain
_OUTPUTS = ["indices", "probabilities"]
_BLOG_THREADS = 14
_HELPS = 1.05  # what the claim that something "helps" is taken to promise


@dataclass(frozen=True)
class Cell:
    """One place of the table: ``run`` reads ``lines`` lines with ``threads`` threads in all."""

    way: str
    batch: int
    lines: int
    run: Run


def main() -> None:
    options = parse(sys.argv[1:])
    spec = manifest(options.model)
    about = machine.describe(["torch"])
    threads = options.threads or sorted({1, about["cores"]})
    with ThreadPoolExecutor(max(threads)) as pool:
        cells = table_cells(spec, options.precision, options.batches, threads, options.width, pool)
        rows = measure(cells, options.rounds, options.seconds, about["cores"])
        claims = claim_cells(spec, options.precision, max(threads), options.width)
        timed = measure(claims, options.rounds, options.seconds, about["cores"])
    document = {
        **about,
        "model": spec.name,
        "precision": options.precision,
        "width_pixels": options.width,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "rows": rows,
        "claim_rows": timed,
        "claims": claims_of(rows, timed, about["cores"]),
    }
    report.write(options.json, document)
    print(text(document, markdown=options.markdown))
    if options.plot:
        draw(options, document)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = report.parser(__doc__, "batch_table", rounds=7, plot=True)
    add = parser.add_argument
    add("--model", default="crnn", help="a model's name or folder (default: crnn)")
    add("--precision", choices=["int8", "fp32"], default="fp32")
    add("--batches", type=report.numbers, default=list(BATCHES), metavar="1,2,...")
    add("--threads", type=report.numbers, metavar="1,2,...", help="default: 1 and all effective cores")
    add("--width", type=report.positive, default=320, help="pixels (default: 320)")
    add("--seconds", type=float, default=0.4, help="of each cell in each round (default: 0.4)")
    return parser.parse_args(arguments)


def session(spec: Manifest, precision: str, **settings: Any) -> ort.InferenceSession:
    """A session of this model with these SessionOptions and ORT's defaults for all others."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    for name, value in settings.items():
        setattr(options, name, value)
    return ort.InferenceSession(spec.files[precision].read(), options, providers=["CPUExecutionProvider"])


def pixels(spec: Manifest, batch: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Random lines."""
    return np.random.default_rng(0).integers(0, 256, (batch, spec.input.height, width, 3), dtype=np.uint8)


def runner(opened: ort.InferenceSession, spec: Manifest, batch: int, width: int) -> Run:
    """Reads one batch."""
    feed = {"pixels": pixels(spec, batch, width)}
    return lambda: opened.run(_OUTPUTS, feed)


def table_cells(
    spec: Manifest,
    precision: str,
    batches: Sequence[int],
    threads: Sequence[int],
    width: int,
    pool: ThreadPoolExecutor,
) -> list[Cell]:
    """Every batch by every way to use the cores."""
    one = session(spec, precision, intra_op_num_threads=1)
    cells = []
    for count in threads:
        opened = one if count == 1 else session(spec, precision, intra_op_num_threads=count)
        name = "1 thread" if count == 1 else f"{count} threads"
        cells += [Cell(name, batch, batch, runner(opened, spec, batch, width)) for batch in batches]
    for count in (count for count in threads if count > 1):
        for batch in batches:
            read = runner(one, spec, batch, width)
            cells.append(Cell(f"{count} workers", batch, count * batch, _at_once(pool, count, read)))
    return cells


def _at_once(pool: ThreadPoolExecutor, count: int, read: Run) -> Run:
    """``count`` threads read the same batch at the same time."""
    return lambda: [each.result() for each in [pool.submit(read) for _ in range(count)]]


def claim_cells(spec: Manifest, precision: str, threads: int, width: int) -> list[Cell]:
    """What the claims compare, one line at a time: optimisation levels, execution modes, PyTorch."""
    levels, modes = ort.GraphOptimizationLevel, ort.ExecutionMode
    made = {
        "ORT_DISABLE_ALL": {"graph_optimization_level": levels.ORT_DISABLE_ALL, "intra_op_num_threads": 1},
        "ORT_ENABLE_BASIC": {"graph_optimization_level": levels.ORT_ENABLE_BASIC, "intra_op_num_threads": 1},
        "ORT_ENABLE_ALL": {"graph_optimization_level": levels.ORT_ENABLE_ALL, "intra_op_num_threads": 1},
        "ORT_SEQUENTIAL": {"intra_op_num_threads": threads},
        "ORT_PARALLEL 14/14": {
            "execution_mode": modes.ORT_PARALLEL,
            "intra_op_num_threads": _BLOG_THREADS,
            "inter_op_num_threads": _BLOG_THREADS,
        },
    }
    cells = [
        Cell(name, 1, 1, runner(session(spec, precision, **settings), spec, 1, width))
        for name, settings in made.items()
    ]
    return [*cells, *torch_cells(spec, width)]


def torch_cells(spec: Manifest, width: int) -> list[Cell]:
    """The same weights in fp32 in ORT and in PyTorch (eager, inference mode), one thread each; nothing without
    PyTorch or for a model that is none of our nets."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "onnx")):
        print("PyTorch is not compared: not installed (pip install 'ocrsvc[train]')", file=sys.stderr)
        return []
    import torch

    from ocrsvc.training.export import Serving
    from ocrsvc.training.weights import from_manifest

    try:
        serving = Serving(from_manifest(spec)).eval()
    except ValueError as error:
        print(f"PyTorch is not compared: {error}", file=sys.stderr)
        return []
    torch.set_num_threads(1)
    batch = torch.from_numpy(pixels(spec, 1, width))

    def read() -> object:
        with torch.inference_mode():
            return serving(batch)

    own = session(spec, "fp32", intra_op_num_threads=1)
    return [Cell("ORT fp32", 1, 1, runner(own, spec, 1, width)), Cell("PyTorch fp32", 1, 1, read)]


def measure(cells: Sequence[Cell], rounds: int, seconds: float, cores: int) -> list[dict[str, Any]]:
    """All cells in turns: latency of a run, lines/s and share of the cores of each; then events, once each."""
    for cell in cells:
        cell.run()
        cell.run()
    seen: dict[int, list[tuple[float, float, float]]] = {number: [] for number in range(len(cells))}
    for turn in range(rounds):
        for name in order([str(number) for number in seen], turn):
            cell = cells[int(name)]
            runs, wall, cpu = _timed(cell.run, seconds)
            seen[int(name)].append((1000 * wall / runs, runs * cell.lines / wall, 100 * cpu / wall / cores))
        print(f"round {turn + 1} of {rounds}", end="\r", file=sys.stderr)
    rows = []
    for number, cell in enumerate(cells):
        latency, rate, share = zip(*seen[number], strict=True)
        rows.append(
            {
                "way": cell.way,
                "batch": cell.batch,
                "latency_ms": spread(latency),
                "lines_per_second": spread(rate),
                "cpu_percent": spread(share)["median"],
                "rounds": [round(each, 2) for each in rate],
                "cache_misses_per_line": _misses(cell, seconds),
            }
        )
    return rows


def _timed(run: Run, seconds: float) -> tuple[int, float, float]:
    """Runs in at least this time, and their wall and CPU seconds."""
    runs, cpu, begun = 0, time.process_time(), time.perf_counter()
    while not runs or time.perf_counter() - begun < seconds:
        run()
        runs += 1
    return runs, time.perf_counter() - begun, time.process_time() - cpu


def _misses(cell: Cell, seconds: float) -> int | None:
    runs = 0

    def work() -> None:
        nonlocal runs
        runs, _, _ = _timed(cell.run, seconds)

    counted = events.count(EVENT, work)
    return None if counted is None else round(counted / (runs * cell.lines))


def claims_of(
    rows: Sequence[Mapping[str, Any]], timed: Sequence[Mapping[str, Any]], cores: int
) -> list[dict[str, Any]]:
    """Each claim, the gain in lines/s that it promises and the ratio measured, over the rounds."""
    rates = {row["way"]: row["rounds"] for row in timed}
    batched = {(row["way"], row["batch"]): row["rounds"] for row in rows}
    way = [name for name, _ in batched if "thread" in name][-1]  # one session on all cores, as theirs
    batches = sorted(batch for name, batch in batched if name == way)
    gains = {batch: ratio(batched[way, batch], batched[way, batches[0]]) for batch in batches}
    best = max(batches, key=lambda batch: gains[batch]["median"])

    def of(over: str, under: str) -> dict[str, float] | None:
        return ratio(rates[over], rates[under]) if over in rates and under in rates else None

    basic = ratio(rates["ORT_ENABLE_ALL"], rates["ORT_ENABLE_BASIC"])["median"]
    return [
        claim(
            "12x by batching",
            12.0,
            gains[batches[-1]],
            f"batch {batches[-1]} over batch {batches[0]}, {way}; best is batch {best}: {gains[best]['median']:.2f}",
        ),
        claim(
            "ORT_ENABLE_ALL -18 %",
            1 / 0.82,
            of("ORT_ENABLE_ALL", "ORT_DISABLE_ALL"),
            f"over ORT_DISABLE_ALL, 1 thread, one line; over ORT_ENABLE_BASIC: {basic:.2f}; it is ORT's default",
        ),
        claim(
            "ORT 1.8x PyTorch",
            1.8,
            of("ORT fp32", "PyTorch fp32"),
            "fp32, 1 thread, one line, PyTorch eager in inference mode",
        ),
        claim(
            "ORT_PARALLEL 14/14 threads helps",
            _HELPS,
            of("ORT_PARALLEL 14/14", "ORT_SEQUENTIAL"),
            f"over ORT_SEQUENTIAL with a thread for each of {cores} cores, one line; a twentieth counts as help",
        ),
    ]


def ratio(over: Sequence[float], under: Sequence[float]) -> dict[str, float]:
    """The ratio of each round, over all rounds."""
    return spread([a / b for a, b in zip(over, under, strict=True)])


def claim(name: str, promised: float, measured: dict[str, float] | None, how: str) -> dict[str, Any]:
    """A claim with its verdict by the median."""
    verdict = "not measured"
    if measured is not None:
        kept = measured["median"] - 1 >= _ENOUGH * (promised - 1)
        verdict = "confirmed" if kept else "refuted"
    return {
        "claim": name,
        "promised": round(promised, 3),
        "measured": measured,
        "verdict": verdict,
        "how": how,
    }


def text(document: Mapping[str, Any], *, markdown: bool) -> str:
    """Both tables, with the machine above them."""
    head = f"{document['model']} {document['precision']}, {document['width_pixels']} pixels wide; "
    return "\n".join(
        [
            head + report.machine_line(document),
            "",
            report.table(_rows([*document["rows"], *document["claim_rows"]]), markdown=markdown),
            "",
            report.table(_claims(document["claims"]), markdown=markdown),
        ]
    )


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    drawn = [
        ["way", "batch", "ms a run", "lines/s", "p10 - p90", "CPU % of all cores", "cache misses a line"]
    ]
    for row in rows:
        rate, misses = row["lines_per_second"], row["cache_misses_per_line"]
        drawn.append(
            [
                row["way"],
                str(row["batch"]),
                f"{row['latency_ms']['median']:.1f}",
                f"{rate['median']:.1f}",
                f"{rate['p10']:.1f} - {rate['p90']:.1f}",
                f"{row['cpu_percent']:.0f}",
                "perf cannot say" if misses is None else f"{misses}",
            ]
        )
    return drawn


def _claims(claims: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    drawn = [["claim", "promised", "measured (p10 - p90)", "verdict", "how"]]
    for each in claims:
        got = each["measured"]
        measured = "-" if got is None else f"x {got['median']:.2f} ({got['p10']:.2f} - {got['p90']:.2f})"
        drawn.append([each["claim"], f"x {each['promised']:.2f}", measured, each["verdict"], each["how"]])
    return drawn


def draw(options: argparse.Namespace, document: Mapping[str, Any]) -> None:
    """Lines/s and latency by batch."""
    panels = []
    for key, label in (("lines_per_second", "lines/s"), ("latency_ms", "ms a run")):
        series: dict[str, list[tuple[float, float]]] = {}
        for row in document["rows"]:
            series.setdefault(row["way"], []).append((row["batch"], row[key]["median"]))
        panels.append((label, "", series))
    title = f"{document['model']} {document['precision']}, {document['cores']} cores of {document['cpu']}"
    report.plot(options.plot, panels, x="batch", title=title, log=True)


if __name__ == "__main__":
    main()
