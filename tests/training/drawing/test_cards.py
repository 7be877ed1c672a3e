"""Embossed numbers: their shapes, their light, their ground."""

from __future__ import annotations

import random

import numpy as np
import pytest
from available import need_training

need_training()

from ocrsvc.training.drawing.cards import CARD, Cards
from ocrsvc.training.drawing.fonts import Library


def cards(library: Library, seed: int) -> Cards:
    return Cards(library, random.Random(seed), np.random.default_rng(seed))


@pytest.mark.parametrize(
    "text", ["622", "6222", "6222 0212", "6222 0212 3456 7890", "3782 822463 10005", "6222021234567890123"]
)
def test_numbers_of_cards(text: str) -> None:
    assert CARD.match(text)


@pytest.mark.parametrize("text", ["12", "37.20", "6222 A", "2026-01-01", "6222 02", "京A12345"])
def test_other_texts_are_not_of_cards(text: str) -> None:
    assert not CARD.match(text)


def test_every_digit_has_a_shape_of_its_own() -> None:
    maker = cards(Library((), (), ()), 1)  # no face: all are drawn by strokes
    shapes = set()
    for digit in "0123456789":
        maker.rng.seed(5)
        ink = maker.ink(digit * 4)
        assert ink.dtype == np.float32
        assert 0.95 < ink.max() <= 1
        assert 2 < ink.shape[1] / ink.shape[0] < 4.2
        shapes.add(ink.tobytes())
    assert len(shapes) == 10


def test_groups_stand_apart() -> None:
    for seed in range(20):
        ink = cards(Library((), (), ()), seed).ink("6888 0866")
        columns = np.flatnonzero(ink.max(axis=0) > 0.2)
        first, second = sorted(np.diff(columns).tolist())[-1:-3:-1]
        assert first > 1.5 * second


def test_the_sixes_are_round_or_like_a_b() -> None:
    """The stem of the b leaves the left side of the top inked."""
    stems = set()
    for seed in range(20):
        ink = cards(Library((), (), ()), seed)._stroked("6")
        stems.add(bool(ink[: ink.shape[0] // 8, : ink.shape[1] // 6].max() > 0.9))
    assert stems == {True, False}


def test_light_falls_on_one_slope_and_leaves_the_other_dark(library: Library) -> None:
    """On an even ground there are pixels both brighter and darker than it, and the flat rest is as it was."""
    mask = np.zeros((60, 120), np.float32)
    mask[20:40, 40:80] = 1
    ground = np.full((60, 120, 3), 120, np.float32)
    for seed in range(30):
        shaded = cards(library, seed).shade(mask, ground)
        assert shaded.max() > 140
        assert shaded.min() < 100
        assert np.abs(shaded[:8] - 120).max() < 1
    assert (ground == 120).all()


def test_grounds_are_of_all_kinds(library: Library) -> None:
    grounds = [cards(library, seed).ground(40, 160) for seed in range(60)]
    assert all(ground.shape == (40, 160, 3) and ground.dtype == np.float32 for ground in grounds)
    means = [float(ground.mean()) for ground in grounds]
    assert min(means) < 80
    assert max(means) > 150
    assert sum(bool(np.ptp(ground, axis=2).max() < 1) for ground in grounds) > 5  # grey ones
