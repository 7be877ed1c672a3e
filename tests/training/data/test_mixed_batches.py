"""Batches of drawn lines and real crops: of one bucket, padded as in serving, in the shares that were asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from available import need_training

need_training()

import torch

from ocrsvc.training.data import feed
from ocrsvc.training.data.feed import PAD_VALUE, Batch, Order, batches
from ocrsvc.training.data.mixed_batches import MixedBatches
from ocrsvc.training.data.pool import Pool
from ocrsvc.training.data.real_lines import Mix, RealLines, frames
from ocrsvc.training.data.samples import Sample
from ocrsvc.training.drawing.fonts import Library

BUCKETS = (96, 160, 320)
COLUMNS = 640
CPU = torch.device("cpu")


class Drawn:
    """Lines drawn in this process, as a feed's processes draw them."""

    def __init__(self, made: Iterator[Batch]) -> None:
        self.made = made

    def ready(self, wait: bool = False) -> Batch | None:
        return next(self.made)


@pytest.fixture(scope="module")
def order(library: Library) -> Order:
    some = Library(library.cjk[:1], library.latin[:3], ())
    return Order(some, "0123456789", texts="random", longest=12, height=48, buckets=BUCKETS, width_stride=8)


@pytest.fixture(scope="module")
def real() -> RealLines:
    rng = np.random.default_rng(5)
    samples = [
        Sample(rng.integers(0, 256, (48, 60 + 2 * i, 3), np.uint8), str(i) if i % 3 else None, "a")
        for i in range(40)
    ]
    return RealLines(iter(samples), Mix({}), BUCKETS, 48, 8, CPU, 1)


def mixed(order: Order, real: RealLines | None, share: float, **more: bool) -> MixedBatches:
    return MixedBatches(
        Drawn(batches(order, 3)),
        Pool(BUCKETS, 48, 60_000, CPU),
        real,
        columns=COLUMNS,
        real_share=share,
        passes=2.0,
        clean_drawn=more.get("clean_drawn", False),
        seed=1,
    )


def test_a_batch_is_of_one_bucket_and_padded_as_in_serving(order: Order, real: RealLines) -> None:
    made = mixed(order, real, 0.4)
    seen = set()
    for _ in range(30):
        batch = made()
        lines, channels, height, bucket = batch.images.shape
        seen.add(bucket)
        assert bucket in BUCKETS
        assert (channels, height) == (3, 48)
        assert lines == len(batch.labels) == max(2, COLUMNS // bucket)
        assert batch.clean.shape == (batch.real, 3, 48, bucket)
        assert [source for _, source, _ in batch.labels] == ["a"] * batch.real + ["drawn"] * (
            lines - batch.real
        )
        pad = np.float32(PAD_VALUE) * np.float32(2 / 255) - 1
        least = BUCKETS[BUCKETS.index(bucket) - 1] if bucket != BUCKETS[0] else 0
        for picture, (text, _, _) in zip(batch.images, batch.labels, strict=True):
            assert frames(text or "") <= bucket // 8
            padded = torch.all(picture == pad, dim=(0, 1)).int()
            width = bucket - int(padded.flip(0).cumprod(0).sum())
            assert least < width <= bucket
    assert seen == set(BUCKETS)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_real_crops_have_their_share(order: Order, real: RealLines, share: float) -> None:
    made = mixed(order, real, share)
    lines = crops = 0
    for _ in range(150):
        batch = made()
        lines, crops = lines + len(batch.labels), crops + batch.real
    assert crops / lines == pytest.approx(share, abs=0.07)


def test_without_real_crops_lines_are_drawn(order: Order) -> None:
    made = mixed(order, None, 0.5)
    assert made.real_share == 0
    assert {source for _ in range(5) for _, source, _ in made().labels} == {"drawn"}


def test_for_quantisation_all_lines_are_clean_too(order: Order, real: RealLines) -> None:
    batch = mixed(order, real, 0.4, clean_drawn=True)(at=1)
    assert batch.clean.shape == batch.images.shape
    assert not torch.equal(batch.clean, batch.images)


def test_batches_follow_the_seed(order: Order, real: RealLines) -> None:
    one, again = mixed(order, real, 0.4), mixed(order, real, 0.4)
    for _ in range(4):
        first, second = one(), again()
        assert first.labels == second.labels
        assert torch.equal(first.images, second.images)


def test_drawing_waits_while_enough_lines_are_unused(order: Order) -> None:
    made = mixed(order, None, 0.0)
    made()
    waiting = made.pool.unused
    assert waiting > 0.2 * len(made.pool.columns)
    before = int(made.pool.arrived.sum())
    for _ in range(20):
        made()
    learnt = 20 * COLUMNS / 160
    assert 0 < int(made.pool.arrived.sum()) - before < 2 * learnt


def test_a_feed_says_what_is_ready(order: Order) -> None:
    with feed.Feed(order, 1) as fed:
        batch = fed.ready(wait=True)
        assert batch is not None
        assert batch.pixels.shape[2] in BUCKETS
        assert all(0 < width <= batch.pixels.shape[2] for width in batch.widths)
