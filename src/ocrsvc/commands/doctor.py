"""``ocrsvc doctor``: checks whether this machine is set up well."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ocrsvc.commands import arguments
from ocrsvc.diagnosis import configuration

if TYPE_CHECKING:
    from ocrsvc.diagnosis.configuration import Sourced
    from ocrsvc.diagnosis.doctor import Check

EPILOG = """\
examples:
  ocrsvc doctor
  OCRSVC_WORKERS=8 ocrsvc doctor      check other settings
  ocrsvc doctor --json | jq '.checks[] | select(.status != "ok")'

The exit status is 1 if a check fails; warnings do not count.
"""
COLOURS = {"ok": "32", "warning": "33", "problem": "31"}


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "doctor",
        help="check this machine, the models and the settings",
        description="Check cores, libraries, models and settings, then read generated pictures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--model", metavar="NAME", help="check as `serve --model NAME` would run")
    parser.add_argument("--workers", type=int, metavar="N", help="check as `serve --workers N` would run")
    arguments.add_providers(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of lines")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print every check; return 1 if one of them is a problem."""
    sourced = configuration.load_sourced(
        model=options.model, workers=options.workers, providers=options.providers
    )
    settings = sourced.settings
    done: list[Check] = []
    for check in _checks(sourced):
        done.append(check)
        if not options.json:
            _print(check)
    problems = sum(check.status == "problem" for check in done)
    if options.json:
        body = {
            "ok": problems == 0,
            "checks": [asdict(check) for check in done],
            "settings": settings.model_dump(mode="json"),
            "origins": dict(sourced.origins),
        }
        print(json.dumps(body, ensure_ascii=False, indent=2))
    elif problems:
        print(f"\n{problems} problem{'s' if problems > 1 else ''} found")
    else:
        print("\nAll well.")
    return 1 if problems else 0


def _checks(sourced: Sourced) -> Iterable[Check]:
    """Yield each check as soon as it is done."""
    from ocrsvc.diagnosis import doctor
    from ocrsvc.machine import cpu
    from ocrsvc.models.registry import Registry

    settings = sourced.settings
    machine = cpu.inspect()
    registry = Registry(settings)
    yield from doctor.software()
    yield from doctor.processor(machine, settings)
    yield doctor.in_force(settings)
    yield from doctor.choices(sourced, registry, machine)
    yield doctor.storage(settings)
    yield doctor.jobs(settings)
    found = list(doctor.models(registry, settings, machine))
    yield from found
    if all(check.status == "ok" for check in found):
        yield from asyncio.run(doctor.self_test(settings))


def _print(check: Check) -> None:
    label = check.status.ljust(7)
    if sys.stdout.isatty():
        label = f"\033[{COLOURS[check.status]}m{label}\033[0m"
    print(f"{label}  {check.name.ljust(24)}  {check.found}", flush=True)
    if check.advice:
        print(f"{'':7}  {'':24}  -> {check.advice}", flush=True)
