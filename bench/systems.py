"""The services that take the same lines: ours, that of the blog posts, other frameworks; and the limit of them all."""

from __future__ import annotations

import base64
import importlib.util
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
import serving
from load import request
from numpy.typing import NDArray
from peers.batches import plan
from peers.own import Own
from peers.recogniser import Picture

from ocrsvc.models import runtime
from ocrsvc.models.buckets import stack

LIMIT_ROWS = (1, 4, None)  # rows of a batch; None: as many as 40 ms hold


@dataclass(frozen=True)
class System:
    """A service under test; ``package`` is what it needs, "" for none. ``start`` gives it running and ready."""

    name: str
    about: str
    package: str
    requests: Callable[[Sequence[bytes]], list[bytes]]
    start: Callable[[bytes], AbstractContextManager[serving.Server]]

    @property
    def missing(self) -> str | None:
        """Why it cannot run here, with what to install; None if it can."""
        if not self.package or importlib.util.find_spec(self.package.partition("[")[0]) is not None:
            return None
        return f"not installed: pip install '{self.package}'"


@dataclass(frozen=True)
class Limit:
    """What the model alone can do: ``lines_per_second`` and CPU seconds a line of the best batch size."""

    lines_per_second: float
    cpu_ms_per_line: float
    rows: str


def listed(model: str, precision: str, workers: int, max_batch: int, wait_ms: int) -> dict[str, System]:
    """All systems by name. The naive one runs fp32, the others the same file as ours."""
    common = ["--model", model, "--workers", str(workers)]
    batching = ["--precision", precision, "--max-batch", str(max_batch), "--wait-ms", str(wait_ms)]

    def ours(probe: bytes) -> AbstractContextManager[serving.Server]:
        return serving.ours(model=model, precision=precision, workers=workers)

    def processes(probe: bytes) -> AbstractContextManager[serving.Server]:
        return serving.ours(processes=workers, model=model, precision=precision, workers=1)

    def peer(
        module: str, arguments: Sequence[str]
    ) -> Callable[[bytes], AbstractContextManager[serving.Server]]:
        return lambda probe: serving.peer(module, [*common, *arguments], probe)

    batched = f"{precision}, batches of {max_batch}, {wait_ms} ms"
    found = [
        System("ours", f"ocrsvc, {precision}", "", raw("/api/ocr?mode=line"), ours),
        System(
            "naive",
            "Flask, one picture a request, 320 wide, fp32",
            "flask",
            raw("/ocr"),
            peer("naive_flask", []),
        ),
        System("mosec", f"mosec, {batched}", "mosec", raw("/inference"), peer("mosec_service", batching)),
        System(
            "litserve",
            f"LitServe, {batched}",
            "litserve",
            _in_json("/predict"),
            peer("litserve_service", batching),
        ),
        System("ray", f"Ray Serve, {batched}", "ray[serve]", raw("/"), peer("ray_service", batching)),
    ]
    if workers > 1:
        about = f"ocrsvc, {precision}, a process for each worker"
        found.insert(1, System("processes", about, "", raw("/api/ocr?mode=line"), processes))
    return {system.name: system for system in found}


def raw(path: str) -> Callable[[Sequence[bytes]], list[bytes]]:
    """Requests with the picture as the body."""
    return lambda files: [request(content, path=path) for content in files]


def _in_json(path: str) -> Callable[[Sequence[bytes]], list[bytes]]:
    def build(files: Sequence[bytes]) -> list[bytes]:
        bodies = [json.dumps({"image": base64.b64encode(content).decode()}) for content in files]
        return [request(body.encode(), path=path, content_type="application/json") for body in bodies]

    return build


class Raw:
    """The limit: the lines padded to their buckets and stacked into batches before the clock starts, then nothing
    but ``session.run`` on ``workers`` threads. Of the sizes LIMIT_ROWS the one that is fastest counts."""

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
                    arrays.append(
                        stack(some, height=shape.height, width=batch.width, pad_value=shape.pad_value)
                    )
            self._batches["40 ms" if rows is None else f"{rows}"] = arrays
            self._read(arrays)  # the first run of a shape allocates

    def measure(self, seconds: float) -> Limit:
        """Read all lines again and again for this long with each size, and give the best."""
        found = []
        for rows, batches in self._batches.items():
            wall, cpu, lines = time.perf_counter(), time.process_time(), 0
            while not lines or time.perf_counter() - wall < seconds / len(self._batches):
                self._read(batches)
                lines += self._lines
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            found.append(Limit(lines / wall, 1000 * cpu / lines, rows))
        return max(found, key=lambda limit: limit.lines_per_second)

    def _read(self, batches: Sequence[NDArray[np.uint8]]) -> None:
        waiting, lock = iter(batches), threading.Lock()

        def work(_: int) -> None:
            while True:
                with lock:
                    batch = next(waiting, None)
                if batch is None:
                    return
                self._run(batch)

        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(work, range(self._workers)))

    def _run(self, batch: NDArray[np.uint8]) -> list[ort.OrtValue]:
        return self._session.run(["indices", "probabilities"], {"pixels": batch})  # type: ignore[no-any-return]
