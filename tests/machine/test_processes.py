"""Processes on drawn machines, and real ones that end in every way."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ocrsvc.commands import cli
from ocrsvc.machine import cpu, processes
from ocrsvc.machine.processes import Place, Processes

HERE = Place(tuple(os.sched_getaffinity(0)))


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """After a signal ``run`` leaves both ignored, for a program that is about to end. This one goes on."""
    kept = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for each, handler in kept.items():
        signal.signal(each, handler)


def draw(root: Path, nodes: tuple[str, ...], siblings: dict[int, str] | None = None) -> Path:
    for number, listed in enumerate(nodes):
        folder = root / f"sys/devices/system/node/node{number}"
        folder.mkdir(parents=True)
        (folder / "cpulist").write_text(f"{listed}\n")
    for number, listed in (siblings or {}).items():
        folder = root / f"sys/devices/system/cpu/cpu{number}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{listed}\n")
    return root


def test_each_node_has_its_processes(tmp_path: Path) -> None:
    root = draw(tmp_path, ("0-3", "4-7"))
    assert processes.places(1, root=root, cpus=range(8)) == [Place((0, 1, 2, 3)), Place((4, 5, 6, 7))]
    assert processes.places(2, root=root, cpus=range(1, 7), workers=9) == [
        Place((1,), 9),
        Place((2, 3), 9),
        Place((4,), 9),
        Place((5, 6), 9),
    ]
    with pytest.raises(ValueError, match="3 processes do not fit a NUMA node of 2"):
        processes.places(3, root=root, cpus=(2, 3))


def test_nodes_without_cpus_are_left_out_and_an_unknown_machine_is_one_node(tmp_path: Path) -> None:
    assert processes.places(1, root=tmp_path, cpus=(0, 1)) == [Place((0, 1))]
    root = draw(tmp_path, ("0-1", "", "2-3"))  # a node may be memory alone
    assert [place.cpus for place in processes.places(1, root=root, cpus=(1, 2, 3))] == [(1,), (2, 3)]


def test_threads_of_one_core_are_not_parted(tmp_path: Path) -> None:
    root = draw(tmp_path, ("0-3,8-11",), {n: f"{n % 8},{n % 8 + 8}" for n in (0, 1, 2, 3, 8, 9, 10, 11)})
    assert cpu.numa_nodes(root, range(12)) == [[0, 8, 1, 9, 2, 10, 3, 11]]
    assert [each.cpus for each in processes.places(2, root=root, cpus=range(12))] == [
        (0, 8, 1, 9),
        (2, 10, 3, 11),
    ]


@pytest.mark.parametrize(
    ("quota", "workers", "each"),
    [("500000", None, 2), ("500000", 1, 1), ("100000", 4, 1), ("max", None, None)],
)
def test_a_quota_is_shared(tmp_path: Path, quota: str, workers: int | None, each: int | None) -> None:
    root = draw(tmp_path, ("0-3", "4-7"))
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu.max").write_text(f"{quota} 100000")
    assert [place.workers for place in processes.places(1, root=root, cpus=range(8), workers=workers)] == [
        each
    ] * 2


def sh(script: str, folder: Path) -> Callable[[], None]:
    """A process that is this script, in ``folder``, with the processes' parent as $PPID."""
    return partial(os.execv, "/bin/sh", ["sh", "-c", f"cd {folder}; echo $$ >> starts; {script}"])


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text().split())


def test_one_that_is_killed_is_started_anew_and_a_signal_ends_all(tmp_path: Path) -> None:
    first_dies = "[ $(wc -l < starts) = 1 ] && kill -KILL $$; kill -TERM $PPID; exec sleep 60"
    assert Processes([(HERE, sh(first_dies, tmp_path))], grace_seconds=30).run() == 0
    assert starts(tmp_path) == 2


def test_one_that_says_it_is_stuck_is_started_anew(tmp_path: Path) -> None:
    first_stuck = (
        f"[ $(wc -l < starts) = 1 ] && exit {processes.STUCK_STATUS}; kill -TERM $PPID; exec sleep 60"
    )
    assert Processes([(HERE, sh(first_stuck, tmp_path))], grace_seconds=30).run() == 0
    assert starts(tmp_path) == 2


def test_who_dies_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "_MOST_RESTARTS", 2)
    (tmp_path / "other").mkdir()
    works = [
        (HERE, sh("until [ -s other/starts ]; do sleep 0.05; done; kill -KILL $$", tmp_path)),
        (HERE, sh("exec sleep 60", tmp_path / "other")),
    ]
    assert Processes(works, grace_seconds=30).run() == 1
    assert (starts(tmp_path), starts(tmp_path / "other")) == (3, 1)


def test_the_status_of_one_that_cannot_begin_is_that_of_all() -> None:
    assert Processes([(HERE, partial(sys.exit, 2))], grace_seconds=30).run() == 2


def test_who_does_not_end_in_time_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "_KILL_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(processes, "_TICK_SECONDS", 0.05)
    deaf = sh("trap '' TERM; kill -TERM $PPID; exec sleep 60", tmp_path)
    assert Processes([(HERE, deaf)], grace_seconds=0.1).run() == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--processes-per-numa-node", "--port", "65535"], "ports after 65535"),
        (["--processes-per-numa-node=999"], "64"),
    ],
)
def test_what_cannot_be_served_is_told(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = cli.main(["serve", *arguments])
    except SystemExit as ended:  # argparse
        status = int(str(ended.code))
    assert status == 2
    assert told in capsys.readouterr().err


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    Processes([], grace_seconds=1).run()
    assert signal.getsignal(signal.SIGTERM) == before
