"""Measures the speed of this machine and returns one document that users can share: `ocrsvc bench report`."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort

from ocrsvc import __version__
from ocrsvc.diagnosis.doctor import draw
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.providers import CPU
from ocrsvc.pages.source import Pixels
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.settings import Precision, Settings
from ocrsvc.text import fold

PRECISIONS: tuple[Precision, ...] = ("int8", "fp32")
BATCHES = (1, 4, 8, 16)
WIDTH = 320  # pixels of each measured line; the time does not depend on its content
PAGE = tuple(f"{number:02d} Invoice {1047 * number} Total {58.2 * number:.2f} EUR" for number in range(1, 25))

Tell = Callable[[Mapping[str, Any]], None]


def report(
    models: Sequence[Manifest],
    settings: Settings,
    cpu: Cpu,
    *,
    seconds: float,
    tell: Tell = lambda row: None,
) -> dict[str, Any]:
    """Measure each model in each precision by batch size, and pages with the settings in force; return a report.

    ``seconds``: time for each measurement; ``tell`` is called with each row when it is done. The report also describes
    the machine and the versions, but not the user, the host name or any path.
    """
    rows = []
    with ThreadPoolExecutor(cpu.effective) as pool:
        for spec in models:
            for precision in (each for each in PRECISIONS if each in spec.files):
                for row in _table(spec, precision, cpu, pool, seconds):
                    tell(row)
                    rows.append(row)
    pages = asyncio.run(_pages(settings, seconds))
    tell(pages)
    return {"format": 1, "machine": _machine(cpu), "lines": rows, "pages": pages}


def _machine(cpu: Cpu) -> dict[str, Any]:
    about = {**dataclasses.asdict(cpu), "flags": sorted(cpu.flags)}
    return {
        **about,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "memory_page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "load_average": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "ocrsvc": __version__,
        "python": platform.python_version(),
        "onnxruntime": ort.__version__,
        "providers": ort.get_available_providers(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _table(
    spec: Manifest, precision: Precision, cpu: Cpu, pool: ThreadPoolExecutor, seconds: float
) -> Iterator[dict[str, Any]]:
    """Yield lines per second by batch size, for one worker and for one worker on each core."""
    recogniser = Recogniser(spec, cpu=cpu, precision=precision, providers=[CPU])
    width = spec.buckets.of(min(WIDTH, spec.buckets.widest))
    line = np.random.default_rng(0).integers(0, 256, (spec.input.height, width, 3), dtype=np.uint8)
    for workers in sorted({1, cpu.effective}):
        for batch in BATCHES:
            lines = [line] * batch

            def timed(_: int, lines: list[Pixels] = lines) -> list[float]:
                recogniser.run(width, lines)
                return _runs(lambda: recogniser.run(width, lines), seconds)

            spent = [each for runs in pool.map(timed, range(workers)) for each in runs]
            yield {
                "model": spec.name,
                "digest": recogniser.id.digest,
                "precision": precision,
                "width_pixels": width,
                "workers": workers,
                "batch": batch,
                "ms_a_batch": round(1000 * median(spent), 3),
                "lines_per_second": round(workers * batch / median(spent), 2),
            }


def _runs(work: Callable[[], object], seconds: float) -> list[float]:
    """Return the seconds of each run, repeated for about ``seconds``."""
    spent: list[float] = []
    while sum(spent) < seconds:
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return spent


async def _pages(settings: Settings, seconds: float) -> dict[str, Any]:
    """Measure a drawn page of 24 lines (PNG) from bytes to text, one at a time and one for each core."""
    reader = Reader(settings)
    page, options = draw(PAGE), ReadOptions(mode="page")
    try:
        await reader.start()
        document = await reader.read(page, options)
        alone: list[float] = []
        while sum(alone) < seconds:
            begun = time.perf_counter()
            await reader.read(page, options)
            alone.append(time.perf_counter() - begun)
        at_once, count, begun = max(2, reader.cpu.effective), 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            await asyncio.gather(*(reader.read(page, options) for _ in range(at_once)))
            count += at_once
        rate = count / (time.perf_counter() - begun)
    finally:
        await reader.close()
    right = {fold(each) for each in PAGE} & {fold(each.text) for each in document.lines}
    return {
        "model": document.model.name,
        "digest": document.model.digest,
        "lines": len(PAGE),
        "lines_right": len(right),
        "ms_a_page_alone": round(1000 * median(alone), 1),
        "at_once": at_once,
        "pages_per_second": round(rate, 2),
    }
