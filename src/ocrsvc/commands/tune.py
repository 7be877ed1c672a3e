"""``ocrsvc tune``: measures which settings are fastest on this machine and saves them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING, Any

from ocrsvc.diagnosis import configuration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocrsvc.diagnosis.tuned import Candidate, Record, Step, Value
    from ocrsvc.settings import Settings

DEFAULT_SECONDS = 45.0
BUSY_SHARE = 0.8  # share of the cores below which other programs disturbed the measurement

EPILOG = """\
examples:
  ocrsvc tune                        the default model, 45 seconds
  ocrsvc tune --model crnn-fast
  ocrsvc tune --json | jq .steps
  ocrsvc doctor                      the settings in force, and why

Run it on an idle machine. A setting changes only if it reads more lines a second by more than the noise of the
measurement (docs/tuning.md). `ocrsvc serve` and `ocrsvc read` use the saved settings; OCRSVC_* variables and
arguments take precedence, and --no-tune ignores them.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "tune",
        help="find and save the fastest settings for this machine",
        description="Measure which precision, workers, threads, arena and batch time read most lines, and save them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--model", metavar="NAME", help="recogniser (see `ocrsvc models`), or a model folder")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        metavar="S",
        default=DEFAULT_SECONDS,
        help=f"about how long to measure (default: {DEFAULT_SECONDS:.0f})",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of lines")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print the results, save the record; return 0."""
    settings = configuration.load(model=options.model)

    from ocrsvc.diagnosis import tuned, tuner
    from ocrsvc.machine import cpu
    from ocrsvc.models.registry import Registry

    spec = Registry(settings).spec(settings.model)
    machine = cpu.inspect(cores=settings.workers)
    told = (lambda step: None) if options.json else _tell
    if not options.json:
        print(
            f"{spec.name} on {machine.model or machine.architecture}, {machine.effective} cores", flush=True
        )
    record = asyncio.run(
        tuner.tune(spec, machine, seconds=options.seconds, max_batch=settings.max_batch, report=told)
    )
    if options.json:
        print(tuned.dump(record).decode())
    _keep(record, tuned.folder_of(settings), quiet=options.json)
    _remark(record, settings)
    return 0


def _tell(step: Step) -> None:
    print()
    for index, candidate in enumerate(step.candidates):
        mark = "*" if index == step.chosen else " "
        words = "  the default" if index == 0 else f"  {_compared(candidate)}"
        rate = f"{candidate.figure.lines_per_second:9.1f} lines/s" if candidate.figure.rounds else ""
        print(f"{mark} {_words(candidate.values).ljust(28)}{rate}{words}", flush=True)


def _compared(candidate: Candidate) -> str:
    figure = candidate.figure
    if not figure.rounds:
        return "not measured: no time left"
    return f"{figure.gain:+.1%} (noise {figure.noise:.1%}, {figure.rounds} rounds)"


def _words(values: Mapping[str, Value]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def _keep(record: Record, folder: Path, *, quiet: bool) -> None:
    from ocrsvc.diagnosis import tuned

    choice = record.choice
    try:
        path = tuned.store(folder, record)
    except OSError as error:
        variables = " ".join(f"OCRSVC_{name.upper()}={value}" for name, value in choice.items())
        _warn(
            f"{folder} cannot be written ({error.strerror}): "
            + (
                f"set {variables} instead, or OCRSVC_CACHE_DIR"
                if choice
                else "nothing is lost, defaults are best"
            )
        )
        return
    if not quiet:
        best = _words(choice) if choice else "the defaults; nothing was better by more than the noise"
        print(f"\nchosen: {best}\nkept in {path}")


def _remark(record: Record, settings: Settings) -> None:
    """Warn about circumstances that limit the validity or the use of the record."""
    from ocrsvc.diagnosis.choice import MIN_ROUNDS
    from ocrsvc.diagnosis.tuned import KNOBS

    if any(step.candidates[0].figure.rounds < MIN_ROUNDS for step in record.steps):
        _warn(f"some settings had fewer than {MIN_ROUNDS} rounds and keep their defaults: try more --seconds")
    if record.cpu_share < BUSY_SHARE:
        _warn(
            f"the measuring got {record.cpu_share:.0%} of the cores: something else runs here, tune again later"
        )
    explicit = [name for name in KNOBS if name in settings.model_fields_set]
    if explicit:
        names = ", ".join(f"OCRSVC_{name.upper()}" for name in explicit)
        _warn(f"{names} is set and wins over what was found here")
    if not settings.tune:
        _warn("OCRSVC_TUNE is off: serve and read will not use this")


def _warn(message: str) -> None:
    print(f"ocrsvc: {message}", file=sys.stderr)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 3600, not {value!r}")
    return seconds
