"""Effective cores, their topology and instruction-set flags of the machine, as available to this process.

ONNX Runtime and ``os.cpu_count()`` report the host, not the container's CFS quota and affinity mask (onnxruntime
#29510, unstructured-inference #346). Functions take a ``root``, so that tests can simulate a machine.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ocrsvc.machine import cgroup
from ocrsvc.machine.cgroup import text

# Flags that are used: 8-bit dot products, wide vectors, half and brain floats.
_X86 = frozenset({"avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8"})
_ARM = frozenset({"asimd", "asimddp", "asimdhp", "fphp", "bf16", "i8mm", "sve", "sve2"})
# Flags with which int8 is faster: dot products of VNNI and ARM, and also AVX2 (docs/decisions/0017).
_INT8 = frozenset({"avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
# Fields that name a processor on ARM, which has no model name.
_ARM_NAME = ("CPU implementer", "CPU variant", "CPU part")


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor as this process may use it.

    ``affinity``: hardware threads in the affinity mask; ``physical``: their cores (fewer with SMT; None: unknown);
    ``nodes``: their NUMA nodes. ``quota``: cgroup limit in cores (None: none); ``effective``: cores for models, from 1.
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
        """Return whether 8-bit weights are faster: AVX2 and better on x86, dot products on ARM (as on Kunpeng 920)."""
        return bool(self.flags & _INT8)


def inspect(*, cores: int | None = None, root: Path = Path("/"), cpus: Collection[int] | None = None) -> Cpu:
    """Inspect the machine below ``root``; ``cores`` is the operator's limit, ``cpus`` the usable hardware threads.

    ``cpus`` defaults to the affinity mask, to which the kernel applies cpusets.
    """
    available = frozenset(affinity() if cpus is None else cpus)
    quota = cgroup.quota(root)
    limits = [len(available)]
    if quota is not None:
        # Rounded down: with a quota of 2.5 cores, 3 busy threads are throttled for a sixth of each period.
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
    """Return the usable hardware threads by NUMA node, threads of one core next to each other.

    Nodes without any are left out; if the system does not report nodes, there is one.
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
    """Return the numbers of the hardware threads that this process may use."""
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # not on macOS or Windows
        return range(os.cpu_count() or 1)


def _physical(root: Path, cpus: Collection[int]) -> int | None:
    """Return the number of cores of these hardware threads; None if unknown for one of them."""
    places = root / "sys/devices/system/cpu"
    siblings = {text(places / f"cpu{number}/topology/thread_siblings_list").strip() for number in cpus}
    return None if "" in siblings else len(siblings)


def numbers(listed: str) -> frozenset[int]:
    """Return the numbers in a list of the kernel such as ``0-3,8,10-11``, without invalid parts."""
    found: set[int] = set()
    for part in listed.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _cpuinfo(root: Path) -> tuple[str, frozenset[str]]:
    """Return model name and flags of the first processor in /proc/cpuinfo.

    ARM calls its flags Features and has no model names, so the numbers of implementer, variant and part are the name.
    """
    first: dict[str, str] = {}
    for line in text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        first.setdefault(key.strip(), value.strip())
    part = [f"{key.removeprefix('CPU ')} {first[key]}" for key in _ARM_NAME if first.get(key)]
    flags = first.get("flags") or first.get("Features") or ""
    return first.get("model name") or " ".join(part), frozenset(flags.split())
