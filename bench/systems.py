"""The services that take the same lines: ours, that of the blog posts, other frameworks; and the limit of them all."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnxruntime as ort
import serving
from load import request
from machine import repeat
from numpy.typing import NDArray
from peers.batches import plan
from peers.own import Own
from peers.recogniser import Picture

from ocrsvc.models import runtime
from ocrsvc.models.buckets import stack

LIMIT_ROWS = (1, 4, None)  # rows of a batch; None: as many as 40 ms hold

Build = Callable[[Sequence[bytes]], list[bytes]]  # requests from pictures
Start = Callable[[bytes], AbstractContextManager[serving.Server]]  # a running server; it answers the request


@dataclass(frozen=True)
class System:
    """A service under test. ``package`` is what it needs, "" for none. ``start`` gives it running and ready."""

    name: str
    about: str
    package: str
    requests: Build
    start: Start

    @property
    def missing(self) -> str | None:
        """Return why it cannot run here, with what to install, or None if it can."""
        if not self.package or importlib.util.find_spec(self.package.partition("[")[0]) is not None:
            return None
        return f"not installed: pip install '{self.package}'"


def listed(model: str, precision: str, workers: int, max_batch: int, wait_ms: int) -> dict[str, System]:
    """Return all systems by name. The naive one runs fp32, the others the same file as ours."""
    common = ["--model", model, "--workers", str(workers)]
    batching = ["--precision", precision, "--max-batch", str(max_batch), "--wait-ms", str(wait_ms)]

    def ours(processes: int) -> Start:
        each = workers // processes
        return lambda probe: serving.ours(processes=processes, model=model, precision=precision, workers=each)

    def peer(module: str, *arguments: str) -> Start:
        return lambda probe: serving.peer(module, [*common, *arguments], probe)

    def batched(title: str) -> str:
        return f"{title}, {precision}, batches of {max_batch}, {wait_ms} ms"

    blog = "Flask, one picture a request, 320 wide, fp32"
    found = [
        System("ours", f"ocrsvc, {precision}", "", raw("/api/ocr?mode=line"), ours(1)),
        System("naive", blog, "flask", raw("/ocr"), peer("naive_flask")),
        System("mosec", batched("mosec"), "mosec", raw("/inference"), peer("mosec_service", *batching)),
        System("litserve", batched("LitServe"), "litserve", in_json, peer("litserve_service", *batching)),
        System("ray", batched("Ray Serve"), "ray[serve]", raw("/"), peer("ray_service", *batching)),
    ]
    if workers > 1:
        about = f"{found[0].about}, a process for each worker"
        found.insert(1, System("processes", about, "", found[0].requests, ours(workers)))
    return {system.name: system for system in found}


def raw(path: str) -> Build:
    """Return a builder of requests to this path with the picture as the body."""
    return lambda files: [request(content, path=path) for content in files]


def in_json(files: Sequence[bytes]) -> list[bytes]:
    """Return requests with the picture as base64 in JSON, as LitServe wants them."""
    bodies = [json.dumps({"image": base64.b64encode(content).decode()}).encode() for content in files]
    return [request(body, path="/predict", content_type="application/json") for body in bodies]


class Raw:
    """The limit: nothing but ``session.run`` on ``workers`` threads.

    Lines are padded to their buckets and stacked into batches before the clock starts. The fastest of the batch sizes
    LIMIT_ROWS counts.
    """

    def __init__(self, model: str, precision: str, pictures: Sequence[Picture], workers: int) -> None:
        own = Own(model, precision)
        made = plan(own, pictures)
        self._lines, self._workers = len(pictures), workers
        self._session = runtime.open_session(own.spec.files[precision])
        shape = own.spec.input
        self._batches: dict[str, list[NDArray[np.uint8]]] = {}
        for rows in LIMIT_ROWS:
            arrays = []
            for batch in made.batches:
                step = rows or len(batch.pieces)
                for start in range(0, len(batch.pieces), step):
                    some = batch.pieces[start : start + step]
                    padded = stack(some, height=shape.height, width=batch.width, pad_value=shape.pad_value)
                    arrays.append(padded)
            self._batches["40 ms" if rows is None else f"{rows}"] = arrays
            self._read(arrays)  # the first run of a shape allocates

    def measure(self, seconds: float) -> dict[str, Any]:
        """Read all lines again and again for this long in all, and return the figures of the best size."""
        found = []
        for rows, batches in self._batches.items():
            runs, wall, cpu = repeat(partial(self._read, batches), seconds / len(self._batches))
            lines = runs * self._lines
            figures = {"lines_per_second": lines / wall, "cpu_ms_per_line": 1000 * cpu / lines}
            found.append(figures | {"rows": rows})
        return max(found, key=lambda limit: limit["lines_per_second"])

    def _read(self, batches: Sequence[NDArray[np.uint8]]) -> None:
        waiting = iter(batches)

        def work(_: int) -> None:
            for batch in waiting:  # all threads share the iterator: each batch is taken once
                self._run(batch)

        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(work, range(self._workers)))

    def _run(self, batch: NDArray[np.uint8]) -> list[ort.OrtValue]:
        return self._session.run(["indices", "probabilities"], {"pixels": batch})  # type: ignore[no-any-return]
