"""What ``ocrsvc tune`` measures against the defaults of a machine, and what each candidate has to bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ocrsvc.diagnosis.tuned import Value
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.settings import Precision, Settings

# What a candidate must bring at least, as a share of the default's lines/s, for what else it costs.
_LEAST_GAIN = 0.03  # being no default
_LEAST_GAIN_ARENA = 0.10  # without the arena memory ends in holes and more of it (docs/decisions/0007)
# Batches twice as long make everybody else wait twice as long; shorter ones cost nothing but their overhead.
_T_MAX_MS = ((20.0, 0.03), (80.0, 0.03), (160.0, 0.06))
_MOST_FOR_ONE_RUN = 8  # cores; on more, one run at a time cannot keep up and takes all the time to measure


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that are measured, all of them stated."""

    precision: Precision
    workers: int
    run_threads: int
    arena: bool
    t_max_ms: float

    def values(self, group: Sequence[str]) -> dict[str, Value]:
        """The settings of one group."""
        return {name: getattr(self, name) for name in group}


def default(spec: Manifest, cpu: Cpu) -> Setup:
    """What runs on this machine without tuning."""
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
    """The setups that answer one question, ``base`` first, then what costs least, each with its least gain."""
    others: list[tuple[Setup, float]] = []
    if "precision" in group and base.precision == "int8" and "fp32" in spec.files:
        # Never the other way: every model has fp32, and a request may name one that has nothing else.
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
    """Workers and threads of a run, other than one worker a core: a pool of n threads adds n - 1 to the workers'."""
    cores = cpu.effective
    if cpu.physical and cpu.physical < cores:
        yield cpu.physical, 1  # two hardware threads of a core share its arithmetic
    if cores >= 4:
        yield cores // 2, cores - cores // 2 + 1
    if 2 <= cores <= _MOST_FOR_ONE_RUN:
        yield 1, cores
