"""Candidate settings that ``ocrsvc tune`` compares with the defaults, and the least gain of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ocrsvc.diagnosis.tuned import Value
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.settings import Precision, Settings

# Least gains to replace the default, as shares of its lines/s.
_LEAST_GAIN = 0.03  # without other costs
_LEAST_GAIN_ARENA = 0.10  # without the arena, memory grows and fragments (docs/decisions/0007)
# Values and their least gains: batches that take longer make other requests wait longer.
_T_MAX_MS = ((20.0, 0.03), (80.0, 0.03), (160.0, 0.06))
_MOST_FOR_ONE_RUN = 8  # cores; on more, one run at a time is too slow and would use up the measuring time


@dataclass(frozen=True, slots=True)
class Setup:
    """Values of all settings that are measured."""

    precision: Precision
    workers: int
    run_threads: int
    arena: bool
    t_max_ms: float

    def values(self, group: Sequence[str]) -> dict[str, Value]:
        """Return the values of one group of settings."""
        return {name: getattr(self, name) for name in group}


def default(spec: Manifest, cpu: Cpu) -> Setup:
    """Return the settings of this machine without tuning."""
    fields = Settings.model_fields
    file = spec.weights("auto", cpu)
    precision: Precision = "int8" if spec.files.get("int8") is file else "fp32"
    return Setup(
        precision,
        cpu.effective,
        fields["run_threads"].default,
        fields["arena"].default,
        fields["t_max_ms"].default,
    )


def candidates(group: Sequence[str], base: Setup, spec: Manifest, cpu: Cpu) -> list[tuple[Setup, float]]:
    """Return the setups to compare for one group with their least gains: ``base``, then those that cost least."""
    others: list[tuple[Setup, float]] = []
    if "precision" in group and base.precision == "int8" and "fp32" in spec.files:
        # int8 is never a candidate against fp32: a request may name a model that has only fp32.
        others = [(replace(base, precision="fp32"), _LEAST_GAIN)]
    elif "workers" in group:
        others = [
            (replace(base, workers=workers, run_threads=threads), _LEAST_GAIN)
            for workers, threads in _layouts(cpu)
        ]
    elif "arena" in group:
        others = [(replace(base, arena=False), _LEAST_GAIN_ARENA)]
    elif "t_max_ms" in group:
        others = [(replace(base, t_max_ms=value), gain) for value, gain in _T_MAX_MS]
    return [(base, 0.0), *((setup, gain) for setup, gain in others if setup != base)]


def _layouts(cpu: Cpu) -> Iterator[tuple[int, int]]:
    """Yield alternatives to one worker a core: (workers, threads of a run); n threads add a pool of n - 1."""
    cores = cpu.effective
    if cpu.physical and cpu.physical < cores:
        yield cpu.physical, 1  # hardware threads of a core share its arithmetic units
    if cores >= 4:
        yield cores // 2, cores - cores // 2 + 1
    if 2 <= cores <= _MOST_FOR_ONE_RUN:
        yield 1, cores
