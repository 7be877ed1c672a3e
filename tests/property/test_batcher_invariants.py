"""The fifteen promises of the scheduler, each under hundreds of random schedules in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from property.schedules import (
    BUCKETS,
    FOREVER,
    NEVER,
    Line,
    Request,
    Simulation,
    World,
    lines,
    read_alone,
    requests,
    worlds,
)

from ocrsvc.errors import DeadlineExceeded, EngineFailure, OcrError, Saturated, ShuttingDown, Unavailable
from ocrsvc.scheduling.batcher import Batcher

Count = Callable[[Simulation], Simulation]

SCHEDULES = 200  # per invariant
EPSILON = 1e-6  # seconds; virtual time is exact but for rounding

random_schedules = settings(
    max_examples=SCHEDULES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)

# The engine's own errors are logged with a traceback each; thousands of them are the point here.
pytestmark = pytest.mark.usefixtures("_quiet_log")


@pytest.fixture
def _quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="ocrsvc")


def outcome(future: asyncio.Future[str]) -> str:
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    return "ok" if error is None else type(error).__name__


@random_schedules
@given(
    world=worlds(max_wait=True),
    jobs=requests(lines(poison=True), deadlines=True, cancels=True),
    grace=st.sampled_from([0.0, 0.01, FOREVER]),
)
def test_invariant_01_every_accepted_line_ends_in_exactly_one_way(
    world: World, jobs: list[Request], grace: float, count: Count
) -> None:
    simulation = count(Simulation(world).play(jobs, grace=grace))
    assert all(r.future.done() for r in simulation.records)
    names = {outcome(r.future) for r in simulation.records}
    assert names <= {"ok", "EngineFailure", "DeadlineExceeded", "ShuttingDown", "cancelled"}
    assert sum(simulation.batcher.counters.outcomes.values()) == len(simulation.records)
    for record in simulation.records:
        if isinstance(
            error := None if record.future.cancelled() else record.future.exception(), EngineFailure
        ):
            assert record.payload.line.poison, error


@random_schedules
@given(world=worlds(), jobs=requests(cancels=True))
def test_invariant_02_each_line_gets_its_own_result_in_order(
    world: World, jobs: list[Request], count: Count
) -> None:
    simulation = count(Simulation(world).play(jobs))
    for record in simulation.records:
        if not record.future.cancelled():
            assert record.future.result() == read_alone(record.payload)
    for job, group in itertools.groupby(simulation.records, key=lambda r: id(r.request)):
        assert [r.index for r in group] == list(range(len(next(j for j in jobs if id(j) == job).lines)))


@random_schedules
@given(world=worlds(), target=lines(), company=requests(), when=st.floats(0, 0.5))
def test_invariant_03_a_line_reads_the_same_alone_and_in_company(
    world: World, target: Line, company: list[Request], when: float, count: Count
) -> None:
    simulation = Simulation(world)

    async def main() -> None:
        await simulation.batcher.start()
        feeding = asyncio.create_task(simulation.feed(company))
        await asyncio.sleep(when)
        (record,) = simulation.submit(Request((target,)))
        awaited: list[asyncio.Future[Any]] = [record.future, feeding]
        await asyncio.wait(awaited)
        assert record.future.result() == read_alone(record.payload)
        await simulation.batcher.close(FOREVER)

    count(simulation.run(main))


@random_schedules
@given(world=worlds(), jobs=requests(), width=st.integers(1, BUCKETS.widest))
def test_invariant_04_lanes_depend_on_the_line_alone_and_never_mix(
    world: World, jobs: list[Request], width: int, count: Count
) -> None:
    bucket = BUCKETS.of(width)
    assert bucket >= width
    assert all(other < width for other in BUCKETS.widths if other < bucket)
    simulation = count(Simulation(world).play(jobs))
    own = {r.payload.number: r.lane for r in simulation.records}
    for run in simulation.runs:
        assert {own[number] for number in run.numbers} == {run.lane}


@random_schedules
@given(world=worlds(max_wait=True), jobs=requests(lines(poison=True)))
def test_invariant_05_a_batch_has_rows_and_ends_within_t_max(
    world: World, jobs: list[Request], count: Count
) -> None:
    simulation = count(Simulation(world).play(jobs))
    for run in simulation.runs:
        rows = len(run.numbers)
        assert 1 <= rows <= world.max_batch
        assert rows == 1 or simulation.cost.seconds(run.lane, rows) <= world.t_max_ms / 1000 + EPSILON
    assert simulation.executor.peak <= world.workers + 1, "one more for short readings"


@random_schedules
@given(world=worlds(max_wait=True), jobs=requests(lines(poison=True), deadlines=True, cancels=True))
def test_invariant_06_no_worker_idles_while_a_line_waits(
    world: World, jobs: list[Request], count: Count
) -> None:
    simulation = Simulation(world)

    def check() -> None:
        if simulation.idle:
            now = simulation.loop.time()
            # With a window (max_wait_ms) a line may wait for company, but never longer than that.
            assert all(now - r.arrived < world.max_wait_ms / 1000 + EPSILON for r in simulation.waiting)
            if not world.max_wait_ms:
                assert not simulation.waiting

    simulation.loop.on_quiet(check)
    count(simulation.play(jobs))


@random_schedules
@given(
    world=worlds(queue_seconds=st.sampled_from([0.01, 0.1, 1.0])),
    jobs=requests(lines(poison=True), deadlines=True, cancels=True),
)
def test_invariant_07_outstanding_work_is_counted_exactly(
    world: World, jobs: list[Request], count: Count
) -> None:
    simulation = Simulation(world)
    peak = 0.0

    def check() -> None:
        nonlocal peak
        expected = sum(r.units for r in simulation.records if not r.future.done())
        assert round(simulation.batcher.eta_seconds * world.workers * 1e6) == expected
        peak = max(peak, expected)

    simulation.loop.on_quiet(check)
    count(simulation.play(jobs))
    assert simulation.batcher.eta_seconds == 0
    jobs_units = itertools.groupby(simulation.records, lambda r: id(r.request))
    sizes = [sum(r.units for r in group) for _, group in jobs_units]
    assert peak <= world.max_queue_seconds * world.workers * 1e6 + max(sizes, default=0)


@random_schedules
@given(world=worlds(), jobs=requests(cancels=True))
def test_invariant_08_the_fair_order_decides_who_is_first(
    world: World, jobs: list[Request], count: Count
) -> None:
    simulation = Simulation(world)
    heads: list[tuple[bool, tuple[float, int]]] = []
    genuine = Batcher._pick

    def pick(batcher: Batcher[object, object]) -> object:
        waiting = [item for item in batcher._waiting if item.waits]
        batch = genuine(batcher)
        if batch is not None:
            first = batch.items[0]
            assert len({item.short for item in batch.items}) == 1, "a long run would hold a short reading up"
            rivals = [
                (each.tag, each.submission.flow.number) for each in waiting if each.short == first.short
            ]
            heads.append((first.short, (first.tag, first.submission.flow.number)))
            assert heads[-1][1] == min(rivals)
        return batch

    with patch.object(Batcher, "_pick", pick):
        count(simulation.play(jobs))
    assert heads


@random_schedules
@given(world=worlds(), jobs=requests(deadlines=True, cancels=True))
def test_invariant_09_dead_lines_are_not_run_and_block_nobody(
    world: World, jobs: list[Request], count: Count
) -> None:
    simulation = count(Simulation(world).play(jobs))
    assert not simulation.unwanted
    for record in simulation.records:
        assert outcome(record.future) in ("ok", "cancelled", "DeadlineExceeded")
        if outcome(record.future) == "DeadlineExceeded":
            assert record.request.deadline < math.inf
        assert all(start <= record.done_at + EPSILON for start in record.starts)


@random_schedules
@given(
    size=st.integers(1, 32), bad=st.sets(st.integers(0, 31), min_size=1, max_size=4), width=st.integers(1, 64)
)
def test_invariant_10_a_poison_line_fails_alone_at_logarithmic_cost(
    size: int, bad: set[int], width: int, count: Count
) -> None:
    poisons = {index % size for index in bad}
    job = Request(tuple(Line(width, poison=i in poisons) for i in range(size)))
    simulation = count(Simulation(World(workers=1, max_batch=32, t_max_ms=1e9)).play([job]))
    for record in simulation.records:
        expected = "EngineFailure" if record.index in poisons else "ok"
        assert outcome(record.future) == expected
    assert len(simulation.runs[0].numbers) == size
    assert len(simulation.runs) - 1 <= len(poisons) * 2 * math.ceil(math.log2(size))


@random_schedules
@given(world=worlds(), jobs=requests(lines(liar=True)))
def test_invariant_11_a_wrong_row_count_is_an_error_and_no_mix_up(
    world: World, jobs: list[Request], count: Count
) -> None:
    simulation = count(Simulation(world).play(jobs))
    for record in simulation.records:
        if record.payload.line.liar:
            assert outcome(record.future) == "EngineFailure"
        else:
            assert record.future.result() == read_alone(record.payload)


@random_schedules
@given(world=worlds(), jobs=requests(cancels=True), fatal=st.integers(1, 6))
def test_invariant_12_a_crash_of_the_loop_is_visible(
    world: World, jobs: list[Request], fatal: int, count: Count
) -> None:
    simulation = Simulation(world)
    genuine, calls = Batcher._pick, itertools.count(1)

    def pick(batcher: Batcher[object, object]) -> object:
        if next(calls) >= fatal:
            raise RuntimeError("mutation")
        return genuine(batcher)

    async def main() -> None:
        await simulation.batcher.start()
        await simulation.feed(jobs)
        await asyncio.sleep(NEVER)
        assert next(calls) > fatal, "the mutation was never reached"
        assert not simulation.batcher.alive
        assert all(r.future.done() for r in simulation.records)
        with pytest.raises(Unavailable):
            simulation.batcher.submit([(Line(1).lane, None)])  # type: ignore[list-item]
        await simulation.batcher.close(1.0)

    # Enough separate moments that the loop turns as often as the mutation needs.
    jobs = [*jobs, *(Request((Line(8),), after=1.0) for _ in range(fatal))]
    with patch.object(Batcher, "_pick", pick):
        count(simulation.run(main))
    for record in simulation.records:
        assert outcome(record.future) in ("ok", "cancelled", "EngineFailure")
    assert any(isinstance(error, Unavailable) for _, error in simulation.refused) or any(
        outcome(r.future) == "EngineFailure" for r in simulation.records
    )


@random_schedules
@given(
    world=worlds(),
    jobs=requests(lines(poison=True), cancels=True),
    when=st.floats(0, 0.3),
    grace=st.sampled_from([0.0, 0.005, 0.1, 100.0]),
)
def test_invariant_13_close_refuses_drains_and_returns_in_time(
    world: World, jobs: list[Request], when: float, grace: float, count: Count
) -> None:
    simulation = Simulation(world)

    async def main() -> None:
        await simulation.batcher.start()
        feeding = asyncio.create_task(simulation.feed(jobs))
        await asyncio.sleep(when)
        started = simulation.loop.time()
        first = asyncio.create_task(simulation.batcher.close(grace))
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown):
            simulation.batcher.submit([(Line(1).lane, None)])  # type: ignore[list-item]
        await asyncio.gather(first, simulation.batcher.close(0.0))
        longest = max((simulation.cost.seconds(r.lane, len(r.numbers)) for r in simulation.runs), default=0.0)
        assert simulation.loop.time() - started <= grace + longest + EPSILON
        assert simulation.executor.running == 0
        assert not simulation.batcher.alive
        assert all(r.future.done() for r in simulation.records)
        await simulation.batcher.close(5.0)
        await feeding

    count(simulation.run(main))
    assert all(isinstance(error, ShuttingDown) for _, error in simulation.refused)


@random_schedules
@given(world=worlds(), jobs=requests(deadlines=True))
def test_invariant_14_deadlines_are_answered_even_when_all_workers_are_stuck(
    world: World, jobs: list[Request], count: Count
) -> None:
    simulation = Simulation(world, stuck=True)

    async def main() -> None:
        await simulation.batcher.start()
        simulation.submit(Request(tuple(Line(8) for _ in range(64))))
        await simulation.feed(jobs)
        await asyncio.sleep(10.0)
        limited = [r for r in simulation.records if r.request.deadline < math.inf]
        for record in limited:
            assert outcome(record.future) == "DeadlineExceeded"
            assert abs(record.done_at - record.arrived - record.request.deadline) <= EPSILON
        simulation.stuck = False
        await simulation.batcher.close(0.0)

    count(simulation.run(main))


@random_schedules
@given(
    world=worlds(queue_seconds=st.sampled_from([0.002, 0.02, 0.2])),
    jobs=requests(deadlines=True),
    late=st.booleans(),
)
def test_invariant_15_a_refused_request_leaves_no_trace(
    world: World, jobs: list[Request], late: bool, count: Count
) -> None:
    simulation = Simulation(world)

    async def main() -> None:
        await simulation.batcher.start()
        for job in [*jobs, *([Request((Line(8),), deadline=-1.0)] if late else [])]:
            await asyncio.sleep(job.after)
            before = simulation.batcher.load(), len(simulation.refused)
            simulation.submit(job)
            if len(simulation.refused) > before[1]:
                assert simulation.batcher.load() == before[0]
                error: OcrError = simulation.refused[-1][1]
                assert isinstance(error, (Saturated, DeadlineExceeded))
                if isinstance(error, Saturated):
                    assert error.retry_after_seconds >= 1
        await simulation.batcher.close(FOREVER)

    count(simulation.run(main))
    seen = {number for run in simulation.runs for number in run.numbers}
    assert not seen & simulation.refused_numbers
    assert len(simulation.records) == sum(simulation.batcher.counters.outcomes.values())
