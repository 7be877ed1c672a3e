"""What the machine really gives us: effective cores and instruction-set flags.

ONNX Runtime and ``os.cpu_count()`` see the host; a container sees its CFS quota and its affinity mask
(onnxruntime #29510, unstructured-inference #346). Paths are under an injectable root so that tests can draw a
machine.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Flags that decide something here: 8-bit dot products, wide vectors, half and brain floats.
_X86 = frozenset({"avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8"})
_ARM = frozenset({"asimd", "asimddp", "asimdhp", "fphp", "bf16", "i8mm", "sve", "sve2"})
# 8-bit products: dot products of VNNI and ARM, but AVX2 gains as well (docs/decisions.md).
_INT8 = frozenset({"avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor as this process may use it.

    ``quota`` is the cgroup limit in cores (None: none); ``effective`` what models should use, at least 1.
    """

    architecture: str
    model: str
    affinity: int
    quota: float | None
    effective: int
    flags: frozenset[str]

    @property
    def gains_from_int8(self) -> bool:
        """Whether 8-bit weights are worth it: AVX2 and better on x86, dot products on ARM (Kunpeng 920 has them)."""
        return bool(self.flags & _INT8)


def inspect(*, cores: int | None = None, root: Path = Path("/"), affinity: int | None = None) -> Cpu:
    """Measure the machine below ``root``; ``cores`` is an upper limit set by the operator."""
    available = affinity if affinity is not None else _affinity()
    quota = cgroup_quota(root)
    limits = [available]
    if quota is not None:
        # Rounded down: 2.5 cores worth of quota with 3 busy threads is throttled for a third of each period.
        limits.append(int(quota))
    if cores is not None:
        limits.append(cores)
    model, flags = _cpuinfo(root)
    return Cpu(
        architecture=platform.machine(),
        model=model,
        affinity=available,
        quota=quota,
        effective=max(1, min(limits)),
        flags=flags & (_X86 | _ARM),
    )


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """The tightest CPU quota of this process's cgroup and all above it, in cores; None without one.

    Reads cgroup v2 (``cpu.max``) and v1 (``cpu.cfs_quota_us`` over ``cpu.cfs_period_us``), because a parent's
    limit binds its children and a container may or may not see its own path.
    """
    mount = root / "sys/fs/cgroup"
    found: list[float] = []
    for controllers, group in _memberships(root):
        if controllers == {""}:
            found += _walk(mount, group, _quota_v2)
        elif "cpu" in controllers:
            for base in (mount / ",".join(sorted(controllers)), mount / "cpu,cpuacct", mount / "cpu"):
                found += _walk(base, group, _quota_v1)
    found += [q for q in (_quota_v2(mount), _quota_v1(mount / "cpu")) if q is not None]
    return min(found) if found else None


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def _memberships(root: Path) -> list[tuple[set[str], PurePosixPath]]:
    """(controllers, path) of each line of /proc/self/cgroup; the v2 line has the one controller ''."""
    rows = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        rows.append((set(controllers.split(",")), PurePosixPath(path or "/")))
    return rows


def _walk(base: Path, group: PurePosixPath, quota_of: Callable[[Path], float | None]) -> list[float]:
    """The quotas of a group and of all groups above it."""
    relative = PurePosixPath(str(group).lstrip("/"))
    folders = [base / relative, *(base / parent for parent in relative.parents)]
    return [quota for folder in folders if (quota := quota_of(folder)) is not None]


def _quota_v2(folder: Path) -> float | None:
    fields = _text(folder / "cpu.max").split()
    if len(fields) != 2 or fields[0] == "max":
        return None
    return _ratio(fields[0], fields[1])


def _quota_v1(folder: Path) -> float | None:
    return _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None  # v1 writes -1 for "no limit"


def _cpuinfo(root: Path) -> tuple[str, frozenset[str]]:
    """(model name, flags) of the first processor that /proc/cpuinfo lists; x86 says flags, ARM Features."""
    model, flags = "", frozenset[str]()
    for line in _text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and not model:
            model = value.strip()
        elif key.strip() in ("flags", "Features") and not flags:
            flags = frozenset(value.split())
    return model, flags


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
