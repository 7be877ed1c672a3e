"""One to a thousand replicas, simulated from what pages cost here: latency, bursts, failures, rollouts, prices.

    python bench/fleet.py DATA_DIR --limit 12 --model crnn-fast --json out.json --plot out.svg

The pages of the folder are read one after the other, and their CPU times are taken; --costs takes them from the report
of an earlier run instead. The simulation (bench/fleet_model.py) draws pages from them at random.

  size       replicas and balancers, at --load of the capacity: waits of the pages
  burst      ten replicas, three times the load for a third of the time, with Kubernetes' autoscaler on
             ocrsvc_queue_eta_seconds, by the time that a new replica needs until it is ready
  rollout    all replicas replaced, with more or fewer than there are meanwhile
  failure    replicas that crash: pages that are lost with them
  price      a million pages, by list prices, and how much slower a core may be to cost the same
  limits     what else a fleet of this size needs: bandwidth, connections
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fleet_model
import harness
import plots
import psutil
import serving
from fleet_model import ANSWERED, BALANCERS, LOST, REFUSED, Autoscaler, Course, Fleet, PageCost, Simulation

from ocrsvc.diagnosis import evaluation
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.settings import Settings

_SIZES = [1, 3, 10, 30, 100, 300, 1000]
_BURST_REPLICAS, _BURST_TIMES = 10, 3.0
_BURST = (2 / 15, 7 / 15)  # of the time: from the second to the seventh of fifteen minutes
_SCALERS = {  # the autoscaler, and seconds until a new replica is ready
    "no autoscaler": (None, 0.0),
    "deploy/k8s, ready in 15 s": (Autoscaler(), 15.0),
    "deploy/k8s, ready in 60 s": (Autoscaler(), 60.0),
    "deploy/k8s, ready in 180 s": (Autoscaler(), 180.0),
    "target 1 s, ready in 15 s": (Autoscaler(target_seconds=1.0), 15.0),
    "not averaged, ready in 15 s": (Autoscaler(averaged_seconds=5.0), 15.0),
}
_ROLLOUT_REPLICAS, _ROLLOUT_AT, _ROLLOUT_SECONDS = 20, 30.0, 240.0
_FAILURE_REPLICAS = 20
_ROLLOUTS = {"none": None, "1 more": (1, 0), "5 more": (5, 0), "1 fewer": (0, 1), "5 fewer": (0, 5)}
_LIFETIMES = {"an hour": 3600.0, "a day": 86_400.0}
# US dollars an hour, on demand, in us-east-1, and hardware threads; look up what yours cost.
_PRICES = {"x86 (c7i.xlarge)": (0.1785, 4), "x86 (c7a.xlarge)": (0.20528, 4), "ARM (c7g.xlarge)": (0.145, 4)}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    document = harness.head(options)
    measured = earlier(options.costs) if options.costs else asyncio.run(measure(options))
    costs = [PageCost(each["found_seconds"], each["lines_seconds"], each["lines"]) for each in measured]
    document |= {"costs": measured, "mean_seconds": statistics.fmean(cost.seconds for cost in costs)}
    for name, simulated in {"size": sizes, "burst": bursts, "rollout": rollouts, "failure": failures}.items():
        document[name] = simulated(options, costs)
    document["price"] = prices(document["mean_seconds"], options.load)
    harness.finish(options, document, parts(document), draw)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "fleet", data=True, limit=12, model=True, plot=True)
    add = parser.add_argument
    add("--costs", type=Path, metavar="FILE", help="the report of an earlier run, whose costs are used")
    add("--load", type=float, default=0.7, help="share of the capacity that is used (default: %(default)s)")
    add("--workers", type=harness.positive, default=4, help="of a replica (default: %(default)s)")
    add("--pages", type=harness.positive, default=40_000, help="of each size (default: %(default)s)")
    add("--sizes", type=harness.numbers, default=_SIZES, help="replicas (default: 1 to 1000)")
    add("--minutes", type=float, default=15.0, help="of the burst and what follows (default: %(default)s)")
    add("--hours", type=float, default=1.0, help="with crashes (default: %(default)s)")
    add("--seed", type=int, default=0)
    parser.set_defaults(model="crnn-fast")
    return parser.parse_args(arguments)


def earlier(report: Path) -> Any:
    """Return the costs of an earlier report."""
    return json.loads(report.read_text("utf-8"))["costs"]


async def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Read each page alone, with one worker, and return what it cost."""
    reader = Reader(Settings(model=options.model, workers=1, deadline_seconds=3600))
    await reader.start()
    found = evaluation.samples(options.data, options.limit)
    rows, own = [], psutil.Process()
    for number, sample in enumerate([found[0], *found]):  # the first one twice: it warms up
        data = sample.path.read_bytes()
        before = serving.cpu_seconds(own)
        document = await reader.read(data, ReadOptions(mode="page"))
        seconds = serving.cpu_seconds(own) - before
        spent = document.timing_ms
        share = spent.get("recognise", 0.0) / max(1e-9, sum(spent.values()) - spent.get("total", 0.0))
        harness.tell(f"page {number} of {len(found)}")
        rows.append(
            {
                "found_seconds": round(seconds * (1 - share), 4),
                "lines_seconds": round(seconds * share, 4),
                "lines": len(document.lines),
                "bytes": len(data),
            }
        )
    await reader.close()
    return rows[1:]


