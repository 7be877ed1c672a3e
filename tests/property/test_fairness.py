"""What fair queueing promises, in virtual time: equal shares, nobody waits for ever, who comes alone goes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from property.schedules import FOREVER, Line, Record, Request, Simulation, World

from ocrsvc.scheduling.fairness import FairClock, Flow

Count = Callable[[Simulation], Simulation]

TURN_SECONDS = 5.0
RISE = 0.5
EPSILON = 1e-6

few_schedules = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def lines(widths: st.SearchStrategy[int], count: int) -> st.SearchStrategy[tuple[Line, ...]]:
    return st.lists(widths.map(Line), min_size=count, max_size=count).map(tuple)


def seconds_of(record: Record) -> float:
    return record.units / 1e6


@few_schedules
@given(
    one=lines(st.integers(1, 64), 400),
    other=lines(st.sampled_from([8, 64]), 400),
    workers=st.integers(1, 3),
    max_batch=st.sampled_from([1, 8]),
)
def test_two_documents_that_are_always_backlogged_get_equal_shares(
    one: tuple[Line, ...], other: tuple[Line, ...], workers: int, max_batch: int, count: Count
) -> None:
    """Theorem 1 of SFQ with turns for packets; a batch of each lane may hold lines ahead of their turn."""
    world = World(workers=workers, max_batch=max_batch, t_max_ms=100.0, seconds_per_pixel=0.002)
    simulation = count(Simulation(world).play([Request(one, flow=0), Request(other, flow=1)]))
    longest = max(seconds_of(r) for r in simulation.records)
    lanes = len({r.lane for r in simulation.records})
    bound = 2 * (TURN_SECONDS + longest) + lanes * max(world.t_max_ms / 1000, longest)
    left = [400, 400]
    served = [0.0, 0.0]
    for record in sorted(simulation.records, key=lambda r: r.order):
        assert record.request.flow is not None
        left[record.request.flow] -= 1
        served[record.request.flow] += seconds_of(record)
        if min(left) == 0:
            break
        assert abs(served[0] - served[1]) <= bound + EPSILON


@few_schedules
@given(clients=st.integers(1, 5), page_lines=st.integers(4, 12), workers=st.integers(1, 3))
def test_a_document_is_finished_beside_pages_that_never_end(
    clients: int, page_lines: int, workers: int, count: Count
) -> None:
    world = World(workers=workers, max_batch=4, t_max_ms=40.0, fixed_seconds=0.0, seconds_per_pixel=0.004)
    document = Request((Line(64),) * 50)  # 12.8 s of work
    simulation = Simulation(world)

    async def client() -> None:
        while not simulation.batcher._closing:
            page = simulation.submit(Request((Line(64),) * page_lines))
            await asyncio.wait([r.future for r in page])

    async def main() -> None:
        await simulation.batcher.start()
        wanted = simulation.submit(document)
        others = [asyncio.create_task(client()) for _ in range(clients)]
        await asyncio.wait([r.future for r in wanted])
        closing = asyncio.create_task(simulation.batcher.close(0))
        await asyncio.sleep(0)
        await asyncio.gather(closing, *others, return_exceptions=True)

    count(simulation.run(main))
    ended = max(r.done_at for r in simulation.records if r.request is document)
    # Before each of three turns the clock must rise by one turn, and what had come by then may go first.
    work = 3 * (clients + 1) * (TURN_SECONDS / RISE + TURN_SECONDS + 0.256)
    assert ended <= work / workers + EPSILON


@few_schedules
@given(clients=st.integers(1, 30), workers=st.integers(1, 3), width=st.integers(4, 64))
def test_a_page_gets_its_share_beside_lines_that_never_end(
    clients: int, workers: int, width: int, count: Count
) -> None:
    world = World(workers=workers, max_batch=1, t_max_ms=40.0, fixed_seconds=0.0, seconds_per_pixel=0.0002)
    page = Request(tuple(Line(64) for _ in range(64)))  # 0.82 s of work
    simulation = Simulation(world)

    async def client(number: int) -> None:
        await asyncio.sleep(0.0001 * number)
        while not simulation.batcher._closing:
            (record,) = simulation.submit(Request((Line(width),)))
            await asyncio.wait([record.future])

    async def main() -> None:
        await simulation.batcher.start()
        singles = [asyncio.create_task(client(number)) for number in range(clients)]
        await asyncio.sleep(0.01)
        wanted = simulation.submit(page)
        await asyncio.wait([r.future for r in wanted])
        closing = asyncio.create_task(simulation.batcher.close(0))
        await asyncio.sleep(0)
        await asyncio.gather(closing, *singles, return_exceptions=True)

    count(simulation.run(main))
    mine = [r for r in simulation.records if r.request is page]
    longest = max(seconds_of(r) for r in simulation.records)
    alone = sum(map(seconds_of, mine))
    spent = max(r.done_at for r in mine) - mine[0].arrived
    # Each of the others gets as much as it, but it has a quarter; the runs at either end are not cut.
    assert spent <= (min(clients + 1, 4) * alone + 2 * workers * longest) / workers + 2 * longest


@few_schedules
@given(
    pages=st.lists(
        st.tuples(st.integers(20, 60), st.sampled_from([0.0, 0.001, 0.05])), min_size=1, max_size=12
    ),
    pauses=st.lists(st.sampled_from([0.0, 0.0003, 0.01, 0.1]), min_size=1, max_size=20),
    workers=st.integers(1, 3),
)
def test_who_comes_alone_begins_at_once_whatever_pages_are_inside(
    pages: list[tuple[int, float]], pauses: list[float], workers: int, count: Count
) -> None:
    world = World(workers=workers, t_max_ms=40.0, fixed_seconds=0.0)
    simulation = Simulation(world)
    alone: list[Record] = []

    async def client() -> None:
        for pause in pauses:
            await asyncio.sleep(pause)
            alone.extend(simulation.submit(Request((Line(8),))))
            await asyncio.wait([alone[-1].future])

    async def main() -> None:
        await simulation.batcher.start()
        feeding = simulation.feed([Request((Line(64),) * rows, after=after) for rows, after in pages])
        await asyncio.gather(feeding, client())
        await simulation.batcher.close(FOREVER)

    count(simulation.run(main))
    assert [r.starts[0] - r.arrived for r in alone] == [0.0] * len(alone)


@few_schedules
@given(costs=st.lists(st.tuples(st.integers(0, 5), st.floats(0.001, 3), st.booleans()), max_size=60))
def test_the_clock_never_falls_and_who_comes_new_begins_at_its_time(
    costs: list[tuple[int, float, bool]],
) -> None:
    clock, flows = FairClock(), [Flow() for _ in range(6)]
    for number, seconds, served in costs:
        before, flow = clock.now, flows[number]
        tag = clock.tag(flow, seconds)
        clock.share(short=False).enter(flow)
        if served:
            clock.serve(tag, seconds, short=False)
        assert clock.now >= before
        assert clock.tag(Flow(), 1.0) == clock.now
        assert flow.finish - flow.start <= TURN_SECONDS + 3
        if served:
            clock.share(short=False).leave(flow)


def test_what_comes_after_a_background_reading_goes_before_the_rest_of_it() -> None:
    clock, job, page = FairClock(), Flow(background=True), Flow()
    waiting = [clock.tag(job, 1.0) for _ in range(10)]
    for _ in range(2):
        clock.serve(waiting.pop(0), 1.0, short=False)
    assert all(clock.tag(page, 1.0) < waiting[0] for _ in range(5))
    assert not Flow(alone=True, background=True).is_short(0.001, 0.04)


def test_a_background_reading_gets_its_share_beside_a_document_that_never_ends() -> None:
    clock, flows = FairClock(), {True: Flow(background=True), False: Flow()}
    tags, served = {}, {True: 0, False: 0}
    for background, flow in flows.items():
        clock.share(short=False).enter(flow)
        tags[background] = clock.tag(flow, 1.0)
    for _ in range(1000):
        background = tags[True] < tags[False]
        clock.serve(tags[background], 1.0, short=False)
        served[background] += 1
        tags[background] = clock.tag(flows[background], 1.0)
    assert 100 <= served[True] <= 250
