"""What a one-line request costs besides decoding its picture and running the model: the server's own CPU time.

    python bench/overhead.py DATA_DIR --model crnn --json out.json

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/. The server runs twice under --clients clients: first with
timers alone around ONNX Runtime and picture decoding, which gives the figures (CPU seconds of the process less those
of the timers, over the requests; medians over the rounds), then under a profiler (profiler.py), which gives the
functions that the rest goes to. Scaling a line to the model's height, padding and CTC decoding are part of the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import load
import machine
import pictures
import profiler
import report
import serving
from lines import spread
from systems import raw

_TELL_SECONDS = 30.0  # for the server to write its figures
_DRAWN_PACKAGES = 8
_TIMED = ("decode", "onnxruntime")
_PARTS = {"cpu": "all", "decode": "picture decoding", "onnxruntime": "ONNX Runtime", "rest": "the rest"}
_OUR_OWN = ("instrumented.py:", "profiler.py:", "sys.setprofile")  # functions that only this bench brings


def main() -> None:
    options = parse(sys.argv[1:])
    about = machine.describe(["uvicorn", "uvloop", "httptools", "fastapi", "starlette", "pydantic"])
    files = pictures.line_files(options.data, options.limit)
    with tempfile.TemporaryDirectory() as folder:
        lines = load.save(Path(folder) / "lines", raw("/api/ocr?mode=line")(files))
        with instrumented(Path(folder), options) as server:
            turns = [one_turn(server, Path(folder), lines, options)[0] for _ in range(options.rounds)]
        with instrumented(Path(folder), options, "--profile") as server:
            _, functions = one_turn(server, Path(folder), lines, options)
    document = {
        **about,
        "model": options.model,
        "clients": options.clients,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "requests": int(sum(turn["requests"] for turn in turns)),
        "ms_per_request": {
            name.removesuffix("_ms"): spread([turn[name] for turn in turns])
            for name in turns[0]
            if name.endswith("_ms")
        },
        "packages": packages(functions),
        "functions": functions,
    }
    report.write(options.json, document)
    print(text(document, options.top, markdown=options.markdown))
    if options.plot:
        draw(options.plot, document)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = report.parser(__doc__, "overhead", rounds=5, plot=True)
    add = parser.add_argument
    add("data", metavar="DATA_DIR", type=Path)
    add("--limit", type=report.positive, default=40, help="lines of each source (default: 40)")
    add("--model", default="crnn", help="a model's name or folder (default: crnn)")
    add("--clients", type=report.positive, default=16, help="at once (default: 16)")
    add("--seconds", type=float, default=5.0, help="of each round, and of the profile (default: 5)")
    add("--top", type=report.positive, default=15, help="functions to print (default: 15)")
    return parser.parse_args(arguments)


@contextlib.contextmanager
def instrumented(folder: Path, options: argparse.Namespace, *arguments: str) -> Iterator[serving.Server]:
    """The server of instrumented.py, ready and warm."""
    port = serving.free_port()
    command = [sys.executable, str(serving.BENCH / "instrumented.py"), str(folder / "told.json"), *arguments]
    settings = {"OCRSVC_PORT": str(port), "OCRSVC_HOST": "127.0.0.1", "OCRSVC_MODEL": options.model}
    with serving.started(command, port, settings, serving.is_ready) as server:
        yield server


def one_turn(
    server: serving.Server, folder: Path, files: Sequence[str], options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """CPU ms a request by where it goes, and by function if the server has a profiler."""
    stream = load.Stream("lines", files, clients=options.clients)
    load.run(server.port, [stream], options.seconds / 4)
    before = told(server, folder)
    outcome = load.run(server.port, [stream], options.seconds)
    after = told(server, folder)
    requests = len(outcome.streams["lines"].good())
    if not requests or outcome.streams["lines"].errors:
        raise SystemExit(f"{outcome.streams['lines'].errors} requests failed, {requests} did not")
    spent = {"cpu": 1000 * (after["cpu_seconds"] - before["cpu_seconds"]) / requests}
    for name in _TIMED:
        spent[name] = 1000 * (after["timers"][name] - before["timers"][name]) / requests
    spent["rest"] = spent["cpu"] - sum(spent[name] for name in _TIMED)
    called = profiler.since(after["profile"], before["profile"])
    functions = {
        name: {"us": round(ns / 1000 / requests, 3), "calls": round(calls / requests, 2)}
        for name, (ns, calls) in sorted(called.items(), key=lambda item: -item[1][0])
        if calls and not name.startswith(_OUR_OWN)
    }
    return {f"{name}_ms": value for name, value in spent.items()} | {"requests": requests}, functions


def told(server: serving.Server, folder: Path) -> dict[str, Any]:
    """What the server says of itself."""
    path = folder / "told.json"
    path.unlink(missing_ok=True)
    server.process.send_signal(signal.SIGUSR1)
    until = time.monotonic() + _TELL_SECONDS
    while not path.exists():
        if time.monotonic() > until:
            raise SystemExit("the server does not tell its figures")
        time.sleep(0.01)
    said: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return said


def packages(functions: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Microseconds a request by package, the dearest first."""
    summed: dict[str, float] = {}
    for name, figures in functions.items():
        package = profiler.package(name)
        summed[package] = summed.get(package, 0.0) + figures["us"]
    return {name: round(us, 1) for name, us in sorted(summed.items(), key=lambda item: -item[1])}


def text(document: Mapping[str, Any], top: int, *, markdown: bool) -> str:
    """Where a request's CPU time goes, the packages and the dearest functions."""
    head = (
        f"{document['model']}, {document['clients']} clients, {document['requests']} requests; "
        f"{report.machine_line(document)}"
    )
    parts = [["CPU ms a request", "median", "p10 - p90"]]
    for name, title in _PARTS.items():
        value = document["ms_per_request"][name]
        parts.append([title, f"{value['median']:.3f}", f"{value['p10']:.3f} - {value['p90']:.3f}"])
    every = sum(document["packages"].values()) or 1.0
    shares = [["package", "µs a request", "% of the rest"]]
    shares += [[name, f"{us:.0f}", f"{100 * us / every:.0f}"] for name, us in document["packages"].items()]
    functions = [["function", "µs a request", "calls", "% of the rest"]]
    for name, each in list(document["functions"].items())[:top]:
        functions.append(
            [name, f"{each['us']:.0f}", f"{each['calls']:.1f}", f"{100 * each['us'] / every:.0f}"]
        )
    rest = 1000 * document["ms_per_request"]["rest"]["median"]
    note = f"under the profiler the functions add up to {every:.0f} µs, {every / rest:.2f} times the rest"
    tables = [report.table(rows, markdown=markdown) for rows in (parts, shares[: top + 1], functions)]
    return "\n\n".join([head, *tables, note])


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Where a request's CPU time goes, and the packages of what is neither decoding nor ONNX Runtime."""
    spent = {title: document["ms_per_request"][name]["median"] for name, title in _PARTS.items()}
    dearest = list(document["packages"].items())[:_DRAWN_PACKAGES]
    panels = [
        ("CPU ms a request", {title: {"": value} for title, value in spent.items()}),
        ("µs a request under the profiler", {name: {"": us} for name, us in dearest}),
    ]
    report.bars(path, panels, title=f"{document['model']}, {document['clients']} clients")


if __name__ == "__main__":
    main()
