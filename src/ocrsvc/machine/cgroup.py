"""The CPU quota and the memory that a container or a systemd unit gives this process: cgroup v2, v1, or both.

Cpusets need no look here: the kernel takes them out of the affinity mask, which cpu.py asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Where distributions mount them, for systems that hide /proc/self/mountinfo.
_STANDARD_V2 = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
_STANDARD_V1 = {
    "cpu": ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpuacct,cpu"),
    "memory": ("sys/fs/cgroup/memory",),
}
_UNLIMITED_BYTES = 1 << 60


@dataclass(frozen=True, slots=True)
class _Mount:
    """A mounted hierarchy: ``base`` is where, ``top`` the group that is seen there."""

    v2: bool
    base: Path
    top: PurePosixPath


def quota(root: Path = Path("/")) -> float | None:
    """The tightest CPU quota of this process's cgroup and of all above it that can be seen, in cores; None without
    one.

    Reads ``cpu.max`` of v2 and ``cpu.cfs_quota_us`` over ``cpu.cfs_period_us`` of v1, because a parent's limit
    binds its children. Shares and weights are no limits and do not count. ``root`` is there for tests.
    """
    found = [
        cores
        for v2, folder in _folders(root, "cpu")
        if (cores := _quota_v2(folder) if v2 else _quota_v1(folder)) is not None
    ]
    return min(found, default=None)


def memory_bytes(root: Path = Path("/")) -> int | None:
    """The tightest memory limit of this process's cgroup and of all above it that can be seen; None without one.

    Reads ``memory.max`` of v2 and ``memory.limit_in_bytes`` of v1, where no limit is a number near 2**63.
    """
    found = []
    for v2, folder in _folders(root, "memory"):
        written = text(folder / ("memory.max" if v2 else "memory.limit_in_bytes")).strip()
        if written.isdigit() and 0 < int(written) < _UNLIMITED_BYTES:
            found.append(int(written))
    return min(found, default=None)


def text(path: Path) -> str:
    """What a file of the kernel says; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _folders(root: Path, controller: str) -> Iterator[tuple[bool, Path]]:
    """The folders of this process's groups with that controller's files, and whether each is of v2."""
    group_v2, group_v1 = _groups(root, controller)
    for mount in _mounts(root, controller):
        for folder in _upwards(mount, group_v2 if mount.v2 else group_v1):
            yield mount.v2, folder


def _groups(root: Path, controller: str) -> tuple[PurePosixPath, PurePosixPath]:
    """This process's group in the v2 hierarchy and in v1's of a controller, from /proc/self/cgroup."""
    v2 = v1 = PurePosixPath("/")
    for line in text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            v2 = PurePosixPath(path or "/")
        elif controller in controllers.split(","):
            v1 = PurePosixPath(path or "/")
    return v2, v1


def _mounts(root: Path, controller: str) -> Iterator[_Mount]:
    """Every place where a hierarchy with that controller is mounted: /proc/self/mountinfo, else the usual ones."""
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
    """A path of mountinfo, in which a space is ``\\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), escaped)


def _upwards(mount: _Mount, group: PurePosixPath) -> Iterator[Path]:
    """The folders of a group and of all groups above it that this mount shows.

    A container without a cgroup namespace is told its path on the host but sees its own group at the mount; one
    that was moved is told a path with ``..``. Both leave the mount itself.
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
        return None  # v2 says "max" for no limit
    return cores if cores > 0 else None  # v1 says -1
