"""CPU quota and memory limit of this process from its container or systemd unit: cgroup v2, v1, or both.

Cpusets are not read: the kernel applies them to the affinity mask, which cpu.py reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Usual mount points, for systems that hide /proc/self/mountinfo.
_STANDARD_V2 = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
_STANDARD_V1 = {
    "cpu": ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpuacct,cpu"),
    "memory": ("sys/fs/cgroup/memory",),
}
_UNLIMITED_BYTES = 1 << 60


@dataclass(frozen=True, slots=True)
class _Mount:
    """A mounted hierarchy: ``base`` is the mount point, ``top`` the group visible there."""

    v2: bool
    base: Path
    top: PurePosixPath


def quota(root: Path = Path("/")) -> float | None:
    """Return the tightest CPU quota of this process's cgroup and its visible ancestors, in cores; None without one.

    Reads ``cpu.max`` of v2 and ``cpu.cfs_quota_us`` over ``cpu.cfs_period_us`` of v1. Ancestors count because their
    limits bind their children; shares and weights are not limits. ``root`` is for tests.
    """
    found = [
        cores
        for v2, folder in _folders(root, "cpu")
        if (cores := _quota_v2(folder) if v2 else _quota_v1(folder)) is not None
    ]
    return min(found, default=None)


def memory_bytes(root: Path = Path("/")) -> int | None:
    """Return the tightest memory limit in bytes of this process's cgroup and its visible ancestors; None without one.

    Reads ``memory.max`` of v2 and ``memory.limit_in_bytes`` of v1, in which a number near 2**63 means no limit.
    """
    found = []
    for v2, folder in _folders(root, "memory"):
        written = text(folder / ("memory.max" if v2 else "memory.limit_in_bytes")).strip()
        if written.isdigit() and 0 < int(written) < _UNLIMITED_BYTES:
            found.append(int(written))
    return min(found, default=None)


def text(path: Path) -> str:
    """Return the text of a file of the kernel; '' if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _folders(root: Path, controller: str) -> Iterator[tuple[bool, Path]]:
    """Yield the folders of this process's groups with that controller's files, and whether each is of v2."""
    group_v2, group_v1 = _groups(root, controller)
    for mount in _mounts(root, controller):
        for folder in _upwards(mount, group_v2 if mount.v2 else group_v1):
            yield mount.v2, folder


def _groups(root: Path, controller: str) -> tuple[PurePosixPath, PurePosixPath]:
    """Return this process's group in the v2 hierarchy and in v1's of a controller, from /proc/self/cgroup."""
    v2 = v1 = PurePosixPath("/")
    for line in text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            v2 = PurePosixPath(path or "/")
        elif controller in controllers.split(","):
            v1 = PurePosixPath(path or "/")
    return v2, v1


def _mounts(root: Path, controller: str) -> Iterator[_Mount]:
    """Yield the mounts of hierarchies with that controller, from /proc/self/mountinfo, else the usual ones."""
    known = False
    for line in text(root / "proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, _, options) = left.split(" "), [*right.split(" ", 2), "", "", ""][:3]
        if len(fields) < 5 or not (
            kind == "cgroup2" or (kind == "cgroup" and controller in options.split(","))
        ):
            continue
        known = True
        yield _Mount(
            kind == "cgroup2", root / _plain(fields[4]).lstrip("/"), PurePosixPath(_plain(fields[3]))
        )
    if not known:
        yield from (_Mount(True, root / place, PurePosixPath("/")) for place in _STANDARD_V2)
        yield from (_Mount(False, root / place, PurePosixPath("/")) for place in _STANDARD_V1[controller])


def _plain(escaped: str) -> str:
    """Unescape a path of mountinfo, in which a space is ``\\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), escaped)


def _upwards(mount: _Mount, group: PurePosixPath) -> Iterator[Path]:
    """Yield the folders of a group and its ancestors that are visible in this mount.

    Without a cgroup namespace, a container is given its path on the host but sees its own group at the mount point;
    after a move it is given a path with ``..``. In both cases only the mount point itself is yielded.
    """
    inside = group.relative_to(mount.top) if group.is_relative_to(mount.top) else PurePosixPath()
    if ".." not in inside.parts:
        yield from (mount.base / each for each in (inside, *inside.parents) if each.parts)
    yield mount.base


def _quota_v2(folder: Path) -> float | None:
    fields = text(folder / "cpu.max").split()
    return _ratio(*fields) if len(fields) == 2 else None


def _quota_v1(folder: Path) -> float | None:
    return _ratio(text(folder / "cpu.cfs_quota_us"), text(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None  # "max" means no limit in v2
    return cores if cores > 0 else None  # -1 means no limit in v1
