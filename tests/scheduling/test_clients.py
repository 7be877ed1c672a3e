"""Clients share the workers, the queue and the pixels equally, however much each of them has sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from ocrsvc.errors import Saturated
from ocrsvc.reading.pixel_limit import PixelLimit
from ocrsvc.scheduling.batcher import Batcher, Flow, Lane
from ocrsvc.scheduling.cost import CostModel

LINE = Lane("m", 100)
OTHER = Lane("m", 128)
PAGE = Lane("d", 30_000)


class FixedCost(CostModel):
    """A millisecond for each hundred pixels."""

    def terms(self, lane: object) -> tuple[float, float]:
        return 0.0, lane.width / 100_000  # type: ignore[attr-defined]


class Engine:
    """Echoes; holds every run until ``gate`` opens; notes what ran, in order."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.started = threading.Event()
        self.ran: list[object] = []

    def __call__(self, lane: Lane, payloads: Sequence[object]) -> list[object]:
        self.started.set()
        assert self.gate.wait(30)
        self.ran += payloads
        return list(payloads)


class Bench:
    """One worker that is busy with a line until ``order`` lets it go on."""

    def __init__(self, **options: float) -> None:
        self.engine = Engine()
        self.batcher: Batcher[object, object] = Batcher(
            self.engine,
            workers=1,
            cost=FixedCost(),
            t_max_ms=4,
            **options,  # type: ignore[arg-type]
        )
        self.futures: list[asyncio.Future[object]] = []

    async def begin(self) -> None:
        await self.batcher.start()
        self.send("first", "", LINE)
        assert await asyncio.to_thread(self.engine.started.wait, 30)

    def send(self, name: str, client: str, lane: Lane, flow: Flow | None = None) -> None:
        """One line or detector run of one reading."""
        self.futures += self.batcher.submit([(lane, name)], flow=flow or Flow(client=client))

    async def order(self) -> list[object]:
        self.engine.gate.set()
        await asyncio.gather(*self.futures)
        await self.batcher.close(1)
        return self.engine.ran[1:]


@pytest.mark.parametrize("lane", [LINE, OTHER])
async def test_one_line_does_not_wait_for_five_hundred_of_another_client(lane: Lane) -> None:
    bench = Bench()
    await bench.begin()
    for number in range(500):
        bench.send(f"a{number}", "a", LINE)
    bench.send("b", "b", lane)
    order = await bench.order()
    assert order.index("b") <= 4  # in the second batch; in order of arrival it would be the 501st
    assert [each for each in order if each != "b"] == [f"a{number}" for number in range(500)]


async def test_one_page_does_not_wait_for_sixty_of_another_client() -> None:
    bench = Bench()
    await bench.begin()
    for number in range(60):
        bench.send(f"a{number}", "a", PAGE)
    bench.send("b", "b", PAGE)
    assert (await bench.order()).index("b") <= 1


async def test_clients_who_have_much_waiting_get_equal_shares() -> None:
    bench = Bench()
    await bench.begin()
    for number in range(120):
        bench.send(f"a{number}", "a", LINE)
    for number in range(120):
        bench.send(f"b{number}", "b", OTHER if number % 2 else LINE)
    order = [str(each)[0] for each in await bench.order()]
    for end in range(20, 200, 20):
        assert abs(order[:end].count("a") - order[:end].count("b")) <= 12


async def test_who_waits_saves_no_time_up() -> None:
    bench = Bench()
    await bench.begin()
    for number in range(40):
        bench.send(f"a{number}", "a", LINE)
    bench.send("b", "b", LINE)
    for number in range(40):
        bench.send(f"c{number}", "c", LINE)
    order = [str(each)[0] for each in await bench.order()]
    assert abs(order[:40].count("a") - order[:40].count("c")) <= 8


async def test_jobs_stay_behind_the_pages_of_every_client() -> None:
    bench = Bench()
    await bench.begin()
    job = Flow(background=True, client="jobs")
    for number in range(20):
        bench.send(f"j{number}", "jobs", PAGE, job)
    for number in range(8):
        bench.send(f"a{number}", "a", PAGE)
    order = [str(each)[0] for each in await bench.order()]
    assert order[:10].count("j") <= 2
    assert order.count("j") == 20


async def test_a_full_queue_lets_in_who_has_nothing_in_it() -> None:
    bench = Bench(max_queue_seconds=1.0)
    await bench.begin()
    for number in range(3):
        bench.send(f"a{number}", "a", PAGE)
    with pytest.raises(Saturated):
        bench.send("a3", "a", PAGE)
    bench.send("b", "b", PAGE)
    with pytest.raises(Saturated):
        bench.send("a", "a", PAGE)
    order = await bench.order()
    assert order.index("b") <= 1
    assert not bench.batcher._queue_limit._of_clients
    assert not bench.batcher._clock.long.served


async def test_pictures_of_two_clients_take_turns() -> None:
    gate, order = PixelLimit(1_000_000), list[str]()
    held, free = asyncio.Event(), asyncio.Event()

    async def hold(name: str) -> None:
        async with gate.hold(1_000_000, client=name[0]):
            order.append(name)
            held.set()
            await free.wait()

    tasks = [asyncio.create_task(hold("x"))]
    await held.wait()
    for name in ("a1", "a2", "a3", "a4", "b1", "b2"):
        tasks.append(asyncio.create_task(hold(name)))
        await asyncio.sleep(0)
    tasks[2].cancel()  # a2
    free.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order[1] == "a1"
    assert order.index("b1") < order.index("a4")
    assert order.index("b2") <= order.index("a4") + 1
    assert [each for each in order if each[0] == "a"] == ["a1", "a3", "a4"]
    assert (gate.inside, gate.waiting, gate._ends) == (0, 0, {})
