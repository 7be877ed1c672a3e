"""Lines drawn by other processes: the same for a seed, short ones first, and nobody stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest
from available import need_training

need_training()

from ocrsvc.training.data import feed
from ocrsvc.training.data.feed import Feed, Order, batches, held, lines
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.texts import charset

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def order(library: Library) -> Order:
    return Order(
        library=Library(library.cjk[:1], library.latin[:3], ()),
        charset="0123456789",
        texts="random",
        longest=12,
        first_characters=2,
        curriculum_steps=10,
        buckets=(64, 160, 480),
        columns=640,
        seed=3,
    )


def seen(made: Iterator[feed.Batch], count: int) -> list[tuple[str, ...]]:
    return [batch.texts for batch in islice(made, count)]


def test_short_texts_come_first(order: Order) -> None:
    assert [order.longest_at(step) for step in (0, 5, 10, 99)] == [2, 7, 12, 12]
    assert replace(order, curriculum_steps=0).longest_at(0) == 12
    drawn = list(islice(batches(order, 1), 14))
    assert all(len(text) <= 2 for text in drawn[0].texts)
    assert max(len(text) for batch in drawn for text in batch.texts) > 8
    assert {batch.pixels.shape[2] for batch in drawn} == set(order.buckets)


def test_batches_are_what_serving_makes(order: Order) -> None:
    for batch in islice(batches(order, 1), 5):
        rows, height, width, channels = batch.pixels.shape
        assert (height, channels, batch.pixels.dtype) == (32, 3, np.dtype(np.uint8))
        assert rows == len(batch.texts) == -(-order.columns // width)


def test_a_line_too_long_for_ctc_is_not_learnt(order: Order) -> None:
    """Equal neighbours need a blank between them: 11 characters 21 steps, one more than 80 pixels have."""
    narrow = replace(order, charset="1", shortest=11, longest=11, buckets=(80,), height=16)
    source = feed._source(narrow, 1)
    assert all(feed._line(source, narrow, 11) is None for _ in range(50))
    wide = replace(narrow, buckets=(480,))
    assert any(feed._line(source, wide, 11) is not None for _ in range(50))


def test_the_data_engine_draws_for_the_whole_charset(order: Order) -> None:
    whole = replace(order, charset=charset.load(), texts="corpus", longest=20, buckets=(160, 320, 640))
    drawn = list(islice(lines(whole, 2), 40))
    assert all(0 < len(text) <= 20 and set(text) <= set(whole.charset) for _, text in drawn)
    assert sum(not text.isascii() for _, text in drawn) > 5


def test_what_is_held_out_is_always_the_same(order: Order) -> None:
    first, again = held(order, 9, 30), held(order, 9, 30)
    assert [batch.texts for batch in first] == [batch.texts for batch in again]
    assert sum(len(batch.texts) for batch in first) == 30


def test_two_processes_deliver_in_a_fixed_order_and_are_ended(order: Order) -> None:
    with Feed(order, 2) as fed:
        got = [fed.take(step).texts for step in range(6)]
        pids = [process.pid for process in fed.processes]
        assert all(psutil.pid_exists(pid) for pid in pids if pid)
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)
    even = seen(batches(order, feed._seed(order.seed, 0, 0), 0, 2), 3)
    odd = seen(batches(order, feed._seed(order.seed, 0, 1), 1, 2), 3)
    assert got == [even[0], odd[0], even[1], odd[1], even[2], odd[2]]


def test_a_process_that_fails_is_told(
    order: Order, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = replace(order, charset="0\U0010fffd")  # a character that nobody can draw
    with Feed(broken, 1) as fed, pytest.raises(RuntimeError, match="ended with status 1"):
        fed.take(0)
    assert "no typeface has all of" in capfd.readouterr().err
