"""Pages read by ours and by RapidOCR, alternately in one run, so that a busy machine slows both alike.

    python bench/pages.py DATA_DIR --limit 12 --json out.json

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/. Each engine runs in a process of its own, which reads a
few pages while the other one waits; times are those of reading, without start and warm-up. Predictions are
written beside the JSON file, as OUT.ours.jsonl and OUT.rapidocr.jsonl. RapidOCR is left out where it is not
installed (pip install --no-deps rapidocr).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine

from ocrsvc import evaluation
from ocrsvc.reader import open_reader
from ocrsvc.request import ReadOptions
from ocrsvc.settings import Settings

IN_FLIGHT = 4  # pages that ours reads at once, as `ocrsvc read` does on two cores


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, help="pages of each source, always the same ones")
    parser.add_argument("--json", type=Path, default=Path("bench/results/pages.json"), metavar="OUT")
    parser.add_argument("--model", default="crnn")
    parser.add_argument("--detector", help="default: what goes with the model")
    parser.add_argument(
        "--chunk", type=int, default=12, help="pages that one engine reads before the other's turn"
    )
    parser.add_argument("--only", choices=["ours", "rapidocr"])
    parser.add_argument("--worker", choices=["ours", "rapidocr"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        WORKERS[options.worker](options)
        return
    found = evaluation.samples(options.data, options.limit)
    about = machine.describe(["rapidocr"])
    names = [options.only] if options.only else ["ours", "rapidocr"]
    if "rapidocr" in names and importlib.util.find_spec("rapidocr") is None:
        print("rapidocr is not installed: left out (pip install --no-deps rapidocr)", file=sys.stderr)
        names.remove("rapidocr")
    engines = {name: Engine(name, sys.argv[1:]) for name in names}
    chunks = [found[i : i + options.chunk] for i in range(0, len(found), options.chunk)]
    for turn, chunk in enumerate(chunks):
        for name in names if turn % 2 == 0 else reversed(names):
            engines[name].read([sample.path for sample in chunk])
        print(f"{min((turn + 1) * options.chunk, len(found))}/{len(found)}", end="\r", file=sys.stderr)
    report = {name: engine.close() for name, engine in engines.items()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    for name, figures in report.items():
        rows = engines[name].rows
        path = options.json.with_suffix(f".{name}.jsonl")
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        texts = {sample.key: row["text"] for sample, row in zip(found, rows, strict=True)}
        figures["pages_per_second"] = round(len(found) / figures["wall_seconds"], 2)
        figures["scores"] = {row.source: row.values for row in evaluation.score("pages", found, texts)}
    result = {
        "pages": len(found),
        "limit": options.limit,
        **about,
        "engines": report,
    }
    options.json.write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    print_table(result)


def print_table(result: dict[str, Any]) -> None:
    print(
        f"{result['pages']} pages, {result['cores']} cores of {result['cpu']}, load {result['load_average']:.1f}"
    )
    head = ("wall s", "CPU s", "pages/s", "peak MB", "line_recall", "char_f1")
    print("engine".ljust(28), *(name.rjust(11) for name in head))
    for figures in result["engines"].values():
        mean = figures["scores"]["MEAN"]
        values = (
            f"{figures['wall_seconds']:.1f}",
            f"{figures['cpu_seconds']:.1f}",
            f"{figures['pages_per_second']:.2f}",
            f"{figures['peak_megabytes']}",
            f"{mean['line_recall']:.4f}",
            f"{mean.get('char_f1', float('nan')):.4f}",
        )
        print(figures["name"].ljust(28), *(value.rjust(11) for value in values))


class Engine:
    """A worker process that reads pages when asked to."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self.rows: list[dict[str, Any]] = []
        self._wall = self._cpu = 0.0
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments, "--worker", name],
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


def serve_ours(options: argparse.Namespace) -> None:
    asyncio.run(_serve_ours(options.model, options.detector))


async def _serve_ours(model: str, detector: str | None) -> None:
    settings = Settings(model=model, detector=detector, deadline_seconds=3600, max_queue_seconds=3600)
    reader = open_reader(settings)
    await reader.start()
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(path: str) -> dict[str, Any]:
        async with gate:
            data = await asyncio.to_thread(Path(path).read_bytes)
            document = await reader.read(data, ReadOptions(mode="page"))
        return row(path, [(line.text, line.confidence) for line in document.lines])

    say({"name": f"ocrsvc {model}, {reader.sessions.detector.spec.name}"})
    while line := await asyncio.to_thread(sys.stdin.readline):
        with machine.Measure() as measure:
            rows = await asyncio.gather(*map(one, json.loads(line)))
        say({"rows": rows, **measure.figures})
    await reader.close()


def serve_rapidocr(_: argparse.Namespace) -> None:
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "error"})
    engine(str(Path(__file__).parents[1] / "docs" / "page.png"))  # its models are loaded at the first picture
    say({"name": f"RapidOCR {importlib.metadata.version('rapidocr')}"})
    for line in sys.stdin:
        with machine.Measure() as measure:
            rows = []
            for path in json.loads(line):
                result = engine(path)
                rows.append(row(path, list(zip(result.txts or (), result.scores or (), strict=True))))
        say({"rows": rows, **measure.figures})


WORKERS = {"ours": serve_ours, "rapidocr": serve_rapidocr}


def row(path: str, lines: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """One prediction, as the scoring scripts read them."""
    texts = [{"text": text, "confidence": round(float(confidence), 4)} for text, confidence in lines]
    return {"file": path, "text": "\n".join(text for text, _ in lines), "lines": texts}


def say(answer: dict[str, Any]) -> None:
    """Answer to the process that asked, alone on its line."""
    print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
