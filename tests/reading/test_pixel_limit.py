"""The gate bounds pixels in memory, keeps the order, loses nothing, and refuses what would be late."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from ocrsvc.errors import Saturated
from ocrsvc.reading.pixel_limit import SMALL_PIXELS, PixelLimit

MEGA = 1_000_000


class Holder:
    """A picture that stays in memory until told."""

    def __init__(self, gate: PixelLimit, pixels: int, **options: Any) -> None:
        self.inside = asyncio.Event()
        self.may_go = asyncio.Event()
        self.task = asyncio.create_task(self._hold(gate, pixels, options))

    async def _hold(self, gate: PixelLimit, pixels: int, options: Any) -> None:
        async with gate.hold(pixels, **options):
            self.inside.set()
            await self.may_go.wait()

    async def go(self) -> None:
        self.may_go.set()
        await self.task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_pictures_wait_for_room_in_their_order() -> None:
    gate = PixelLimit(10 * MEGA)
    first, second, third, fourth = (Holder(gate, size * MEGA) for size in (6, 4, 5, 1))
    await settle()
    assert [each.inside.is_set() for each in (first, second, third, fourth)] == [True, True, False, False]
    assert (gate.inside, gate.waiting) == (10 * MEGA, 6 * MEGA)
    await second.go()
    await settle()
    assert not fourth.inside.is_set(), "it would fit, but the third came before"
    await first.go()
    await settle()
    assert third.inside.is_set()
    assert fourth.inside.is_set()
    await third.go()
    await fourth.go()
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_what_decoding_took_is_given_back_before_the_end() -> None:
    gate = PixelLimit(10 * MEGA)
    async with gate.hold(9 * MEGA) as place:
        other = Holder(gate, 5 * MEGA)
        await settle()
        assert not other.inside.is_set()
        place.shrink(12 * MEGA)
        assert gate.inside == 9 * MEGA, "nothing grows"
        place.shrink(4 * MEGA)
        await settle()
        assert other.inside.is_set()
        assert gate.inside == 9 * MEGA
    assert gate.inside == 5 * MEGA
    await other.go()
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_a_line_does_not_wait_behind_photographs() -> None:
    gate = PixelLimit(MEGA)
    photo, other = Holder(gate, MEGA), Holder(gate, MEGA)
    line = Holder(gate, SMALL_PIXELS)
    await settle()
    assert line.inside.is_set()
    assert gate.inside == MEGA + SMALL_PIXELS
    for each in (line, photo, other):
        await each.go()
    assert gate.inside == 0


async def test_a_picture_larger_than_the_gate_gets_it_for_itself() -> None:
    gate = PixelLimit(MEGA)
    giant, next_one = Holder(gate, 64 * MEGA), Holder(gate, MEGA)
    await settle()
    assert giant.inside.is_set()
    assert not next_one.inside.is_set()
    await giant.go()
    await next_one.go()
    assert gate.inside == 0


async def test_a_cancelled_picture_frees_its_place_in_the_queue() -> None:
    gate = PixelLimit(10 * MEGA)
    inside, cancelled, behind = Holder(gate, 6 * MEGA), Holder(gate, 9 * MEGA), Holder(gate, 4 * MEGA)
    await settle()
    cancelled.task.cancel()
    await settle()
    assert behind.inside.is_set()
    await inside.go()
    await behind.go()
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_cancelled_in_the_moment_of_being_let_in() -> None:
    gate = PixelLimit(MEGA)
    first, second = Holder(gate, MEGA), Holder(gate, MEGA)
    await settle()
    first.may_go.set()
    await asyncio.sleep(0)  # the first leaves and lets the second in, which has not run yet
    second.task.cancel()
    await settle()
    await asyncio.gather(first.task, second.task, return_exceptions=True)
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_what_would_be_late_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    gate = PixelLimit(10 * MEGA)
    holders = [Holder(gate, 10 * MEGA) for _ in range(6)]
    await settle()
    now += 2.0
    await holders[0].go()  # 10 megapixels in 2 s, four of them still wait behind the second
    assert gate.eta_seconds() == pytest.approx(10.0)
    with pytest.raises(Saturated) as refusal:
        async with gate.hold(10 * MEGA, deadline=now + 4):
            pass
    assert refusal.value.retry_after_seconds == 6
    patient = Holder(gate, 10 * MEGA, deadline=now + 11)
    for each in (*holders[1:], patient):
        await each.go()
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_waiters_that_are_cancelled_together_leave_nothing_behind() -> None:
    gate = PixelLimit(10 * MEGA)
    inside, large, small = (Holder(gate, size * MEGA) for size in (6, 9, 3))
    await settle()
    large.task.cancel()
    small.task.cancel()
    await asyncio.gather(large.task, small.task, return_exceptions=True)
    assert (gate.inside, gate.waiting) == (6 * MEGA, 0)
    await inside.go()
    next_one = Holder(gate, 9 * MEGA)
    await settle()
    assert next_one.inside.is_set()
    await next_one.go()
    assert (gate.inside, gate.waiting) == (0, 0)


@pytest.mark.parametrize("large", [20, 40, 64])
@pytest.mark.parametrize("trickle", [0.04, 0.2, 0.3, 1.0])
async def test_small_pictures_that_finish_do_not_make_a_large_one_look_endless(
    monkeypatch: pytest.MonkeyPatch, large: int, trickle: float
) -> None:
    """A large picture takes 8 s, and one of ``trickle`` megapixels leaves every 0.5 s."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    gate = PixelLimit(80 * MEGA)
    inside = [Holder(gate, large * MEGA), *(Holder(gate, round(trickle * MEGA)) for _ in range(15))]
    waiting = Holder(gate, 80 * MEGA)
    await settle()
    for done, each in enumerate(inside[1:], start=1):
        now += 0.5
        await each.go()
        true = (8 - done / 2) + 80 * 8 / large  # until the large one ends, and then that which waits
        assert gate.eta_seconds() <= 2.5 * true
    await inside[0].go()
    await waiting.go()
    assert (gate.inside, gate.waiting) == (0, 0)


@pytest.mark.parametrize("seed", range(20))
async def test_any_schedule_stays_within_the_bound_and_ends_empty(seed: int) -> None:
    random_ = random.Random(seed)
    gate = PixelLimit(10 * MEGA)
    most = 0

    async def one() -> None:
        nonlocal most
        pixels = random_.randint(SMALL_PIXELS + 1, 12 * MEGA)
        for _ in range(random_.randint(0, 9)):
            await asyncio.sleep(0)
        async with gate.hold(pixels) as place:
            for _ in range(random_.randint(1, 3)):
                most = max(most, gate.inside)
                for _ in range(random_.randint(0, 4)):
                    await asyncio.sleep(0)
                place.shrink(random_.randint(0, pixels))

    tasks = [asyncio.create_task(one()) for _ in range(60)]
    for _ in range(30):
        await asyncio.sleep(0)
        for task in random_.sample(tasks, random_.choice((1, 1, 5, 20))):  # leave in one turn of the loop
            task.cancel()
    async with asyncio.timeout(20):
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(end is None or isinstance(end, asyncio.CancelledError) for end in ends)
    assert most <= 10 * MEGA
    assert (gate.inside, gate.waiting) == (0, 0)
