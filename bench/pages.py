"""How fast and how right ours and other engines read pages, in turns, so that a busy machine slows all alike.

    python bench/pages.py DATA_DIR --limit 12 --engines crnn,crnn+ppocrv6-det-tiny,crnn-fast,rapidocr --json out.json
    python bench/pages.py DATA_DIR --engines crnn,faster-paddle-small --python faster-paddle-small=venv/bin/python

An engine is a model of ours (``MODEL+DETECTOR`` takes another detector than the model's own) or one of
``peers/page_engines.py``. Each runs in a process of its own, which reads a few pages while the others wait;
``--python`` names the Python in which an engine is installed that cannot be beside others. Times are those of reading,
without start and warm-up. What each engine read is written beside the JSON file, as OUT.ENGINE.jsonl. RapidOCR is left
out where it is not installed (pip install --no-deps rapidocr).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
import machine
import onnxruntime
import plots
from peers import page_engines
from peers.page_engines import row, say

from ocrsvc.diagnosis import evaluation
from ocrsvc.models.wheels import WheelFile
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.settings import Settings

RAPIDOCR, RAPIDOCR_LITE = "rapidocr", "rapidocrlite"
IN_FLIGHT = 4  # pages that ours reads at once, as `ocrsvc read` does on two cores


def main() -> None:
    options = parse()
    if options.worker:
        asyncio.run(serve_ours(options.worker))
        return
    head = harness.head(options, ["rapidocr"])
    found = evaluation.samples(options.data, options.limit)
    pythons = dict(each.split("=", 1) for each in options.python)
    has_rapidocr = RAPIDOCR in pythons or importlib.util.find_spec("rapidocr")
    names = [name for name in options.engines if name != RAPIDOCR or has_rapidocr]
    if names != options.engines:
        print("rapidocr is not installed: left out (pip install --no-deps rapidocr)", file=sys.stderr)
    engines = {name: Engine(name, options.data, pythons) for name in names}
    chunks = [found[i : i + options.chunk] for i in range(0, len(found), options.chunk)]
    harness.take_turns(engines, len(chunks), lambda name, turn: engines[name].read(chunks[turn]))
    figures = {name: engine.close() | score(found, engine.rows) for name, engine in engines.items()}
    document = {**head, "pages": len(found), "engines": figures}
    for each in figures.values():
        each["pages_per_second"] = round(len(found) / each["wall_seconds"], 2)
    for name, engine in engines.items():
        harness.write_lines(options.json.with_suffix(f".{name.replace('/', '_')}.jsonl"), engine.rows)
    harness.finish(options, document, parts(document), draw)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "pages", data=True, plot=True)
    add = parser.add_argument
    add("--engines", type=harness.names, default=["crnn", RAPIDOCR], metavar="NAME,NAME")
    add("--chunk", type=harness.positive, default=12, help="pages that one reads before the next one's turn")
    add("--python", nargs="*", default=[], metavar="ENGINE=PYTHON", help="where another engine is installed")
    add("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def score(found: Sequence[evaluation.Sample], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how right the pages were read, by source."""
    texts = {sample.key: row["text"] for sample, row in zip(found, rows, strict=True)}
    return {"scores": {row.source: row.values for row in evaluation.score("pages", found, texts)}}


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return a row for each engine, with how many times RapidOCR's pages/s it reads."""
    rows = [["engine", "pages/s", "x RapidOCR", "wall s", "CPU s", "peak MB", "line recall", "character F1"]]
    peer = document["engines"].get(RAPIDOCR)
    for figures in document["engines"].values():
        wall, mean = figures["wall_seconds"], figures["scores"]["MEAN"]
        rows.append(
            [
                figures["name"],
                f"{figures['pages_per_second']:.2f}",
                f"{peer['wall_seconds'] / wall:.2f}" if peer else "-",
                f"{wall:.1f}",
                f"{figures['cpu_seconds']:.1f}",
                f"{figures['peak_megabytes']}",
                f"{mean['line_recall']:.4f}",
                f"{mean['char_f1']:.4f}" if "char_f1" in mean else "-",
            ]
        )
    return [f"{document['pages']} pages", rows]


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Draw pages/s and line recall of each engine."""
    engines = document["engines"].values()
    speed = {figures["name"]: {"": figures["pages_per_second"]} for figures in engines}
    recall = {figures["name"]: {"": figures["scores"]["MEAN"]["line_recall"]} for figures in engines}
    title = f"{document['pages']} pages, {document['cores']} cores of {document['cpu']}"
    plots.bars(path, [("pages/s", speed), ("line recall", recall)], title=title)


class Engine:
    """A worker process that reads pages when asked to. ``rows`` has what it read."""

    def __init__(self, name: str, data: Path, pythons: Mapping[str, str]) -> None:
        self.rows: list[dict[str, Any]] = []
        self._wall = self._cpu = 0.0
        command = [sys.executable, __file__, str(data), "--worker", name]
        if name in page_engines.ENGINES:
            command = [pythons.get(name, sys.executable), page_engines.__file__, name]
        self._folder = tempfile.TemporaryDirectory()
        more = models_of_rapidocr(Path(self._folder.name)) if name == RAPIDOCR_LITE else {}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8", env=os.environ | more
        )
        self._about = self._answer()

    def read(self, samples: Sequence[evaluation.Sample]) -> None:
        """Let it read these pages, and add what that cost."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(sample.path) for sample in samples]) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.rows += answer["rows"]
        self._wall += answer["wall_seconds"]
        self._cpu += answer["cpu_seconds"]
        self._about["peak_megabytes"] = answer["peak_megabytes"]

    def close(self) -> dict[str, Any]:
        """End the process, and return what it is and what it cost."""
        assert self._process.stdin is not None
        with self._process:  # which closes its pipes
            self._process.stdin.close()
            self._process.wait(timeout=60)
        self._folder.cleanup()
        return {**self._about, "wall_seconds": round(self._wall, 2), "cpu_seconds": round(self._cpu, 2)}

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a worker ended early; its message is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


async def serve_ours(engine: str) -> None:
    """Read pages with a model of ours for the process that asks."""
    model, _, detector = engine.partition("+")
    settings = Settings(model=model, detector=detector or None, deadline_seconds=3600, max_queue_seconds=3600)
    reader = Reader(settings)
    await reader.start()
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(path: str) -> dict[str, Any]:
        async with gate:
            data = await asyncio.to_thread(Path(path).read_bytes)
            document = await reader.read(data, ReadOptions(mode="page"))
        return row(path, [(line.text, line.confidence) for line in document.lines])

    say({"name": f"{model}, {reader.sessions.detector.spec.name}"})
    while line := await asyncio.to_thread(sys.stdin.readline):
        with machine.Measure() as measure:
            rows = await asyncio.gather(*map(one, json.loads(line)))
        say({"rows": rows, **measure.figures})
    await reader.close()


def models_of_rapidocr(folder: Path) -> dict[str, str]:
    """Return where the models of RapidOCR's wheel are, and a file with their characters in ``folder``."""
    recogniser = WheelFile("rapidocr", "models/PP-OCRv6_rec_small.onnx", "rapidocr==3.10.0").path("RapidOCR")
    session = onnxruntime.InferenceSession(str(recogniser), providers=["CPUExecutionProvider"])
    keys = folder / "keys.txt"
    keys.write_text(session.get_modelmeta().custom_metadata_map["character"], encoding="utf-8")
    return {"RAPIDOCR_MODELS": str(recogniser.parent), "RAPIDOCR_KEYS": str(keys)}


if __name__ == "__main__":
    main()