def sizes(options: argparse.Namespace, costs: Sequence[PageCost]) -> list[dict[str, Any]]:
    """Return the waits of each size and balancer."""
    mean = statistics.fmean(cost.seconds for cost in costs)
    rows = []
    for count in options.sizes:
        for balancer in BALANCERS:
            harness.tell(f"{count} replicas, {balancer}")
            fleet = Fleet(count, options.workers, options.load, balancer)
            seconds = max(120.0, options.pages * mean / (options.load * count * options.workers))
            course = Simulation(fleet, costs, options.seed).run(seconds)
            rows.append({"replicas": count, "balancer": balancer, **waits(course, after=seconds / 10)})
    return rows


def bursts(options: argparse.Namespace, costs: Sequence[PageCost]) -> dict[str, Any]:
    """Return what a burst does, by the cold start of new replicas."""
    fleet = Fleet(_BURST_REPLICAS, options.workers, options.load)
    seconds = 60 * options.minutes

    def in_a_burst(now: float) -> float:
        return _BURST_TIMES if _BURST[0] <= now / seconds < _BURST[1] else 1.0

    found = {}
    for name, (scaler, cold_start) in _SCALERS.items():
        harness.tell(f"burst, {name}")
        simulation = Simulation(replace(fleet, cold_start_seconds=cold_start), costs, options.seed)
        if scaler:
            simulation.autoscaled(scaler)
        course = simulation.run(seconds, in_a_burst)
        curve = [
            {"seconds": middle, "p99": percentile(pages, 99), "refused": share(pages, REFUSED)}
            for middle, pages in fleet_model.windows(course, 15.0)
        ]
        most = max(count for _, count in course.ready)
        found[name] = {**waits(course), "most_replicas": most, "curve": curve, "ready": course.ready}
    return found


def rollouts(options: argparse.Namespace, costs: Sequence[PageCost]) -> dict[str, Any]:
    """Return the waits while all replicas are replaced."""
    fleet = Fleet(_ROLLOUT_REPLICAS, options.workers, options.load, cold_start_seconds=5.0)
    found = {}
    for name, change in _ROLLOUTS.items():
        harness.tell(f"rollout, {name}")
        simulation = Simulation(fleet, costs, options.seed)
        if change:
            simulation.rolled_out(_ROLLOUT_AT, surge=change[0], unavailable=change[1])
        found[name] = waits(simulation.run(_ROLLOUT_SECONDS), after=_ROLLOUT_AT)
    return found


def failures(options: argparse.Namespace, costs: Sequence[PageCost]) -> dict[str, Any]:
    """Return what crashes cost."""
    found = {}
    for name, lifetime in _LIFETIMES.items():
        harness.tell(f"crashes, once in {name}")
        fleet = Fleet(_FAILURE_REPLICAS, options.workers, options.load, lifetime_seconds=lifetime)
        course = Simulation(fleet, costs, options.seed).run(3600 * options.hours)
        found[name] = waits(course)
    return found


def prices(mean_seconds: float, load: float) -> list[dict[str, Any]]:
    """Return what a million pages cost, and the CPU time of a page at which a machine costs as much as the first."""
    hours = mean_seconds * 1e6 / 3600 / load
    first, threads = next(iter(_PRICES.values()))
    return [
        {
            "machine": name,
            "dollars": round(hours * dollars / count, 2),
            "same_at": round((first / threads) / (dollars / count), 2),
        }
        for name, (dollars, count) in _PRICES.items()
    ]


