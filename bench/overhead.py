"""What a one-line request costs besides decoding its picture and running the model: the server's own CPU time.

    python bench/overhead.py DATA_DIR --model crnn --json out.json

The server runs twice under --clients clients. First it has timers alone, around ONNX Runtime and picture decoding. The
figures are the CPU seconds of the process less those of the timers, over the requests; medians over the rounds. Then
it runs under a profiler (profiler.py), which gives the functions that the rest goes to. Scaling a line to the model's
height, padding and CTC decoding are part of the rest.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
import load
import pictures
import plots
import profiler
import serving

_TELL_SECONDS = 30.0  # for the server to write its figures
_DRAWN_PACKAGES = 8
_TIMED = ("decode", "onnxruntime")
_PARTS = {"cpu": "all", "decode": "picture decoding", "onnxruntime": "ONNX Runtime", "rest": "the rest"}
_OUR_OWN = ("instrumented.py:", "profiler.py:", "sys.setprofile")  # functions that only this bench brings


def main() -> None:
    options = parse()
    head = harness.head(options, ["uvicorn", "uvloop", "httptools", "fastapi", "starlette", "pydantic"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = load.save_pictures(folder, pictures.line_files(options.data, options.limit), "line")
        program = [str(serving.BENCH / "instrumented.py"), str(folder / "told.json")]
        with serving.ours(program, model=options.model) as server:
            turns = [one_turn(server, folder, lines, options)[0] for _ in range(options.rounds)]
        with serving.ours([*program, "--profile"], model=options.model) as server:
            _, functions = one_turn(server, folder, lines, options)
    summed = harness.summary(turns, ["requests"])
    document = {
        **head,
        "requests": summed.pop("requests"),
        "ms_per_request": summed,
        "packages": packages(functions),
        "functions": functions,
    }
    harness.finish(options, document, parts(document), draw)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(
        __doc__, "overhead", data=True, limit=40, rounds=5, seconds=5, model=True, plot=True
    )
    add = parser.add_argument
    add("--clients", type=harness.positive, default=16, help="at once (default: %(default)s)")
    add("--top", type=harness.positive, default=15, help="functions to print (default: %(default)s)")
    return parser.parse_args()


def one_turn(
    server: serving.Server, folder: Path, files: Sequence[str], options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Return the requests and the CPU ms of one by where it goes, and by function if the server has a profiler."""
    stream = load.Stream("lines", files, clients=options.clients)
    load.run(server.port, [stream], options.seconds / 4)
    before = told(server, folder)
    answers = load.run(server.port, [stream], options.seconds).streams["lines"]
    after = told(server, folder)
    requests = len(answers.good())
    if not requests or answers.errors:
        raise SystemExit(f"{answers.errors} requests failed, {requests} did not")
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
    return spent | {"requests": requests}, functions


def told(server: serving.Server, folder: Path) -> dict[str, Any]:
    """Return what the server says of itself."""
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
    """Return the microseconds a request by package, the dearest first."""
    summed: dict[str, float] = {}
    for name, figures in functions.items():
        package = profiler.package(name)
        summed[package] = summed.get(package, 0.0) + figures["us"]
    return {name: round(us, 1) for name, us in sorted(summed.items(), key=lambda item: -item[1])}


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return where a request's CPU time goes, the packages and the dearest functions."""
    options, spent = document["options"], document["ms_per_request"]
    about = f"{options['model']}, {options['clients']} clients, {document['requests']} requests"
    where = [["CPU ms a request", "median", "p10 - p90"]]
    where += [[title, *harness.cells(spent[name], 3)] for name, title in _PARTS.items()]
    every = sum(document["packages"].values()) or 1.0
    shares = [["package", "µs a request", "% of the rest"]]
    shares += [[name, f"{us:.0f}", f"{100 * us / every:.0f}"] for name, us in document["packages"].items()]
    functions = [["function", "µs a request", "calls", "% of the rest"]]
    for name, each in document["functions"].items():
        share = 100 * each["us"] / every
        functions.append([name, f"{each['us']:.0f}", f"{each['calls']:.1f}", f"{share:.0f}"])
    times = every / 1000 / spent["rest"]["median"]
    note = f"under the profiler the functions add up to {every:.0f} µs, {times:.2f} times the rest"
    most = options["top"] + 1
    return [about, where, shares[:most], functions[:most], note]


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Draw where a request's CPU time goes, and the packages that the rest goes to."""
    spent = {title: document["ms_per_request"][name]["median"] for name, title in _PARTS.items()}
    dearest = list(document["packages"].items())[:_DRAWN_PACKAGES]
    panels = [
        ("CPU ms a request", {title: {"": value} for title, value in spent.items()}),
        ("µs a request under the profiler", {name: {"": us} for name, us in dearest}),
    ]
    options = document["options"]
    plots.bars(path, panels, title=f"{options['model']}, {options['clients']} clients")


if __name__ == "__main__":
    main()
