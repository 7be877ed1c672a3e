"""The running server under 1 to 64 clients, each of which sends one-line JPEGs over a connection that it keeps,
against the model alone, the service of the blog posts, and other frameworks with dynamic batching.

    python bench/throughput.py DATA_DIR --model crnn --rounds 5 --json out.json --plot out.svg

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/, and the widths of its lines are the mix that is sent. Each
system starts anew for its turn, is warmed, and has each number of clients for --seconds; turns alternate. The clients
are one process on the same machine, whose share of the cores is told: on few cores it takes from the server what it
needs itself. CPU % is of all cores. "of the limit" compares lines/s; "per CPU" compares lines for a CPU second, of
which no client can take anything away.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import load
import machine
import pictures
import report
import serving
from lines import order, spread
from peers.own import manifest
from peers.service import MAX_BATCH, WAIT_MS
from systems import Raw, System, listed

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
OWN = ("ours", "processes")
LIMIT = "limit"
_WARM_CLIENTS = 8
_PERCENTILES = (50, 95, 99)


def main() -> None:
    options = parse(sys.argv[1:])
    about = machine.describe(
        ["flask", "mosec", "litserve", "ray", "uvloop", "httptools", "uvicorn", "fastapi"]
    )
    options.workers = options.workers or about["cores"]
    options.precision = options.precision or _shipped(options.model)
    files = pictures.line_files(options.data, options.limit)
    systems, skipped = choose(options)
    raw = Raw(options.model, options.precision, pictures.decode(files), options.workers)
    with tempfile.TemporaryDirectory() as folder:
        rounds = race(options, systems, files, raw, Path(folder), about["cores"])
    document = {
        **about,
        "model": options.model,
        "precision": options.precision,
        "workers": options.workers,
        "lines": len(files),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "about": {name: system.about for name, system in systems.items()},
        "limit": summary_of_limit([each[LIMIT] for each in rounds]),
        "systems": {name: summary([each[name] for each in rounds]) for name in systems},
        "ratios": ratios(rounds),
        "skipped": skipped,
        "turns": rounds,
    }
    report.write(options.json, document)
    print(text(document, markdown=options.markdown))
    if options.plot:
        draw(options, document)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = report.parser(__doc__, "throughput", rounds=5, plot=True)
    add = parser.add_argument
    add("data", metavar="DATA_DIR", type=Path)
    add("--limit", type=report.positive, default=40, help="lines of each source (default: 40)")
    add("--model", default="crnn", help="a model's name or folder (default: crnn)")
    add("--precision", choices=["int8", "fp32"], help="default: as shipped, int8 where there is one")
    add("--workers", type=report.positive, help="of every system (default: the effective cores)")
    add("--clients", type=report.numbers, default=list(CLIENTS), metavar="1,2,...")
    add("--seconds", type=float, default=5.0, help="of each number of clients in each round (default: 5)")
    add("--warm-seconds", type=float, default=2.0, help="before the first of them (default: 2)")
    add("--systems", type=lambda names: names.split(","), metavar="A,B,...", help="default: all")
    add("--max-batch", type=report.positive, default=MAX_BATCH, help="of the frameworks")
    add("--wait-ms", type=int, default=WAIT_MS, help="of the frameworks")
    return parser.parse_args(arguments)


def _shipped(model: str) -> str:
    return "int8" if "int8" in manifest(model).precisions else "fp32"


def choose(options: argparse.Namespace) -> tuple[dict[str, System], dict[str, str]]:
    """The systems that are asked for and can run, and why others cannot; SystemExit for a name that is none."""
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
    options: argparse.Namespace,
    systems: Mapping[str, System],
    files: Sequence[bytes],
    raw: Raw,
    folder: Path,
    cores: int,
) -> list[dict[str, Any]]:
    """All turns: what each system, and the limit, did in each round."""
    built = {name: system.requests(files) for name, system in systems.items()}
    saved = {name: load.save(folder / name, requests) for name, requests in built.items()}
    rounds: list[dict[str, Any]] = []
    for turn in range(options.rounds):
        done: dict[str, Any] = {}
        for name in order([LIMIT, *systems], turn):
            print(f"round {turn + 1} of {options.rounds}: {name}".ljust(60), end="\r", file=sys.stderr)
            if name == LIMIT:
                done[name] = vars(raw.measure(options.seconds))
                continue
            with systems[name].start(built[name][0]) as server:
                done[name] = one_turn(server, saved[name], options, cores)
        rounds.append(done)
    return rounds


def one_turn(
    server: serving.Server, files: Sequence[str], options: argparse.Namespace, cores: int
) -> dict[str, Any]:
    """One system's turn: figures by number of clients."""
    load.run(server.port, [load.Stream("warm", files, clients=_WARM_CLIENTS)], options.warm_seconds)
    points = {}
    for clients in options.clients:
        before = server.cpu_seconds()
        outcome = load.run(server.port, [load.Stream("lines", files, clients=clients)], options.seconds)
        points[str(clients)] = point(outcome, server.cpu_seconds() - before, cores)
    return points