def waits(course: Course, after: float = 0.0) -> dict[str, Any]:
    """Return the times of answered pages in seconds, and the shares of those refused and lost."""
    pages = [page for page in course.pages if page.came >= after]
    return {
        "pages": len(pages),
        "p50": percentile(pages, 50),
        "p99": percentile(pages, 99),
        "refused": share(pages, REFUSED),
        "lost": share(pages, LOST),
    }


def percentile(pages: Sequence[fleet_model.Seen], percent: float) -> float | None:
    """Return the time within which so many of the answered pages were answered; None if none was."""
    times = sorted(page.ended - page.came for page in pages if page.outcome == ANSWERED)
    return round(harness.percentile(times, percent), 3) if times else None


def share(pages: Sequence[fleet_model.Seen], outcome: str) -> float:
    """Return the share of the pages with this outcome."""
    return sum(page.outcome == outcome for page in pages) / max(1, len(pages))


def limits(document: Mapping[str, Any]) -> harness.Rows:
    """Return what fleets of several sizes ask of the network, at the load of the options."""
    options, mean = document["options"], document["mean_seconds"]
    size = statistics.fmean(cost["bytes"] for cost in document["costs"])
    p50 = {row["replicas"]: row["p50"] for row in document["size"] if row["balancer"] == "least connections"}
    rows = [["replicas", "pages/s", "pages a day in millions", "Gbit/s into the balancer", "open requests"]]
    for count in options["sizes"]:
        rate = options["load"] * count * options["workers"] / mean
        figures = (rate, rate * 86_400 / 1e6, rate * size * 8 / 1e9, rate * p50[count])
        rows.append([str(count), *(f"{figure:.3g}" for figure in figures)])
    return rows


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return the tables of the report."""
    options = document["options"]
    costs = sorted(cost["found_seconds"] + cost["lines_seconds"] for cost in document["costs"])
    about = (
        f"{options['model']}: {len(costs)} pages, CPU seconds of a page: median {statistics.median(costs):.2f}, "
        f"mean {document['mean_seconds']:.2f}, most {costs[-1]:.2f}; {options['workers']} workers a replica, "
        f"load {options['load']:.0%}"
    )
    by_size: dict[int, dict[str, str]] = {}
    for row in document["size"]:
        by_size.setdefault(row["replicas"], {})[row["balancer"]] = _times(row)
    size = [["replicas", *BALANCERS]]
    size += [[str(count), *(row[name] for name in BALANCERS)] for count, row in by_size.items()]
    burst = [["burst", "p50 / p99 in s", "refused", "most replicas"]]
    burst += [
        [name, _times(row), f"{row['refused']:.1%}", str(row["most_replicas"])]
        for name, row in document["burst"].items()
    ]
    rollout = [["replicas in a rollout", "p50 / p99 in s", "refused", "lost"]]
    rollout += [
        [name, _times(row), f"{row['refused']:.2%}", f"{row['lost']:.2%}"]
        for name, row in document["rollout"].items()
    ]
    failure = [["a replica crashes once in", "p50 / p99 in s", "lost of a million"]]
    failure += [[name, _times(row), f"{1e6 * row['lost']:.0f}"] for name, row in document["failure"].items()]
    price = [["machine", "$ for a million pages", "costs as much as the first at … × its CPU time"]]
    price += [[row["machine"], f"{row['dollars']:.2f}", f"{row['same_at']:.2f}"] for row in document["price"]]
    return [about, size, burst, rollout, failure, price, limits(document)]


def _times(row: Mapping[str, Any]) -> str:
    return " / ".join("" if row[name] is None else f"{row[name]:.2f}" for name in ("p50", "p99"))


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Draw the tail over the size, and the burst over the time."""
    size: dict[str, list[tuple[float, float]]] = {name: [] for name in BALANCERS}
    for row in document["size"]:
        size[row["balancer"]].append((row["replicas"], row["p99"]))
    slowest = {
        name: [(each["seconds"] / 60, each["p99"]) for each in row["curve"] if each["p99"] is not None]
        for name, row in document["burst"].items()
    }
    refused = {
        name: [(each["seconds"] / 60, 100 * each["refused"]) for each in row["curve"]]
        for name, row in document["burst"].items()
    }
    title = f"{document['options']['model']}, load {document['options']['load']:.0%}"
    plots.plot(path, [("p99 in s", "by balancer", size)], x="replicas", title=f"Simulated: {title}", log=True)
    burst = path.with_stem(f"{path.stem}-burst")
    panels = [("p99 in s", "", slowest), ("refused in %", "", refused)]
    plots.plot(burst, panels, x="minutes", title=f"Simulated: three times the load for five minutes, {title}")


if __name__ == "__main__":
    main()
