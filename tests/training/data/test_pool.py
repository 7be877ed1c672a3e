"""Drawn lines wait by bucket: the oldest are overwritten, each is used as often as was asked for."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from available import need_training

need_training()

import torch

from ocrsvc.training.data.feed import PAD_VALUE, Batch
from ocrsvc.training.data.pool import Pool

BUCKETS = (16, 32)
NAMES = count()


def batch(lines: int, bucket: int) -> Batch:
    """Lines whose text is a number and whose pixels are that number."""
    texts = tuple(str(next(NAMES)) for _ in range(lines))
    widths = tuple(bucket - i % 5 for i in range(lines))
    pixels = np.full((lines, 48, bucket, 3), PAD_VALUE, np.uint8)
    for row, text, width in zip(pixels, texts, widths, strict=True):
        row[:, :width] = int(text) % 256
    return Batch(pixels, texts, widths)


@pytest.fixture
def pool() -> Pool:
    return Pool(BUCKETS, 48, 320, torch.device("cpu"))  # ten narrow lines, five wide ones


def test_a_picked_line_has_its_own_pixels_width_and_text(pool: Pool) -> None:
    for lines, bucket in ((7, 16), (4, 32), (9, 16), (2, 32), (3, 16)):
        pool.add(batch(lines, bucket))
    for at, bucket in enumerate(BUCKETS):
        picked = pool.pick(at, 20, 1.0, np.random.default_rng(1))
        assert len(picked.labels) == 20
        for offset, source, width, (text, name, folded) in zip(
            picked.offset, picked.source, picked.width, picked.labels, strict=True
        ):
            assert (name, folded, source) == ("drawn", False, width)
            assert bucket - 5 < width <= bucket
            assert text is not None
            assert torch.all(pool.columns[offset : offset + source] == int(text) % 256)


def test_unused_lines_come_first_and_the_oldest_are_overwritten(pool: Pool) -> None:
    first = batch(10, 16)
    pool.add(first)
    assert pool.unused == 160
    rng = np.random.default_rng(1)
    assert [text for text, _, _ in pool.pick(0, 4, 1.0, rng).labels] == list(first.texts[:4])
    second = batch(7, 16)  # overwrites four used lines and three unused ones
    pool.add(second)
    assert pool.unused == 160
    left = [text for text, _, _ in pool.pick(0, 10, 1.0, rng).labels]
    assert left == [*first.texts[7:], *second.texts]
    assert pool.unused == 0
    again = {text for text, _, _ in pool.pick(0, 200, 1.0, rng).labels}  # all are used: any of those kept
    assert again == set(left)
    assert pool.arrived.tolist() == [17, 0]


def test_a_line_is_used_as_often_as_asked_in_the_mean(pool: Pool) -> None:
    rng = np.random.default_rng(1)
    picked = 0
    while picked < 3000:
        while pool.unused < 64:
            pool.add(batch(5, 16))
        picked += len(pool.pick(0, 6, 3.0, rng).labels)
    assert picked / (int(pool.arrived[0]) - pool.unused / 16) == pytest.approx(3.0, rel=0.05)


def test_an_empty_bucket_gives_no_line(pool: Pool) -> None:
    assert pool.pick(1, 3, 1.0, np.random.default_rng(1)).labels == ()
