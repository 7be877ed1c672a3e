"""Three times the requests that the server can answer: what it still answers, how soon, and how soon it refuses.

    python bench/overload.py --rounds 5 --seconds 20 --json out.json

--clients clients that wait for their answers find the lines/s that the server reads with all cores busy. Then two
phases take turns:

  capacity  the same clients again
  overload  requests at random times (Poisson), --times as many as in the calibration, whatever is still unanswered

"goodput" is what is answered with 200 within the phase, over that of the capacity of the same round. The generator and
the refusals take CPU time from the same cores. "accepted" is the time of the requests answered with 200, of which none
may be longer than the deadline, "refused" that of those answered with 503. In the end one client asks one line after
another: "recovery" is how long it takes until the first is read, after the last request of the overload.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
import load
import numbers_drawn
import serving
from harness import percentile

PHASES = ("capacity", "overload")
_COUNTS = ("answered", "refused", "others")
_PICTURES = 400
_LEAST = 1e-9  # a second, where nothing was answered in the time of the phase
_CALIBRATING_SECONDS = 8.0
_MOST_RECOVERY_SECONDS = 120.0


def main() -> None:
    options = parse()
    document = harness.head(options)
    settings = {"model": options.model, "deadline_seconds": options.deadline}
    with tempfile.TemporaryDirectory() as folder, serving.ours(**settings) as server:
        files = lines(Path(folder))
        busy = load.Stream("lines", files, clients=options.clients)
        load.run(server.port, [busy], options.calibration_seconds / 4)
        calibration = load.run(server.port, [busy], options.calibration_seconds)
        capacity = len(calibration.streams["lines"].good()) / calibration.wall_seconds
        if not capacity:
            raise SystemExit("the server did not answer in the calibration")

        def turn(phase: str, seed: int) -> dict[str, float | None]:
            rate = options.times * capacity
            stream = busy if phase == "capacity" else load.Stream("lines", files, per_second=rate, seed=seed)
            outcome = load.run(server.port, [stream], options.seconds)
            found = figures(outcome)
            if phase == "overload":
                found["recovery_ms"] = recovery(server.port, files)
            return found

        turns = harness.take_turns(PHASES, options.rounds, turn)
        document["alive"] = server.process.is_running()
    document |= {"lines_per_second": capacity, "requests_per_second": options.times * capacity}
    document["phases"] = {
        phase: harness.summary([each[phase] for each in turns], _COUNTS) for phase in PHASES
    }
    document["goodput"] = harness.ratio(
        *([each[phase]["good_per_second"] or _LEAST for each in turns] for phase in reversed(PHASES))
    )
    harness.finish(options, document | {"turns": turns}, parts(document))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "overload", rounds=5, seconds=20, model=True)
    add = parser.add_argument
    add("--clients", type=harness.positive, default=32, help="of the capacity (default: %(default)s)")
    add("--times", type=float, default=3.0, help="the capacity (default: %(default)s)")
    add("--deadline", type=float, default=5.0, help="of a request, in seconds (default: %(default)s)")
    add("--calibration-seconds", type=float, default=_CALIBRATING_SECONDS, help="default: %(default)s")
    parser.set_defaults(model="crnn-fast")
    return parser.parse_args()


def lines(folder: Path) -> list[str]:
    """Write requests with lines of different widths, and return their paths."""
    rng = random.Random(0)
    drawn = (
        numbers_drawn.drawn(numbers_drawn.number(index), rng.randrange(16)) for index in range(_PICTURES)
    )
    return load.save_pictures(folder, map(numbers_drawn.png, drawn), "line")


def good_per_second(outcome: load.Outcome) -> float:
    """Return how many requests were answered with 200 in a second of the time."""
    return outcome.streams["lines"].done(outcome.seconds, outcome.begun) / outcome.seconds


def figures(outcome: load.Outcome) -> dict[str, float | None]:
    """Return the figures of one phase of one round."""
    answers = outcome.streams["lines"]
    refused = sorted(ms for ms, status in zip(answers.ms, answers.status, strict=True) if status == 503)
    good = sorted(answers.good())
    return {
        "good_per_second": good_per_second(outcome),
        "answered": len(good),
        "refused": len(refused),
        "others": len(answers.status) - len(good) - len(refused),
        "accepted_p50_ms": percentile(good, 50) if good else None,
        "accepted_p99_ms": percentile(good, 99) if good else None,
        "accepted_max_ms": good[-1] if good else None,
        "refused_p50_ms": percentile(refused, 50) if refused else None,
        "refused_p99_ms": percentile(refused, 99) if refused else None,
        "recovery_ms": None,
    }


def recovery(port: int, files: Sequence[str]) -> float:
    """Return how long it takes until a line is read, in ms."""
    begun = time.monotonic()
    for path in files:
        status, _ = serving.ask(
            port, Path(path).read_bytes().replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        )
        if status == 200 or time.monotonic() - begun > _MOST_RECOVERY_SECONDS:
            break
        time.sleep(0.05)
    return 1000 * (time.monotonic() - begun)


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return what the server can do, and a row for each phase."""
    options = document["options"]
    about = (
        f"{options['model']}, {options['rounds']} rounds of {options['seconds']:g} s; deadline "
        f"{options['deadline']:g} s\n{document['lines_per_second']:.1f} lines/s with all cores busy; overload: "
        f"{document['requests_per_second']:.0f} requests/s; goodput {_shown(document['goodput'], 2)} of the capacity"
    )
    heads = "phase,200,503,others,200/s,accepted p50 ms,p99 ms,longest ms,refused p50 ms,p99 ms,recovery ms"
    rows = [heads.split(",")]
    for phase, each in document["phases"].items():
        counts = [str(each[name]) for name in _COUNTS]
        names = ("accepted_p50_ms", "accepted_p99_ms", "accepted_max_ms")
        late = ("refused_p50_ms", "refused_p99_ms", "recovery_ms")
        values = [_shown(each[name], 0) for name in (*names, *late)]
        rows.append([phase, *counts, _shown(each["good_per_second"], 1), *values])
    return [about, rows]


def _shown(value: Mapping[str, float] | None, digits: int) -> str:
    return harness.cells(value, digits)[0]


if __name__ == "__main__":
    main()
