"""What the machine really gives us: effective cores, how they hang together, and instruction-set flags.

ONNX Runtime and ``os.cpu_count()`` see the host; a container sees its CFS quota and its affinity mask
(onnxruntime #29510, unstructured-inference #346). Paths are under an injectable root so that tests can draw a
machine.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ocrsvc.machine import cgroup
from ocrsvc.machine.cgroup import text

# Flags that decide something here: 8-bit dot products, wide vectors, half and brain floats.
_X86 = frozenset({"avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8"})
_ARM = frozenset({"asimd", "asimddp", "asimdhp", "fphp", "bf16", "i8mm", "sve", "sve2"})
# 8-bit products: dot products of VNNI and ARM, but AVX2 gains as well (docs/decisions/0017).
_INT8 = frozenset({"avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
# What tells processors apart whose model name is the same, as virtual machines show them, or that have none (ARM).
_ARM_NAME = ("CPU implementer", "CPU variant", "CPU part")


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor as this process may use it.

    ``affinity`` counts the hardware threads that affinity mask and cpusets leave, ``physical`` the cores that they
    are on (fewer with SMT; None: unknown), ``nodes`` the NUMA nodes that they are spread over. ``quota`` is the
    cgroup limit in cores (None: none); ``effective`` what models should use, at least 1.
    """

    architecture: str
    model: str
    affinity: int
    quota: float | None
    effective: int
    flags: frozenset[str]
    physical: int | None = None
    nodes: int = 1

    @property
    def gains_from_int8(self) -> bool:
        """Whether 8-bit weights are worth it: AVX2 and better on x86, dot products on ARM (Kunpeng 920 has them)."""
        return bool(self.flags & _INT8)


def inspect(*, cores: int | None = None, root: Path = Path("/"), cpus: Collection[int] | None = None) -> Cpu:
    """Measure the machine below ``root``; ``cores`` is an upper limit set by the operator, ``cpus`` are the numbers
    of the hardware threads that may be used (default: the affinity mask, from which the kernel takes cpusets).
    """
    available = frozenset(affinity() if cpus is None else cpus)
    quota = cgroup.quota(root)
    limits = [len(available)]
    if quota is not None:
        # Rounded down: 2.5 cores worth of quota with 3 busy threads is throttled for a third of each period.
        limits.append(int(quota))
    if cores is not None:
        limits.append(cores)
    model, flags = _cpuinfo(root)
    return Cpu(
        architecture=platform.machine(),
        model=model,
        affinity=len(available),
        quota=quota,
        effective=max(1, min(limits)),
        flags=flags & (_X86 | _ARM),
        physical=_physical(root, available),
        nodes=len(numa_nodes(root, available)),
    )


def numa_nodes(root: Path = Path("/"), cpus: Collection[int] | None = None) -> list[list[int]]:
    """The hardware threads that may be used, by NUMA node; threads of one core stand side by side.

    Nodes without any are left out; where the machine does not say, all are one node.
    """
    available = frozenset(affinity() if cpus is None else cpus)
    lists = (root / "sys/devices/system/node").glob("node[0-9]*/cpulist")
    found = sorted((part for each in lists if (part := numbers(text(each)) & available)), key=min)
    places = root / "sys/devices/system/cpu"

    def core(number: int) -> tuple[int, int]:
        siblings = numbers(text(places / f"cpu{number}/topology/thread_siblings_list"))
        return min(siblings, default=number), number

    return [sorted(part, key=core) for part in found or [available]]


def affinity() -> Collection[int]:
    """The numbers of the hardware threads that this process may use."""
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # not on macOS or Windows
        return range(os.cpu_count() or 1)


def _physical(root: Path, cpus: Collection[int]) -> int | None:
    """How many cores these hardware threads are on; None if one of them does not say."""
    places = root / "sys/devices/system/cpu"
    siblings = {text(places / f"cpu{number}/topology/thread_siblings_list").strip() for number in cpus}
    return None if "" in siblings else len(siblings)


def numbers(listed: str) -> frozenset[int]:
    """The numbers in a list as the kernel writes it, such as ``0-3,8,10-11``; what is no number is left out."""
    found: set[int] = set()
    for part in listed.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _cpuinfo(root: Path) -> tuple[str, frozenset[str]]:
    """Return (model name, flags) of the first processor in /proc/cpuinfo; x86 says flags, ARM Features.

    ARM has no model names there, only numbers of who made which part: then those are the name.
    """
    first: dict[str, str] = {}
    for line in text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        first.setdefault(key.strip(), value.strip())
    part = [f"{key.removeprefix('CPU ')} {first[key]}" for key in _ARM_NAME if first.get(key)]
    flags = first.get("flags") or first.get("Features") or ""
    return first.get("model name") or " ".join(part), frozenset(flags.split())
