"""Claims of blog posts about CRNN services on CPUs, and what their gains come to here."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime as ort
from cells import Cell, pixels, runner, session
from harness import Spread, ratio

from ocrsvc.models.manifest import Manifest

_ENOUGH = 0.8  # of a claimed gain
_BLOG_THREADS = 14
_HELPS = 1.05  # what the claim that something "helps" is taken to promise


def claim_cells(spec: Manifest, precision: str, threads: int, width: int) -> list[Cell]:
    """Return what the claims compare, one line at a time: optimisation levels, execution modes, PyTorch."""
    made: dict[str, dict[str, Any]] = {}
    for name in ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_ALL"):
        level = getattr(ort.GraphOptimizationLevel, name)
        made[name] = {"graph_optimization_level": level, "intra_op_num_threads": 1}
    made["ORT_SEQUENTIAL"] = {"intra_op_num_threads": threads}
    made["ORT_PARALLEL 14/14"] = {
        "execution_mode": ort.ExecutionMode.ORT_PARALLEL,
        "intra_op_num_threads": _BLOG_THREADS,
        "inter_op_num_threads": _BLOG_THREADS,
    }
    cells = [
        Cell(name, 1, 1, runner(session(spec, precision, **settings), spec, 1, width))
        for name, settings in made.items()
    ]
    return [*cells, *torch_cells(spec, width)]


def torch_cells(spec: Manifest, width: int) -> list[Cell]:
    """Return the same weights in fp32 in ORT and in PyTorch (eager, inference mode), with one thread each.

    Return nothing without PyTorch or for a model that is none of our nets.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "onnx")):
        print("PyTorch is not compared: not installed (pip install 'ocrsvc[train]')", file=sys.stderr)
        return []
    import torch

    from ocrsvc.training.nets.weights import from_manifest
    from ocrsvc.training.packing.export import Serving

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


def claims_of(
    rows: Sequence[Mapping[str, Any]], timed: Sequence[Mapping[str, Any]], cores: int
) -> list[dict[str, Any]]:
    """Return each claim with the gain in lines/s that it promises and the ratio measured over the rounds."""
    rates = {row["way"]: row["rounds"] for row in timed}
    batched = {(row["way"], row["batch"]): row["rounds"] for row in rows}
    way = [name for name, _ in batched if "thread" in name][-1]  # one session on all cores, as theirs
    batches = sorted(batch for name, batch in batched if name == way)
    gains = {batch: ratio(batched[way, batch], batched[way, batches[0]]) for batch in batches}
    last, best = batches[-1], max(batches, key=lambda batch: gains[batch]["median"])

    def of(over: str, under: str) -> Spread | None:
        return ratio(rates[over], rates[under]) if over in rates and under in rates else None

    how = f"batch {last} over batch {batches[0]}, {way}; best is batch {best}: {gains[best]['median']:.2f}"
    found = [claim("12x by batching", 12.0, gains[last], how)]
    basic = ratio(rates["ORT_ENABLE_ALL"], rates["ORT_ENABLE_BASIC"])["median"]
    how = f"over ORT_DISABLE_ALL, 1 thread, one line; over ORT_ENABLE_BASIC: {basic:.2f}; it is ORT's default"
    found.append(claim("ORT_ENABLE_ALL -18 %", 1 / 0.82, of("ORT_ENABLE_ALL", "ORT_DISABLE_ALL"), how))
    how = "fp32, 1 thread, one line, PyTorch eager in inference mode"
    found.append(claim("ORT 1.8x PyTorch", 1.8, of("ORT fp32", "PyTorch fp32"), how))
    how = f"over ORT_SEQUENTIAL with a thread for each of {cores} cores, one line; a twentieth counts as help"
    parallel = of("ORT_PARALLEL 14/14", "ORT_SEQUENTIAL")
    return [*found, claim("ORT_PARALLEL 14/14 threads helps", _HELPS, parallel, how)]


def claim(name: str, promised: float, measured: Spread | None, how: str) -> dict[str, Any]:
    """Return a claim with its verdict by the median."""
    verdict = "not measured"
    if measured is not None:
        kept = measured["median"] - 1 >= _ENOUGH * (promised - 1)
        verdict = "confirmed" if kept else "refuted"
    figures = {"promised": round(promised, 3), "measured": measured}
    return {"claim": name, **figures, "verdict": verdict, "how": how}