def point(outcome: load.Outcome, cpu_seconds: float, cores: int) -> dict[str, float]:
    """Figures of one run; SystemExit if nothing was answered. Lines count if they were answered in time, CPU time is of
    all that were answered."""
    answers = outcome.streams["lines"]
    good = sorted(answers.good())
    if not good:
        raise SystemExit(f"none of {len(answers.status)} requests was answered with 200")
    wall = outcome.wall_seconds
    figures = {
        "lines_per_second": answers.done(outcome.seconds, outcome.begun) / outcome.seconds,
        "cpu_percent": 100 * cpu_seconds / wall / cores,
        "client_cpu_percent": 100 * outcome.cpu_seconds / wall / cores,
        "cpu_ms_per_line": 1000 * cpu_seconds / max(1, len(good)),
        "errors": float(answers.errors),
    }
    return figures | {f"p{share}_ms": percentile(good, share) for share in _PERCENTILES}


def percentile(ascending: Sequence[float], share: float) -> float:
    """The value that so many percent do not exceed (nearest rank)."""
    return ascending[max(0, -(-len(ascending) * int(share * 10) // 1000) - 1)]


def summary(turns: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, Any]]:
    """Of one system by number of clients: each figure's spread over the rounds, errors added up."""
    summed: dict[str, dict[str, Any]] = {}
    for clients in turns[0]:
        columns = {name: [turn[clients][name] for turn in turns] for name in turns[0][clients]}
        errors = int(sum(columns.pop("errors")))
        summed[clients] = {name: spread(values) for name, values in columns.items()} | {"errors": errors}
    return summed


def summary_of_limit(turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The limit's spread over the rounds, and the batch size that was fastest most often."""
    return {
        "lines_per_second": spread([turn["lines_per_second"] for turn in turns]),
        "cpu_ms_per_line": spread([turn["cpu_ms_per_line"] for turn in turns]),
        "rows": statistics.mode(turn["rows"] for turn in turns),
    }


def ratios(rounds: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Ours, and ours as processes, over each other, round by round: the best lines/s of each, by whatever number of
    clients."""
    found = {}
    for own in (name for name in OWN if name in rounds[0]):
        for name in (name for name in rounds[0] if name not in OWN):
            turns = [(best(each[own]), each[name]) for each in rounds]
            if name == LIMIT:
                rates = [a["lines_per_second"] / b["lines_per_second"] for a, b in turns]
                costs = [b["cpu_ms_per_line"] / a["cpu_ms_per_line"] for a, b in turns]
                found[f"{own} of the limit"] = spread(rates)
                found[f"{own} of the limit per CPU"] = spread(costs)
            else:
                rates = [a["lines_per_second"] / max(1e-9, best(b)["lines_per_second"]) for a, b in turns]
                found[f"{own} over {name}"] = spread(rates)
    return found


def best(points: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """The point with the most lines/s."""
    return max(points.values(), key=lambda each: each["lines_per_second"])


def text(document: Mapping[str, Any], *, markdown: bool) -> str:
    """The table of all systems and the ratios."""
    limit = document["limit"]
    rate = limit["lines_per_second"]
    head = (
        f"{document['model']} {document['precision']}, {document['workers']} workers, {document['lines']} lines, "
        f"{document['rounds']} rounds; {report.machine_line(document)}\n"
        f"limit: {rate['median']:.1f} lines/s ({rate['p10']:.1f} - {rate['p90']:.1f}) by session.run alone, "
        f"batches of {limit['rows']}, {limit['cpu_ms_per_line']['median']:.2f} ms CPU a line"
    )
    head_cells = "system,clients,lines/s,p10 - p90,p50 ms,p95 ms,p99 ms,CPU %,client %,CPU ms a line,errors"
    rows = [head_cells.split(",")]
    for name, points in document["systems"].items():
        for clients, figures in points.items():
            median = {key: value["median"] for key, value in figures.items() if key != "errors"}
            rate = figures["lines_per_second"]
            rows.append(
                [name, clients, f"{rate['median']:.1f}", f"{rate['p10']:.1f} - {rate['p90']:.1f}"]
                + [f"{median[f'p{share}_ms']:.1f}" for share in _PERCENTILES]
                + [f"{median['cpu_percent']:.0f}", f"{median['client_cpu_percent']:.0f}"]
                + [f"{median['cpu_ms_per_line']:.2f}", str(figures["errors"])]
            )
    compared = [["", "ratio", "p10 - p90"]]
    for name, value in document["ratios"].items():
        compared.append([name, f"{value['median']:.3f}", f"{value['p10']:.3f} - {value['p90']:.3f}"])
    parts = [head, report.table(rows, markdown=markdown)]
    if len(compared) > 1:
        parts.append(report.table(compared, markdown=markdown))
    parts += [f"{name} left out, {reason}" for name, reason in document["skipped"].items()]
    return "\n\n".join(parts)


def draw(options: argparse.Namespace, document: Mapping[str, Any]) -> None:
    """Lines/s and p99 by clients, the limit as a level."""
    panels = []
    for key, label in (("lines_per_second", "lines/s"), ("p99_ms", "p99 in ms")):
        series = {
            name: [(float(clients), figures[key]["median"]) for clients, figures in points.items()]
            for name, points in document["systems"].items()
        }
        if key == "lines_per_second":
            level = document["limit"][key]["median"]
            series["session.run alone"] = [(float(clients), level) for clients in options.clients]
        panels.append((label, "", series))
    title = f"{document['model']} {document['precision']}, {document['cores']} cores of {document['cpu']}"
    report.plot(options.plot, panels, x="clients", title=title, log=True)


if __name__ == "__main__":
    main()
