"""The measuring: on drawn machines with an engine whose time is a sum, and on this one with a real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from numpy.typing import NDArray

from ocrsvc.diagnosis import candidates, tuner, workload
from ocrsvc.diagnosis.candidates import Setup
from ocrsvc.diagnosis.tuned import GROUPS, Record, Step, Value
from ocrsvc.errors import CorruptModel
from ocrsvc.machine.cpu import Cpu, inspect
from ocrsvc.models.manifest import InputSpec, Manifest, ModelFile, load
from ocrsvc.models.registry import default_models_dir
from ocrsvc.models.static_shapes import FixedSessions
from ocrsvc.reading.reader import open_reader
from ocrsvc.results import LineText
from ocrsvc.settings import Settings

ONE = Cpu("x86_64", "Test", 1, None, 1, frozenset({"avx2"}))
PRECISION, LAYOUT, ARENA, T_MAX = GROUPS


def machine(cores: int, physical: int | None = None) -> Cpu:
    return replace(ONE, affinity=cores, effective=cores, physical=physical)


@pytest.fixture(scope="module")
def crnn() -> Manifest:
    return load(default_models_dir() / "crnn")


# --- what is asked ---


def offered(group: Sequence[str], spec: Manifest, cpu: Cpu) -> list[dict[str, Value]]:
    base = candidates.default(spec, cpu)
    return [setup.values(group) for setup, _ in candidates.candidates(group, base, spec, cpu)]


@pytest.mark.parametrize(
    ("cpu", "layouts"),
    [
        (machine(1), [(1, 1)]),
        (machine(2), [(2, 1), (1, 2)]),
        (machine(4), [(4, 1), (2, 3), (1, 4)]),
        (machine(8, physical=4), [(8, 1), (4, 1), (4, 5), (1, 8)]),
        (machine(64, physical=64), [(64, 1), (32, 33)]),  # one run cannot use 64 cores
    ],
)
def test_layouts_use_all_cores(cpu: Cpu, layouts: list[tuple[int, int]], crnn: Manifest) -> None:
    found = offered(LAYOUT, crnn, cpu)
    assert [(each["workers"], each["run_threads"]) for each in found] == layouts


def test_precision_is_only_asked_where_int8_is_the_default(crnn: Manifest) -> None:
    assert offered(PRECISION, crnn, ONE) == [{"precision": "int8"}, {"precision": "fp32"}]
    assert offered(PRECISION, crnn, replace(ONE, flags=frozenset())) == [{"precision": "fp32"}]
    assert offered(PRECISION, tiny_model.manifest(), ONE) == [{"precision": "fp32"}]


def test_the_default_comes_first_and_what_costs_more_later(crnn: Manifest) -> None:
    assert offered(T_MAX, crnn, ONE) == [{"t_max_ms": t} for t in (40.0, 20.0, 80.0, 160.0)]
    assert offered(ARENA, crnn, ONE) == [{"arena": True}, {"arena": False}]
    base = candidates.default(crnn, ONE)
    gains = [gain for _, gain in candidates.candidates(T_MAX, base, crnn, ONE)]
    assert gains[1] <= gains[2] < gains[3]


# --- lines ---


@pytest.mark.parametrize("count", [1, 24, 500])
@pytest.mark.parametrize("height", [48, 32])
def test_lines_have_real_widths_whatever_their_number(count: int, height: int) -> None:
    shape = InputSpec(height=height, buckets=(96, 320, 1024))
    lines = workload.lines(count, shape)
    assert len(lines) == count
    assert all(line.shape[0] == height and 1 <= line.shape[1] <= 1024 for line in lines)
    assert 120 <= np.median([line.shape[1] for line in lines]) * 48 / height <= 170
    again = workload.lines(count, shape)
    assert all(np.array_equal(a, b) for a, b in zip(lines, again, strict=True))
    ink = np.concatenate([line[..., 0].ravel() for line in lines]) < 128
    assert 0.03 < ink.mean() < 0.4


# --- the whole way, in time that is a sum ---


class SlowEngine:
    """Reads nothing and takes ``fixed + per_pixel * pixels`` seconds for a run, on a clock of its own."""

    def __init__(self, time: list[float], spec: Manifest, *, fixed: float, per_pixel: float) -> None:
        self.time, self.spec, self.fixed, self.per_pixel = time, spec, fixed, per_pixel

    def run(self, width: int, crops: Sequence[NDArray[np.uint8]]) -> list[LineText]:
        self.time[0] += self.fixed + self.per_pixel * width * len(crops)
        return [LineText("", 1.0, ())] * len(crops)

    def warm(self) -> Iterator[tuple[int, int, float]]:
        for width in self.spec.buckets.widths:
            self.run(width, [np.zeros((1, 1, 3), np.uint8)])
            yield width, 1, self.fixed + self.per_pixel * width


async def measured(
    spec: Manifest,
    speed: Callable[[Setup], tuple[float, float]],
    *,
    seconds: float = 45.0,
    said: list[Step] | None = None,
) -> tuple[Record, float]:
    """Tune on one core where an engine of a setup takes ``speed(setup)``; returns also the time that went by."""
    time = [100.0]

    def opened(setup: Setup) -> SlowEngine:
        time[0] += 0.3
        fixed, per_pixel = speed(setup)
        return SlowEngine(time, spec, fixed=fixed, per_pixel=per_pixel)

    record = await tuner.tune(
        spec,
        ONE,
        seconds=seconds,
        opened=opened,
        clock=lambda: time[0],
        report=(said if said is not None else []).append,
    )
    return record, time[0] - 100.0


async def test_what_makes_no_difference_stays_as_it_is(crnn: Manifest) -> None:
    said: list[Step] = []
    record, spent = await measured(crnn, lambda setup: (0.0, 30e-6), said=said)
    assert record.choice == {}
    assert [set(step.candidates[0].values) for step in record.steps] == [
        {"precision"},
        {"arena"},
        {"t_max_ms"},
    ]
    assert tuple(said) == record.steps
    assert all(each.figure.rounds >= 4 for step in record.steps for each in step.candidates)
    assert spent <= 45 + 5
    assert record.seconds == pytest.approx(spent, abs=0.1)
    assert record.key.cores == 1


async def test_what_is_faster_is_chosen(crnn: Manifest) -> None:
    record, _ = await measured(crnn, lambda setup: (0.0, 20e-6 if setup.precision == "fp32" else 30e-6))
    assert record.choice == {"precision": "fp32"}
    (step, *_) = record.steps
    assert step.candidates[1].figure.gain == pytest.approx(0.5, abs=0.02)
    assert step.candidates[1].figure.noise == pytest.approx(0, abs=1e-6)


async def test_giving_up_the_arena_takes_a_tenth(crnn: Manifest) -> None:
    record, _ = await measured(crnn, lambda setup: (0.0, 30e-6 if setup.arena else 28e-6))
    assert record.choice == {}
    record, _ = await measured(crnn, lambda setup: (0.0, 30e-6 if setup.arena else 26e-6))
    assert record.choice == {"arena": False}


async def test_runs_that_cost_much_each_want_longer_batches(crnn: Manifest) -> None:
    record, _ = await measured(crnn, lambda setup: (0.015, 30e-6), seconds=120)
    assert record.choice.keys() == {"t_max_ms"}
    assert record.choice["t_max_ms"] in (80.0, 160.0)


async def test_later_questions_are_asked_with_what_was_chosen_before(crnn: Manifest) -> None:
    opened: list[Setup] = []

    def speed(setup: Setup) -> tuple[float, float]:
        opened.append(setup)
        return 0.0, 20e-6 if setup.precision == "fp32" else 30e-6

    await measured(crnn, speed)
    assert [(each.precision, each.arena) for each in opened] == [
        ("int8", True),
        ("fp32", True),
        ("fp32", False),
    ]


async def test_without_time_defaults_stay_and_that_is_said(crnn: Manifest) -> None:
    record, spent = await measured(crnn, lambda setup: (0.0, 30e-6 if setup.arena else 10e-6), seconds=0.5)
    assert record.choice == {}
    assert all(step.candidates[0].figure.rounds < 4 for step in record.steps)
    assert spent < 5


async def test_with_this_machine_and_a_real_engine() -> None:
    record = await tuner.tune(tiny_model.manifest(), inspect(), seconds=0.5)
    knobs = {name for step in record.steps for name in step.candidates[0].values}
    assert knobs == {"arena", "t_max_ms"} | ({"workers", "run_threads"} if inspect().effective > 1 else set())
    assert 0 < record.cpu_share < 1.5
    assert record.key.model == "tiny"


async def test_a_model_that_does_not_run_is_told() -> None:
    spec = tiny_model.manifest()
    broken = ModelFile("0" * 64, 4, data=b"none")
    with pytest.raises(CorruptModel):
        await tuner.tune(replace(spec, files={**spec.files, "fp32": broken}), inspect(), seconds=1)


async def test_the_reader_opens_its_models_as_they_were_measured(tmp_path: Path) -> None:
    tiny_model.write(tmp_path)
    settings = Settings(model=str(tmp_path / "tiny"), workers=1, run_threads=2, arena=False, t_max_ms=80)
    reader = open_reader(settings)
    try:
        await reader.start(warm=False)
        recogniser, detector = reader.sessions.recognisers["tiny"], reader.sessions.detector
        for session in (recogniser._session, detector._session):
            assert not isinstance(session, FixedSessions)
            options = session.get_session_options()
            assert (options.intra_op_num_threads, options.enable_cpu_mem_arena) == (2, False)
        assert (reader.batcher.workers, reader.batcher._t_max) == (1, 0.08)
    finally:
        await reader.close(0)
