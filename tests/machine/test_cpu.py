"""Effective cores and flags of drawn machines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from ocrsvc.machine import cpu

KUNPENG = (
    "processor\t: 0\nFeatures\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimddp asimdfhm\n"
    "CPU implementer\t: 0x48\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: 0xd01\nCPU revision\t: 0\n"
)
EPYC = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9B14\n"
    "stepping\t: 1\nflags\t\t: fpu avx avx2 fma avx512f avx512_vnni\n\n"
    "processor\t: 1\nmodel name\t: another\nflags\t\t: fpu\n"
)
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
    found = cpu.inspect(root=root, cpus=range(14))
    assert (found.effective, found.affinity, found.quota) == (14, 14, None)


@pytest.mark.parametrize(
    ("cpu_max", "effective"),
    [("400000 100000", 4), ("250000 100000", 2), ("50000 100000", 1), ("max 100000", 14)],
)
def test_a_quota_is_rounded_down_but_never_to_zero(root: Path, cpu_max: str, effective: int) -> None:
    write(root, "sys/fs/cgroup/cpu.max", cpu_max)
    assert cpu.inspect(root=root, cpus=range(14)).effective == effective


def test_the_setting_is_an_upper_limit(root: Path) -> None:
    assert cpu.inspect(cores=3, root=root, cpus=range(14)).effective == 3
    assert cpu.inspect(cores=64, root=root, cpus=range(14)).effective == 14


@pytest.mark.parametrize(
    ("info", "int8"), [(EPYC, True), (KUNPENG, True), (HASWELL, True), (OLD_XEON, False), ("", False)]
)
def test_int8_pays_with_avx2_and_with_dot_products(root: Path, info: str, int8: bool) -> None:
    write(root, "proc/cpuinfo", info)
    assert cpu.inspect(root=root, cpus=[0]).gains_from_int8 is int8


def test_flags_and_model_are_read_from_cpuinfo(root: Path) -> None:
    found = cpu.inspect(root=root, cpus=[0])
    assert found.model == "AMD EPYC 9B14"
    assert found.flags == {"avx", "avx2", "fma", "avx512f", "avx512_vnni"}


def test_arm_is_named_by_its_part(root: Path) -> None:
    write(root, "proc/cpuinfo", KUNPENG)
    found = cpu.inspect(root=root, cpus=[0])
    assert found.model == "implementer 0x48 variant 0x1 part 0xd01"
    write(root, "proc/cpuinfo", "")
    assert cpu.inspect(root=root, cpus=[0]).model == ""


def draw_threads(root: Path, siblings: dict[int, str], nodes: tuple[str, ...]) -> None:
    for number, listed in siblings.items():
        write(root, f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list", f"{listed}\n")
    for number, listed in enumerate(nodes):
        write(root, f"sys/devices/system/node/node{number}/cpulist", f"{listed}\n")


@pytest.mark.parametrize(
    ("cpus", "physical", "nodes"),
    [
        (range(8), 4, 2),
        ((0, 4), 1, 1),  # both threads of one core
        ((0, 1), 2, 1),
        ((0, 1, 2), 3, 2),
        ((2, 3, 6, 7), 2, 1),
    ],
)
def test_smt_and_numa_are_those_of_the_affinity_mask(
    root: Path, cpus: Collection[int], physical: int, nodes: int
) -> None:
    draw_threads(root, {n: f"{n % 4},{n % 4 + 4}" for n in range(8)}, ("0-1,4-5", "2-3,6-7"))
    found = cpu.inspect(root=root, cpus=cpus)
    assert (found.affinity, found.physical, found.nodes) == (len(cpus), physical, nodes)


def test_a_machine_that_does_not_say_has_unknown_cores_on_one_node(root: Path) -> None:
    found = cpu.inspect(root=root, cpus=range(4))
    assert (found.physical, found.nodes) == (None, 1)
    draw_threads(root, {0: "0-1"}, ())  # of the others nothing is known
    assert cpu.inspect(root=root, cpus=range(4)).physical is None


@pytest.mark.parametrize(
    ("listed", "found"),
    [("0-3,8,10-11\n", {0, 1, 2, 3, 8, 10, 11}), ("5", {5}), ("", set()), ("a-b,-,3-,2", {2, 3})],
)
def test_lists_of_the_kernel(listed: str, found: set[int]) -> None:
    assert cpu.numbers(listed) == found


def test_this_machine_has_cores() -> None:
    found = cpu.inspect()
    assert 1 <= found.effective <= found.affinity
    assert found.physical is None or 1 <= found.physical <= found.affinity


@pytest.mark.skipif(shutil.which("taskset") is None, reason="no taskset: install util-linux")
def test_a_process_that_is_bound_to_one_core_has_one() -> None:
    first = min(os.sched_getaffinity(0))
    code = "from ocrsvc.machine import cpu; found = cpu.inspect(); print(found.affinity, found.effective, found.nodes)"
    command = ["taskset", "-c", str(first), sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["1", "1", "1"]
