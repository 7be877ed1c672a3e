"""Explains the values of the settings that decide speed, for ``ocrsvc doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ocrsvc.diagnosis.configuration import Origin, Sourced
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.settings import Settings

# The settings, with the reason for each default (docs/decisions/0038-no-tuning.md has the measurements).
DEFAULTS: dict[str, str] = {
    "precision": "8-bit weights where the model has them and the processor gains from them",
    "workers": "as many as effective cores",
    "run_threads": "concurrent runs read more lines than runs that share cores",
    "arena": "memory of a run is kept for the next one",
    "t_max_ms": "longer batches read hardly more lines and hold a core for longer",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Effective value of a setting, its origin, and the reason in words."""

    name: str
    value: str
    origin: Origin
    reason: str


def explain(sourced: Sourced, cpu: Cpu, spec: Manifest | None) -> Iterator[Explanation]:
    """Yield one explanation for each of ``DEFAULTS``; ``spec`` is the default model, None if it cannot be opened."""
    for name, reason in DEFAULTS.items():
        origin = sourced.origins[name]
        if origin == "flag":
            reason = f"--{name.replace('_', '-')}"
        elif origin == "environment":
            reason = f"OCRSVC_{name.upper()}"
        yield Explanation(name, _value(name, sourced.settings, cpu, spec), origin, reason)


def _value(name: str, settings: Settings, cpu: Cpu, spec: Manifest | None) -> str:
    if name == "workers":
        return str(settings.workers or cpu.effective)
    if name == "precision" and settings.precision == "auto" and spec is not None:
        file = spec.weights("auto", cpu)
        return next(each for each in spec.precisions if spec.files[each] is file)
    return str(getattr(settings, name))
