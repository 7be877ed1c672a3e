"""How many one-line JPEGs the running server reads for 1 to 64 clients that keep their connections.

It is compared with the model alone, the service of the blog posts, and other frameworks with dynamic batching.

    python bench/throughput.py DATA_DIR --model crnn --rounds 5 --json out.json --plot out.svg

The widths of the lines in DATA_DIR are the mix that is sent. Each system starts anew for its turn, is warmed, and has
each number of clients for --seconds. The clients are one process on the same machine, whose share of the cores is
told: on few cores it takes from the server what it needs itself. CPU % is of all cores. "of the limit" compares
lines/s. "per CPU" compares lines for a CPU second, of which no client can take anything away.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
import load
import pictures
import plots
import serving
from peers.own import manifest
from peers.service import MAX_BATCH, WAIT_MS
from systems import Raw, System, listed

from ocrsvc.machine import cpu

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
OWN = ("ours", "processes")
LIMIT = "limit"
_WARM_CLIENTS = 8
_PERCENTILES = (50, 95, 99)
_PACKAGES = ("flask", "mosec", "litserve", "ray", "uvloop", "httptools", "uvicorn", "fastapi")


def main() -> None:
    options = parse()
    head = harness.head(options, _PACKAGES)
    files = pictures.line_files(options.data, options.limit)
    systems, skipped = choose(options)
    rounds = race(options, systems, files, head["cores"])
    document = {
        **head,
        "lines": len(files),
        "about": {name: system.about for name, system in systems.items()},
        "limit": summary_of_limit([each[LIMIT] for each in rounds]),
        "systems": {name: summary([each[name] for each in rounds]) for name in systems},
        "ratios": ratios(rounds),
        "skipped": skipped,
        "turns": rounds,
    }
    harness.finish(options, document, parts(document), draw)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(
        __doc__, "throughput", data=True, limit=40, rounds=5, seconds=5, model=True, plot=True
    )
    add = parser.add_argument
    add("--precision", choices=["int8", "fp32"], help="default: as shipped, int8 where there is one")
    cores = cpu.inspect().effective
    add("--workers", type=harness.positive, default=cores, help="of every system (default: %(default)s)")
    add("--clients", type=harness.numbers, default=list(CLIENTS), metavar="1,2,...")
    add("--warm-seconds", type=float, default=2.0, help="before a system's first turn (default: %(default)s)")
    add("--systems", type=harness.names, metavar="A,B,...", help="default: all")
    add("--max-batch", type=harness.positive, default=MAX_BATCH, help="of the frameworks")
    add("--wait-ms", type=int, default=WAIT_MS, help="of the frameworks")
    options = parser.parse_args()
    if options.precision is None:
        options.precision = "int8" if "int8" in manifest(options.model).precisions else "fp32"
    return options


def choose(options: argparse.Namespace) -> tuple[dict[str, System], dict[str, str]]:
    """Return the systems that are asked for and can run, and why others cannot. SystemExit for an unknown name."""
    known = listed(options.model, options.precision, options.workers, options.max_batch, options.wait_ms)
    wanted = options.systems or list(known)
    if strangers := [name for name in wanted if name not in known]:
        raise SystemExit(f"there is no system {strangers[0]!r}; there are {', '.join(known)}")
    chosen = {name: known[name] for name in wanted}
    skipped = {name: system.missing for name, system in chosen.items() if system.missing}
    for name, reason in skipped.items():
        print(f"{name} left out, {reason}", file=sys.stderr)
    return {name: system for name, system in chosen.items() if name not in skipped}, skipped


def race(
    options: argparse.Namespace, systems: Mapping[str, System], files: Sequence[bytes], cores: int
) -> list[dict[str, Any]]:
    """Return what each system, and the limit, did in each round."""
    raw = Raw(options.model, options.precision, pictures.decode(files), options.workers)
    built = {name: system.requests(files) for name, system in systems.items()}
    with tempfile.TemporaryDirectory() as folder:
        saved = {name: load.save(Path(folder) / name, requests) for name, requests in built.items()}

        def turn(name: str, _: int) -> Any:
            if name == LIMIT:
                return raw.measure(options.seconds)
            with systems[name].start(built[name][0]) as server:
                return one_turn(server, saved[name], options, cores)

        return harness.take_turns([LIMIT, *systems], options.rounds, turn)


def one_turn(
    server: serving.Server, files: Sequence[str], options: argparse.Namespace, cores: int
) -> dict[str, Any]:
    """Return the figures of one system's turn by number of clients."""
    load.run(server.port, [load.Stream("warm", files, clients=_WARM_CLIENTS)], options.warm_seconds)
    points = {}
    for clients in options.clients:
        before = server.cpu_seconds()
        outcome = load.run(server.port, [load.Stream("lines", files, clients=clients)], options.seconds)
        points[str(clients)] = point(outcome, server.cpu_seconds() - before, cores)
    return points


