"""The scheduler on real threads, and single decisions of it; its promises in general are in tests/property."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Sequence

import pytest

from ocrsvc.errors import (
    DeadlineExceeded,
    EngineFailure,
    RunTooLong,
    Saturated,
    ShuttingDown,
    UndecodableImage,
)
from ocrsvc.scheduling.batcher import Batcher, Flow, Lane
from ocrsvc.scheduling.cost import CostModel
from ocrsvc.scheduling.observer import BatchReport, Counters

LANE = Lane("m", 100)
WIDE = Lane("m", 400)
SLOW = Lane("m", 100_000)  # a second


class Engine:
    """Echoes; holds every run until ``gate`` opens; notes what ran."""

    def __init__(self, *, held: bool = False) -> None:
        self.gate = threading.Event()
        self.started = threading.Semaphore(0)
        self.runs: list[tuple[Lane, tuple[object, ...]]] = []
        if not held:
            self.gate.set()

    def __call__(self, lane: Lane, payloads: Sequence[object]) -> list[object]:
        self.runs.append((lane, tuple(payloads)))
        self.started.release()
        assert self.gate.wait(10)
        for payload in payloads:
            if isinstance(payload, Exception):
                raise payload
        return list(payloads)

    async def until_started(self) -> None:
        assert await asyncio.to_thread(self.started.acquire, timeout=10)


class FixedCost(CostModel):
    """A millisecond for each hundred pixels."""

    def terms(self, lane: object) -> tuple[float, float]:
        return 0.0, lane.width / 100_000  # type: ignore[attr-defined]


async def opened(engine: Engine, **options: object) -> Batcher[object, object]:
    batcher: Batcher[object, object] = Batcher(engine, **({"workers": 1, "cost": FixedCost()} | options))  # type: ignore[arg-type]
    await batcher.start()
    return batcher


async def test_a_line_is_read_on_a_thread_and_threads_end_with_close() -> None:
    before = set(threading.enumerate())
    batcher = await opened(Engine(), workers=3)
    assert await asyncio.gather(*batcher.submit([(LANE, number) for number in range(9)])) == list(range(9))
    assert batcher.alive
    await batcher.close(1)
    await batcher.close(1)
    assert not batcher.alive
    assert set(threading.enumerate()) <= before


async def test_waiting_lines_stack_up_to_t_max_while_the_worker_is_busy() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, t_max_ms=4)
    futures = batcher.submit([(LANE, "first")])
    await engine.until_started()
    futures += batcher.submit([(LANE, number) for number in range(10)])
    engine.gate.set()
    await asyncio.gather(*futures)
    assert [len(payloads) for _, payloads in engine.runs] == [1, 4, 4, 2]
    assert batcher.counters.releases == {"empty": 2, "t_max": 2}
    await batcher.close(1)


async def test_the_next_batch_starts_before_the_answers_of_the_last_are_handed_out() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine)
    (first,) = batcher.submit([(LANE, "first")])
    await engine.until_started()
    (second,) = batcher.submit([(WIDE, "second")])
    seen = []
    first.add_done_callback(lambda _: seen.append(batcher.load()))
    engine.gate.set()
    await asyncio.gather(first, second)
    assert [(load.busy, dict(load.queued)) for load in seen] == [(1, {})]
    await batcher.close(1)


async def test_lines_spread_over_idle_workers_before_they_stack() -> None:
    engine = Engine()
    batcher = await opened(engine, workers=4, t_max_ms=1000)
    await asyncio.gather(*batcher.submit([(LANE, number) for number in range(12)]))
    assert sorted(len(payloads) for _, payloads in engine.runs) == [3, 3, 3, 3]
    await batcher.close(1)


async def test_max_batch_caps_a_batch() -> None:
    engine = Engine()
    batcher = await opened(engine, max_batch=5, t_max_ms=1000)
    await asyncio.gather(*batcher.submit([(LANE, number) for number in range(12)]))
    assert [len(payloads) for _, payloads in engine.runs] == [5, 5, 2]
    assert batcher.counters.releases["full"] == 2
    await batcher.close(1)


async def test_a_window_gathers_requests_that_come_one_by_one() -> None:
    engine = Engine()
    batcher = await opened(engine, max_wait_ms=200, t_max_ms=1000, max_batch=4)
    futures = []
    for number in range(4):
        futures += batcher.submit([(LANE, number)])
        await asyncio.sleep(0.005)
    await asyncio.gather(*futures)
    assert [len(payloads) for _, payloads in engine.runs] == [4], "the fourth line fills the batch"
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*batcher.submit([(LANE, "alone")]))
    assert asyncio.get_running_loop().time() - began > 0.15
    await batcher.close(1)


async def test_one_line_does_not_wait_for_a_page_that_has_every_worker() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, t_max_ms=1)
    page = batcher.submit([(LANE, f"page {number}") for number in range(100)])
    await engine.until_started()
    single, other = batcher.submit([(LANE, "single")]) + batcher.submit([(LANE, "other")])
    await engine.until_started()
    assert engine.runs[1:] == [(LANE, ("single",))], "one run at a time beside the workers"
    assert batcher.load().busy == 1
    engine.gate.set()
    await asyncio.gather(single, other, *page)
    assert batcher.counters.releases["short"] >= 1
    await batcher.close(1)


async def test_a_long_line_that_is_a_picture_of_its_own_counts_as_short() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, t_max_ms=1)
    page = batcher.submit([(LANE, number) for number in range(100)])
    await engine.until_started()
    futures = batcher.submit([(WIDE, "of a small page")])
    futures += batcher.submit([(WIDE, "alone")], flow=Flow(alone=True))
    futures += batcher.submit([(WIDE, number) for number in range(3)], flow=Flow(alone=True))
    await engine.until_started()
    assert engine.runs[1:] == [(WIDE, ("alone",))]
    assert [item.short for item in batcher._waiting].count(True) == 0, (
        "12 ms are too much for ten runs of 1 ms"
    )
    engine.gate.set()
    await asyncio.gather(*futures, *page)
    await batcher.close(1)


async def test_short_readings_among_themselves_get_no_further_thread() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine)
    futures = batcher.submit([(LANE, "plug")])
    await engine.until_started()
    futures += batcher.submit([(LANE, "single")])
    await asyncio.sleep(0.01)
    assert len(engine.runs) == 1
    engine.gate.set()
    await asyncio.gather(*futures)
    await batcher.close(1)


async def test_a_page_is_finished_before_the_next_begins_and_a_document_yields_after_its_turn() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, t_max_ms=1, max_batch=1)
    document, first, second = Flow(), Flow(), Flow()
    futures = batcher.submit([(LANE, "plug")] * 2, flow=document)
    await engine.until_started()
    futures += batcher.submit([(SLOW, f"document {number}") for number in range(9)], flow=document)
    futures += batcher.submit([(SLOW, "first: detect")], flow=first)
    futures += batcher.submit([(SLOW, "second: detect")], flow=second)
    futures += batcher.submit([(SLOW, "first: read")], flow=first)
    engine.gate.set()
    await asyncio.gather(*futures)
    order = [str(payloads[0]).split(":")[0].split(" ")[0] for _, payloads in engine.runs]
    assert order == ["plug"] * 2 + ["document"] * 5 + ["first"] * 2 + ["second"] + ["document"] * 4
    await batcher.close(1)


async def test_the_oldest_line_chooses_the_lane() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine)
    futures = batcher.submit([(LANE, "plug")])
    await engine.until_started()
    futures += batcher.submit([(WIDE, "a")])
    futures += batcher.submit([(LANE, "b")])
    futures += batcher.submit([(WIDE, "c")])
    engine.gate.set()
    await asyncio.gather(*futures)
    assert engine.runs[1:] == [(WIDE, ("a", "c")), (LANE, ("b",))]
    await batcher.close(1)


async def test_an_error_of_ours_reaches_the_caller_as_it_is_and_others_stay_inside() -> None:
    batcher = await opened(Engine())
    ours = UndecodableImage("This is no picture.")
    futures = batcher.submit([(LANE, ours), (LANE, ValueError("secret path")), (LANE, "fine")])
    first, second, third = await asyncio.gather(*futures, return_exceptions=True)
    assert first is ours
    assert isinstance(second, EngineFailure)
    assert "secret" not in second.detail
    assert third == "fine"
    await batcher.close(1)


async def test_a_cancelled_line_is_not_run() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine)
    (plug,) = batcher.submit([(LANE, "plug")])
    await engine.until_started()
    wanted, unwanted = batcher.submit([(LANE, "wanted"), (LANE, "unwanted")])
    unwanted.cancel()
    engine.gate.set()
    await asyncio.gather(plug, wanted)
    assert all("unwanted" not in payloads for _, payloads in engine.runs)
    await batcher.close(1)


async def test_a_deadline_is_answered_while_the_worker_is_stuck() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine)
    loop = asyncio.get_running_loop()
    running, queued = batcher.submit([(LANE, "running"), (WIDE, "queued")], deadline=loop.time() + 0.05)
    for future in (running, queued):
        with pytest.raises(DeadlineExceeded):
            await asyncio.wait_for(future, 5)
    assert batcher.load().busy == 1
    assert batcher.load().longest_run_seconds >= 0.04
    engine.gate.set()
    await batcher.close(5)


async def test_a_full_queue_says_when_to_come_back() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, max_queue_seconds=0.5, t_max_ms=0.5)
    futures = batcher.submit(
        [(LANE, number) for number in range(2000)]
    )  # 2 s: let in, because nothing else waits
    with pytest.raises(Saturated) as caught:
        batcher.submit([(LANE, "one more")])
    assert caught.value.retry_after_seconds == 2
    assert batcher.submit([(LANE, "let in before")], admitted=True)[0] is not None
    assert batcher.counters.refusals == {"saturated": 1}
    assert batcher.eta_seconds == pytest.approx(2.001)
    for future in futures:
        future.cancel()
    engine.gate.set()
    await batcher.close(5)


async def test_a_full_queue_is_known_before_a_line_is() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, max_queue_seconds=0.5, t_max_ms=4)
    futures: list[asyncio.Future[object]] = []
    with contextlib.suppress(Saturated):
        while len(futures) < 2000:
            batcher.check_room()
            futures += batcher.submit([(LANE, len(futures))], flow=Flow(alone=True))
    assert 490 <= len(futures) <= 510
    batcher.check_room(client="another")
    with pytest.raises(DeadlineExceeded):
        batcher.check_room(deadline=asyncio.get_running_loop().time() - 1)
    assert batcher.counters.refusals == {"saturated": 1, "deadline": 1}
    futures[-1].cancel()
    futures[-2].cancel()
    await asyncio.sleep(0)
    batcher.check_room()
    engine.gate.set()
    await batcher.close(5)


async def test_pages_do_not_say_what_a_line_costs() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, max_queue_seconds=3, t_max_ms=4)
    futures = [future for _ in range(2) for future in batcher.submit([(SLOW, "page")])]
    batcher.check_room()
    futures += batcher.submit([(LANE, "line")], flow=Flow(alone=True))
    for future in futures:
        future.cancel()
    engine.gate.set()
    await batcher.close(5)


async def test_work_that_would_come_too_late_is_refused_at_the_door() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, t_max_ms=0.5)
    futures = batcher.submit([(LANE, number) for number in range(3000)])
    now = asyncio.get_running_loop().time()
    with pytest.raises(Saturated) as caught:
        batcher.submit([(LANE, "urgent")], deadline=now + 1)
    assert caught.value.retry_after_seconds in (2, 3)
    with pytest.raises(DeadlineExceeded):
        batcher.submit([(LANE, "too late")], deadline=now - 1)
    assert batcher.counters.refusals == {"saturated": 1, "deadline": 1}
    for future in futures:
        future.cancel()
    engine.gate.set()
    await batcher.close(5)


async def test_a_short_reading_is_let_in_beside_a_full_queue_that_it_need_not_wait_for() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, max_queue_seconds=0.5)
    futures = batcher.submit([(LANE, number) for number in range(2000)])
    with pytest.raises(Saturated):
        batcher.submit([(LANE, number) for number in range(50)])
    now = asyncio.get_running_loop().time()
    futures += batcher.submit([(LANE, "urgent")], deadline=now + 1)
    for future in futures:
        future.cancel()
    engine.gate.set()
    await batcher.close(5)


async def test_close_fails_what_the_grace_does_not_cover() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine)
    running, queued = batcher.submit([(LANE, "running"), (WIDE, "queued")])
    await engine.until_started()
    closing = asyncio.create_task(batcher.close(0.02))
    with pytest.raises(ShuttingDown):
        await queued
    engine.gate.set()
    await closing
    assert isinstance(running.exception(), ShuttingDown)
    with pytest.raises(ShuttingDown):
        batcher.submit([(LANE, "late")])


async def test_lines_may_be_submitted_before_the_start() -> None:
    batcher: Batcher[object, object] = Batcher(Engine(), workers=1)
    futures = batcher.submit([(LANE, 1)])
    assert not batcher.alive
    await batcher.start()
    assert await futures[0] == 1
    await batcher.close(1)


async def test_closing_what_never_started_ends_its_lines() -> None:
    batcher: Batcher[object, object] = Batcher(Engine(), workers=1)
    (future,) = batcher.submit([(LANE, 1)])
    await batcher.close(0)
    assert isinstance(future.exception(), ShuttingDown)


async def test_nothing_in_nothing_out() -> None:
    batcher = await opened(Engine())
    assert batcher.submit([]) == []
    await batcher.close(1)


async def test_observers_hear_of_everything() -> None:
    heard = Counters()
    reports: list[BatchReport] = []

    class Listener(Counters):
        def ran(self, report: BatchReport) -> None:
            reports.append(report)
            heard.ran(report)

    listener = Listener()
    batcher = await opened(Engine(), observer=listener, measure=lambda lane, payload: 60)
    futures = batcher.submit([(LANE, "good"), (LANE, ValueError("bad")), (WIDE, "good")])
    await asyncio.gather(*futures, return_exceptions=True)
    await batcher.close(1)
    assert listener.outcomes == batcher.counters.outcomes == {"ok": 2, "failed": 1}
    assert listener.splits == 1
    assert heard.pixels == sum(report.width * report.rows for report in reports)
    assert heard.used_pixels == 60 * sum(report.rows for report in reports)
    assert heard.failed_batches == 2
    assert all(report.seconds >= 0 and not math.isnan(report.seconds) for report in reports)


async def test_a_run_that_was_ended_is_not_tried_again_in_halves() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine, t_max_ms=1000)
    (plug,) = batcher.submit([(LANE, "plug")])
    await engine.until_started()
    futures = batcher.submit([(LANE, "good"), (LANE, RunTooLong("hangs")), (LANE, "good")])
    engine.gate.set()
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    await batcher.close(1)
    assert [type(outcome) for outcome in outcomes] == [RunTooLong] * 3
    assert len(engine.runs) == 2
    assert plug.result() == "plug"


async def test_dead_lines_do_not_pile_up_behind_a_stuck_worker() -> None:
    engine = Engine(held=True)
    batcher = await opened(engine)
    (plug,) = batcher.submit([(LANE, "plug")])
    await engine.until_started()
    for _ in range(50):
        for future in batcher.submit([(LANE, "x")] * 100):
            future.cancel()
        await asyncio.sleep(0.001)
    lanes = [queues for kind in batcher._waiting._queues.values() for queues in kind.values()]
    assert sum(len(queue._heap) for queues in lanes for queue in queues.values()) < 500
    assert batcher.load().outstanding == 1
    engine.gate.set()
    await plug
    await batcher.close(1)
