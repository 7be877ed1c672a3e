"""Pages read by ours and by RapidOCR, taking turns in one run, so that a busy machine slows all alike.

    python bench/pages.py DATA_DIR --limit 12 --engines crnn,crnn+ppocrv6-det-tiny,crnn-fast,rapidocr --json out.json

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/. An engine is a model of ours, with ``+DETECTOR`` behind it if
it shall be another than the model's own, or ``rapidocr``. Each runs in a process of its own, which reads a few pages
while the others wait; times are those of reading, without start and warm-up. Predictions are written beside the JSON
file, as OUT.ENGINE.jsonl. RapidOCR is left out where it is not installed (pip install --no-deps rapidocr).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import machine
import report

from ocrsvc.diagnosis import evaluation
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.settings import Settings

RAPIDOCR = "rapidocr"
IN_FLIGHT = 4  # pages that ours reads at once, as `ocrsvc read` does on two cores


def main() -> None:
    options = parse(sys.argv[1:])
    if options.worker:
        serve_rapidocr() if options.worker == RAPIDOCR else asyncio.run(serve_ours(options.worker))
        return
    found = evaluation.samples(options.data, options.limit)
    about = machine.describe(["rapidocr"])
    names = [name for name in options.engines if name != RAPIDOCR or importlib.util.find_spec("rapidocr")]
    if names != options.engines:
        print("rapidocr is not installed: left out (pip install --no-deps rapidocr)", file=sys.stderr)
    engines = {name: Engine(name, options.data) for name in names}
    chunks = [found[i : i + options.chunk] for i in range(0, len(found), options.chunk)]
    for turn, chunk in enumerate(chunks):
        for name in names if turn % 2 == 0 else reversed(names):
            engines[name].read([sample.path for sample in chunk])
        print(f"{min((turn + 1) * options.chunk, len(found))}/{len(found)}", end="\r", file=sys.stderr)
    figures = {name: engine.close() for name, engine in engines.items()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    for name, each in figures.items():
        rows = engines[name].rows
        path = options.json.with_suffix(f".{name.replace('/', '_')}.jsonl")
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        texts = {sample.key: row["text"] for sample, row in zip(found, rows, strict=True)}
        each["pages_per_second"] = round(len(found) / each["wall_seconds"], 2)
        each["scores"] = {row.source: row.values for row in evaluation.score("pages", found, texts)}
    document = {"pages": len(found), "limit": options.limit, **about, "engines": figures}
    report.write(options.json, document)
    print(text(document, markdown=options.markdown))
    if options.plot:
        draw(options.plot, document)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = report.parser(__doc__, "pages", rounds=0, plot=True)
    add = parser.add_argument
    add("data", type=Path, metavar="DATA_DIR")
    add("--limit", type=report.positive, help="pages of each source, always the same ones")
    add("--engines", type=lambda names: names.split(","), default=["crnn", RAPIDOCR], metavar="NAME,NAME")
    add("--chunk", type=report.positive, default=12, help="pages that one reads before the next one's turn")
    add("--worker", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def text(document: Mapping[str, Any], *, markdown: bool) -> str:
    """One row an engine; how many times RapidOCR's pages/s, where it took part."""
    head = f"{document['pages']} pages; {report.machine_line(document)}"
    rows = [["engine", "pages/s", "x RapidOCR", "wall s", "CPU s", "peak MB", "line recall", "character F1"]]
    peer = document["engines"].get(RAPIDOCR)
    for figures in document["engines"].values():
        mean = figures["scores"]["MEAN"]
        times = peer["wall_seconds"] / figures["wall_seconds"] if peer else float("nan")
        rows.append(
            [
                figures["name"],
                f"{figures['pages_per_second']:.2f}",
                f"{times:.2f}",
                f"{figures['wall_seconds']:.1f}",
                f"{figures['cpu_seconds']:.1f}",
                f"{figures['peak_megabytes']}",
                f"{mean['line_recall']:.4f}",
                f"{mean.get('char_f1', float('nan')):.4f}",
            ]
        )
    return f"{head}\n\n{report.table(rows, markdown=markdown)}"


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Pages/s and line recall of each engine."""
    engines = document["engines"].values()
    speed = {figures["name"]: {"": figures["pages_per_second"]} for figures in engines}
    recall = {figures["name"]: {"": figures["scores"]["MEAN"]["line_recall"]} for figures in engines}
    title = f"{document['pages']} pages, {document['cores']} cores of {document['cpu']}"
    report.bars(path, [("pages/s", speed), ("line recall", recall)], title=title)


class Engine:
    """A worker process that reads pages when asked to."""

    def __init__(self, name: str, data: Path) -> None:
        self.rows: list[dict[str, Any]] = []
        self._wall = self._cpu = 0.0
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(data), "--worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._about = self._answer()

    def read(self, paths: Sequence[Path]) -> None:
        """Let it read these pages and add what that cost."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(path) for path in paths]) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.rows += answer["rows"]
        self._wall += answer["wall_seconds"]
        self._cpu += answer["cpu_seconds"]
        self._about["peak_megabytes"] = answer["peak_megabytes"]

    def close(self) -> dict[str, Any]:
        """End the process; what it did in figures."""
        assert self._process.stdin is not None
        with self._process:  # which closes its pipes
            self._process.stdin.close()
            self._process.wait(timeout=60)
        return {**self._about, "wall_seconds": round(self._wall, 2), "cpu_seconds": round(self._cpu, 2)}

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a worker ended early; its message is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


async def serve_ours(engine: str) -> None:
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


def serve_rapidocr() -> None:
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "error"})
    engine(str(Path(__file__).parents[1] / "docs" / "page.png"))  # its models are loaded at the first picture
    say({"name": f"RapidOCR {importlib.metadata.version('rapidocr')}"})
    for line in sys.stdin:
        with machine.Measure() as measure:
            rows = []
            for path in json.loads(line):
                result: Any = engine(path)
                rows.append(row(path, list(zip(result.txts or (), result.scores or (), strict=True))))
        say({"rows": rows, **measure.figures})


def row(path: str, lines: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """One prediction, as the scoring scripts read them."""
    texts = [{"text": text, "confidence": round(float(confidence), 4)} for text, confidence in lines]
    return {"file": path, "text": "\n".join(text for text, _ in lines), "lines": texts}


def say(answer: dict[str, Any]) -> None:
    """Answer to the process that asked, alone on its line."""
    print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
