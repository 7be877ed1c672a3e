"""Effective cores and flags of drawn machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrsvc import cpu

KUNPENG = (
    "processor\t: 0\nFeatures\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimddp asimdfhm\n"
)
EPYC = "processor\t: 0\nmodel name\t: AMD EPYC 9B14\nflags\t\t: fpu avx avx2 fma avx512f avx512_vnni\n"
HASWELL = "model name : Intel Xeon E5 v3\nflags : fpu sse4_2 avx avx2 fma\n"
OLD_XEON = "model name : Intel Xeon E5\nflags : fpu sse4_2 avx\n"


def write(root: Path, path: str, text: str) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "proc/cpuinfo", EPYC)
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    return tmp_path


def test_without_limits_the_affinity_decides(root: Path) -> None:
    found = cpu.inspect(root=root, affinity=14)
    assert (found.effective, found.affinity, found.quota) == (14, 14, None)


@pytest.mark.parametrize(
    ("cpu_max", "effective"),
    [
        ("400000 100000", 4),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", 14),
        ("garbage", 14),
        ("", 14),
    ],
)
def test_a_v2_quota_is_rounded_down_but_never_to_zero(root: Path, cpu_max: str, effective: int) -> None:
    write(root, "sys/fs/cgroup/cpu.max", cpu_max)
    assert cpu.inspect(root=root, affinity=14).effective == effective


def test_the_quota_of_a_parent_group_binds_too(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/pods/burst/box\n")
    write(root, "sys/fs/cgroup/pods/burst/box/cpu.max", "max 100000")
    write(root, "sys/fs/cgroup/pods/burst/cpu.max", "800000 100000")
    write(root, "sys/fs/cgroup/pods/cpu.max", "300000 100000")
    assert cpu.cgroup_quota(root) == 3.0


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpu"])
def test_a_v1_quota_counts_wherever_it_is_mounted(root: Path, folder: str) -> None:
    write(root, "proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n")
    write(root, f"sys/fs/cgroup/{folder}/docker/abc/cpu.cfs_quota_us", "350000")
    write(root, f"sys/fs/cgroup/{folder}/docker/abc/cpu.cfs_period_us", "100000")
    assert cpu.inspect(root=root, affinity=8).quota == 3.5
    assert cpu.inspect(root=root, affinity=8).effective == 3


def test_a_v1_group_without_limit_says_minus_one(root: Path) -> None:
    write(root, "proc/self/cgroup", "4:cpu,cpuacct:/\n")
    write(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1")
    write(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert cpu.cgroup_quota(root) is None


def test_a_container_that_sees_only_its_own_mount_finds_its_quota(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/../../elsewhere\n")
    write(root, "sys/fs/cgroup/cpu.max", "150000 100000")
    assert cpu.cgroup_quota(root) == 1.5


def test_the_setting_is_an_upper_limit(root: Path) -> None:
    assert cpu.inspect(cores=3, root=root, affinity=14).effective == 3
    assert cpu.inspect(cores=64, root=root, affinity=14).effective == 14


@pytest.mark.parametrize(
    ("info", "int8"), [(EPYC, True), (KUNPENG, True), (HASWELL, True), (OLD_XEON, False), ("", False)]
)
def test_int8_pays_with_avx2_and_with_dot_products(root: Path, info: str, int8: bool) -> None:
    write(root, "proc/cpuinfo", info)
    assert cpu.inspect(root=root, affinity=1).gains_from_int8 is int8


def test_flags_and_model_are_read_from_cpuinfo(root: Path) -> None:
    found = cpu.inspect(root=root, affinity=1)
    assert found.model == "AMD EPYC 9B14"
    assert found.flags == {"avx", "avx2", "fma", "avx512f", "avx512_vnni"}


def test_this_machine_has_at_least_one_core() -> None:
    assert cpu.inspect().effective >= 1
