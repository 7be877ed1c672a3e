"""Other engines that read pages, for bench/pages.py: each in a process of its own, and in its own Python if need be.

    PYTHON bench/peers/page_engines.py ENGINE

It needs nothing of ours, because some of these packages cannot be installed beside others. It answers lines of JSON on
standard output: first its name, then, for each list of paths on standard input, what it read and what that cost.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

Line = tuple[str, float]  # text and confidence; 1 where an engine tells none
Read = Callable[[str], list[Line]]

SAMPLE = Path(__file__).parents[2] / "docs" / "page.png"  # models are loaded at the first picture


def rapidocr(runtime: str | None = None) -> tuple[str, Read]:
    """Return RapidOCR with the runtime of its configuration, or another one."""
    import rapidocr as package

    params: dict[str, Any] = {"Global.log_level": "error"}
    if runtime is not None:
        kind = package.EngineType(runtime)
        params |= {"Det.engine_type": kind, "Rec.engine_type": kind, "Cls.engine_type": kind}
    engine = package.RapidOCR(params=params)
    name = f"RapidOCR {importlib.metadata.version('rapidocr')}"
    return (f"{name}, {runtime}" if runtime else name), partial(lines_of, engine)


def rapidocrlite() -> tuple[str, Read]:
    """Return RapidOCRLite with PP-OCRv6 small; RAPIDOCR_MODELS and RAPIDOCR_KEYS say where that is."""
    os.environ.setdefault("PPOCR_REC_FAST", "1")
    import rapidocr as package

    models = Path(os.environ["RAPIDOCR_MODELS"])
    engine = package.RapidOCR(
        params={
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "Rec.rec_keys_path": os.environ["RAPIDOCR_KEYS"],
            "Global.use_cls": False,
        }
    )
    return f"RapidOCRLite {importlib.metadata.version('rapidocrlite')}", partial(lines_of, engine)


def lines_of(engine: Callable[[str], Any], path: str) -> list[Line]:
    """Return what RapidOCR, or what has its interface, reads of a page."""
    result = engine(path)
    return list(zip(result.txts or (), result.scores or (), strict=True))


def faster_paddle(size: str) -> tuple[str, Read]:
    """Return faster-paddle with its tiny or small models."""
    import faster_paddle as package

    engine = package.OcrEngine(model_size=size)

    def read(path: str) -> list[Line]:
        bounds = engine.ocr(Path(path).read_bytes())["bounds"].values()
        return [(each["text"], float(each.get("confidence", 1.0))) for each in bounds]

    return f"faster-paddle {importlib.metadata.version('faster-paddle')} {size}", read


def tesseract() -> tuple[str, Read]:
    """Return Tesseract's command, which starts once for each page."""
    about = subprocess.run(["tesseract", "--version"], check=True, capture_output=True, text=True).stdout

    def read(path: str) -> list[Line]:
        command = ["tesseract", path, "-", "-l", "chi_sim+eng"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [(each, 1.0) for each in text.splitlines() if each.strip()]

    return about.splitlines()[0].capitalize(), read


ENGINES: dict[str, Callable[[], tuple[str, Read]]] = {
    "rapidocr": rapidocr,
    "rapidocr-openvino": lambda: rapidocr("openvino"),
    "rapidocrlite": rapidocrlite,
    "faster-paddle-small": lambda: faster_paddle("small"),
    "faster-paddle-tiny": lambda: faster_paddle("tiny"),
    "tesseract": tesseract,
}


def main() -> None:
    """Read pages for the process that asks."""
    with contextlib.redirect_stdout(sys.stderr):  # some print a greeting
        name, read = ENGINES[sys.argv[1]]()
        read(str(SAMPLE))
    say({"name": name})
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), cpu_seconds()
        with contextlib.redirect_stdout(sys.stderr):
            rows = [row(path, read(path)) for path in json.loads(line)]
        say(
            {
                "rows": rows,
                "wall_seconds": time.perf_counter() - wall,
                "cpu_seconds": cpu_seconds() - cpu,
                "peak_megabytes": peak_megabytes(),
            }
        )


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_megabytes() -> int:
    """Return the peak memory of this process or of its largest child."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(peak // (1024 * 1024 if sys.platform == "darwin" else 1024))


def row(path: str, lines: Sequence[Line]) -> dict[str, Any]:
    """Return what was read of one page, as `ocrsvc read --format jsonl` names it."""
    texts = [{"text": text, "confidence": round(float(confidence), 4)} for text, confidence in lines]
    return {"file": path, "text": "\n".join(text for text, _ in lines), "lines": texts}


def say(answer: dict[str, Any]) -> None:
    """Answer on a line to the process that asked."""
    print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
