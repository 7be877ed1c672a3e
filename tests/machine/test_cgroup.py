"""Quotas of drawn cgroup trees, v1 and v2, and of a real group where this machine lets us make one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrsvc.machine import cgroup

V2_MOUNT = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 {top} {base} rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
)


def write(root: Path, path: str, text: str) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def limit_v1(root: Path, folder: str, quota: int, period: int = 100_000) -> None:
    write(root, f"{folder}/cpu.cfs_quota_us", f"{quota}\n")
    write(root, f"{folder}/cpu.cfs_period_us", f"{period}\n")


@pytest.fixture(params=[True, False], ids=["mountinfo", "no mountinfo"])
def v2(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A machine with cgroup v2, with and without /proc/self/mountinfo."""
    if request.param:
        write(tmp_path, "proc/self/mountinfo", V2_MOUNT)
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    return tmp_path


@pytest.mark.parametrize(
    ("cpu_max", "cores"),
    [
        ("400000 100000", 4.0),
        ("50000 100000\n", 0.5),
        ("max 100000", None),
        ("garbage", None),
        ("", None),
        ("1 0", None),
    ],
)
def test_v2_limits_by_cpu_max(v2: Path, cpu_max: str, cores: float | None) -> None:
    write(v2, "sys/fs/cgroup/cpu.max", cpu_max)
    assert cgroup.quota(v2) == cores


def test_the_quota_of_a_parent_group_binds_too(v2: Path) -> None:
    write(v2, "proc/self/cgroup", "0::/pods/burst/box\n")
    write(v2, "sys/fs/cgroup/pods/burst/box/cpu.max", "max 100000")
    write(v2, "sys/fs/cgroup/pods/burst/cpu.max", "800000 100000")
    write(v2, "sys/fs/cgroup/pods/cpu.max", "300000 100000")
    write(v2, "sys/fs/cgroup/other/cpu.max", "100000 100000")  # somebody else's
    assert cgroup.quota(v2) == 3.0


@pytest.mark.parametrize("told", ["/../../elsewhere", "/docker/abc", "/"])
def test_a_container_that_sees_only_its_own_mount_finds_its_quota(v2: Path, told: str) -> None:
    write(v2, "proc/self/cgroup", f"0::{told}\n")
    write(v2, "sys/fs/cgroup/cpu.max", "150000 100000")
    assert cgroup.quota(v2) == 1.5


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpuacct,cpu", "cpu"])
def test_a_v1_quota_counts_wherever_it_is_usually_mounted(tmp_path: Path, folder: str) -> None:
    write(tmp_path, "proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n")
    limit_v1(tmp_path, f"sys/fs/cgroup/{folder}/docker/abc", 350_000)
    limit_v1(tmp_path, f"sys/fs/cgroup/{folder}", -1)  # how v1 says that there is none
    assert cgroup.quota(tmp_path) == 3.5


@pytest.mark.parametrize(
    ("base", "folder"),
    [("/sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpu,cpuacct"), ("/dev/cg\\040roups/c", "dev/cg roups/c")],
)
def test_a_v1_quota_counts_wherever_it_is_mounted(tmp_path: Path, base: str, folder: str) -> None:
    write(tmp_path, "proc/self/mountinfo", V1_MOUNTS.format(top="/", base=base))
    write(tmp_path, "proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n0::/\n")
    limit_v1(tmp_path, f"{folder}/docker", 250_000)
    assert cgroup.quota(tmp_path) == 2.5


def test_a_container_of_v1_is_told_its_path_on_the_host(tmp_path: Path) -> None:
    base = "/sys/fs/cgroup/cpu"
    write(tmp_path, "proc/self/mountinfo", V1_MOUNTS.format(top="/docker/abc", base=base))
    write(tmp_path, "proc/self/cgroup", "4:cpu:/docker/abc/inner\n")
    limit_v1(tmp_path, f"{base[1:]}/inner", 400_000)
    limit_v1(tmp_path, base[1:], 200_000)
    assert cgroup.quota(tmp_path) == 2.0


def test_with_both_versions_mounted_the_tighter_one_counts(tmp_path: Path) -> None:
    unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    mounts = V1_MOUNTS.format(top="/", base="/sys/fs/cgroup/cpu") + unified
    write(tmp_path, "proc/self/mountinfo", mounts)
    write(tmp_path, "proc/self/cgroup", "4:cpu:/a\n1:name=systemd:/x\n0::/b\n")
    limit_v1(tmp_path, "sys/fs/cgroup/cpu/a", 600_000)
    assert cgroup.quota(tmp_path) == 6.0
    write(tmp_path, "sys/fs/cgroup/unified/b/cpu.max", "500000 100000")
    assert cgroup.quota(tmp_path) == 5.0


def test_a_machine_without_cgroups_has_no_quota(tmp_path: Path) -> None:
    assert cgroup.quota(tmp_path) is None
    write(tmp_path, "proc/self/mountinfo", "nothing that makes sense\n")
    assert cgroup.quota(tmp_path) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [("536870912\n", 536870912), ("max\n", None), ("", None), ("-1", None), ("0", None)],
)
def test_v2_limits_memory(v2: Path, written: str, expected: int | None) -> None:
    write(v2, "sys/fs/cgroup/memory.max", written)
    assert cgroup.memory_bytes(v2) == expected


@pytest.mark.parametrize("told", [True, False], ids=["mountinfo", "no mountinfo"])
def test_v1_limits_memory(tmp_path: Path, told: bool) -> None:
    if told:
        write(tmp_path, "proc/self/mountinfo", V1_MOUNTS.format(top="/", base="/sys/fs/cgroup/cpu"))
    write(tmp_path, "proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/elsewhere\n")
    write(tmp_path, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "1073741824\n")
    write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")  # none
    assert cgroup.memory_bytes(tmp_path) == 1073741824
    write(tmp_path, "sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "536870912\n")
    assert cgroup.memory_bytes(tmp_path) == 536870912


@pytest.fixture
def real_group() -> Iterator[Path]:
    """A group with a quota of one and a half cores, made below one of this machine's mounts."""
    name = f"ocrsvc-test-{os.getpid()}"
    for base in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup")):
        group = base / name
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_quota_us").write_text("150000")
            elif (group / "cpu.max").exists():
                (group / "cpu.max").write_text("150000 100000")
            else:
                continue
            yield group
            return
        except OSError:
            continue
        finally:
            with contextlib.suppress(OSError):
                group.rmdir()
    pytest.skip("no cgroup may be made here")


def test_a_real_quota_is_seen_from_inside(real_group: Path) -> None:
    code = "from ocrsvc.machine import cgroup; print(cgroup.quota())"
    shell = f"echo $$ > {real_group}/cgroup.procs && exec {sys.executable} -c '{code}'"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode and "cgroup.procs" in done.stderr:
        pytest.skip("no process may be moved here")
    assert done.stdout.strip(), done.stderr
    assert 0 < float(done.stdout) <= 1.5