def point(outcome: load.Outcome, cpu_seconds: float, cores: int) -> dict[str, float]:
    """Return the figures of one run. SystemExit if nothing was answered.

    Lines count if they were answered in time. CPU time is that of all answers.
    """
    answers = outcome.streams["lines"]
    good = sorted(answers.good())
    if not good:
        raise SystemExit(f"none of {len(answers.status)} requests was answered with 200")
    wall = outcome.wall_seconds
    figures = {
        "lines_per_second": answers.done(outcome.seconds, outcome.begun) / outcome.seconds,
        "cpu_percent": 100 * cpu_seconds / wall / cores,
        "client_cpu_percent": 100 * outcome.cpu_seconds / wall / cores,
        "cpu_ms_per_line": 1000 * cpu_seconds / len(good),
        "errors": float(answers.errors),
    }
    return figures | {f"p{share}_ms": harness.percentile(good, share) for share in _PERCENTILES}


def summary(turns: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, Any]]:
    """Return the figures of one system over the rounds, by number of clients."""
    return {clients: harness.summary([turn[clients] for turn in turns], ["errors"]) for clients in turns[0]}


def summary_of_limit(turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the limit over the rounds, and the batch size that was fastest most often."""
    figures = [{name: value for name, value in turn.items() if name != "rows"} for turn in turns]
    return harness.summary(figures) | {"rows": statistics.mode(turn["rows"] for turn in turns)}


def ratios(rounds: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return how many times each other ours, and ours as processes, reads in the same round.

    Each system counts with its best lines/s, by whatever number of clients.
    """
    found = {}
    for own in (name for name in OWN if name in rounds[0]):
        mine = [best(each[own]) for each in rounds]
        rates = [each["lines_per_second"] for each in mine]
        for name in (name for name in rounds[0] if name not in OWN):
            others = [each[name] if name == LIMIT else best(each[name]) for each in rounds]
            title = f"{own} of the limit" if name == LIMIT else f"{own} over {name}"
            found[title] = harness.ratio(rates, [max(1e-9, each["lines_per_second"]) for each in others])
            if name == LIMIT:
                costs = [each["cpu_ms_per_line"] for each in others]
                found[f"{title} per CPU"] = harness.ratio(costs, [each["cpu_ms_per_line"] for each in mine])
    return found


def best(points: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """Return the point with the most lines/s."""
    return max(points.values(), key=lambda each: each["lines_per_second"])


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return the limit, the table of all systems, the ratios, and what was left out."""
    options, limit = document["options"], document["limit"]
    rate, span = harness.cells(limit["lines_per_second"], 1)
    about = (
        f"{options['model']} {options['precision']}, {options['workers']} workers, {document['lines']} lines, "
        f"{options['rounds']} rounds\n"
        f"limit: {rate} lines/s ({span}) by session.run alone, batches of {limit['rows']}, "
        f"{limit['cpu_ms_per_line']['median']:.2f} ms CPU a line"
    )
    heads = "system,clients,lines/s,p10 - p90,p50 ms,p95 ms,p99 ms,CPU %,client %,CPU ms a line,errors"
    rows = [heads.split(",")]
    for name, points in document["systems"].items():
        for clients, figures in points.items():
            row = [name, clients, *harness.cells(figures["lines_per_second"], 1)]
            row += [harness.cells(figures[f"p{share}_ms"], 1)[0] for share in _PERCENTILES]
            row += [harness.cells(figures[key], 0)[0] for key in ("cpu_percent", "client_cpu_percent")]
            rows.append([*row, harness.cells(figures["cpu_ms_per_line"], 2)[0], str(figures["errors"])])
    compared = [["", "ratio", "p10 - p90"]]
    compared += [[name, *harness.cells(value, 3)] for name, value in document["ratios"].items()]
    return [about, rows, compared, *(f"{name} left out, {why}" for name, why in document["skipped"].items())]


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Draw lines/s and p99 by clients, the limit as a level."""
    options, panels = document["options"], []
    for key, label in (("lines_per_second", "lines/s"), ("p99_ms", "p99 in ms")):
        series = {
            name: [(float(clients), figures[key]["median"]) for clients, figures in points.items()]
            for name, points in document["systems"].items()
        }
        if key == "lines_per_second":
            level = document["limit"][key]["median"]
            series["session.run alone"] = [(float(clients), level) for clients in options["clients"]]
        panels.append((label, "", series))
    title = f"{options['model']} {options['precision']}, {document['cores']} cores of {document['cpu']}"
    plots.plot(path, panels, x="clients", title=title, log=True)


if __name__ == "__main__":
    main()
