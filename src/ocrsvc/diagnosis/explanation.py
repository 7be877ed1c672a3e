"""Explains the value of each tunable setting, for ``ocrsvc doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ocrsvc.diagnosis.tuned import KNOBS, Candidate, Found, Origin, Record, Sourced, Step
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.settings import Settings

_BECAUSE: dict[str, str] = {
    "precision": "8-bit weights where the model has them and the processor gains from them",
    "workers": "as many as effective cores",
    "run_threads": "concurrent runs read more lines than runs that share cores",
    "arena": "memory stays bounded",
    "t_max_ms": "no line waits long for a core",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Effective value of a setting, its origin, and the reason in words."""

    name: str
    value: str
    origin: Origin
    because: str


def explain(sourced: Sourced, cpu: Cpu, spec: Manifest | None) -> Iterator[Explanation]:
    """Yield an explanation of each tunable setting; ``spec`` is the default model, None if it cannot be opened."""
    record = sourced.found.record
    for name in KNOBS:
        origin = sourced.origins[name]
        measured = _measured(name, record)
        if origin == "flag":
            because = f"--{name.replace('_', '-')}"
        elif origin == "environment":
            because = f"OCRSVC_{name.upper()}"
        elif origin == "tuned" and measured:
            because = _gained(name, measured)
        else:
            because = _BECAUSE[name] + (f"; {_alternatives(name, measured)}" if measured else "")
        if origin in ("flag", "environment") and record and (better := record.choice.get(name)) is not None:
            because += f"; tuned would be {better}"
        yield Explanation(name, _value(name, sourced.settings, cpu, spec), origin, because)


def tuning(found: Found, settings: Settings) -> tuple[str, str]:
    """Return the state of tuning on this machine and advice."""
    if not settings.tune:
        return "ignored, as was asked for", ""
    if found.warning:
        return found.warning, "run `ocrsvc tune`, or delete the file"
    if found.record is not None:
        return f"{found.record.measured_at}, in {found.record.seconds:g} s: {found.path}", ""
    if found.stale:
        return f"none that is valid: {found.stale}", "run `ocrsvc tune`"
    return "none; `ocrsvc tune` measures which settings suit this machine", ""


def _measured(name: str, record: Record | None) -> Step | None:
    for step in record.steps if record else ():
        if name in step.candidates[0].values:
            return step
    return None


def _gained(name: str, step: Step) -> str:
    chosen, default = step.candidates[step.chosen], step.candidates[0]
    figure = chosen.figure
    return (
        f"{figure.lines_per_second:.1f} lines/s, {figure.gain:+.1%} to {_told(name, default)} "
        f"(noise {figure.noise:.1%}, {figure.rounds} rounds)"
    )


def _alternatives(name: str, step: Step) -> str:
    others = [each for each in step.candidates[1:] if each.figure.rounds]
    if not others:
        return "there was no time to measure others"
    best = max(others, key=lambda each: each.figure.gain)
    return (
        f"measured {step.candidates[0].figure.lines_per_second:.1f} lines/s, best other {_told(name, best)} "
        f"{best.figure.gain:+.1%} (noise {best.figure.noise:.1%}, {best.figure.rounds} rounds)"
    )


def _told(name: str, candidate: Candidate) -> str:
    """Return a candidate's value of this setting, or all its values if there are others."""
    if len(candidate.values) == 1:
        return str(candidate.values[name])
    return " ".join(f"{key}={value}" for key, value in candidate.values.items())


def _value(name: str, settings: Settings, cpu: Cpu, spec: Manifest | None) -> str:
    if name == "workers":
        return str(settings.workers or cpu.effective)
    if name == "precision" and settings.precision == "auto" and spec is not None:
        file = spec.weights("auto", cpu)
        return next(each for each in spec.precisions if spec.files[each] is file)
    return str(getattr(settings, name))
