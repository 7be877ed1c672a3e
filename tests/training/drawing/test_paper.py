"""Grounds, colours, rules and seals leave the text readable."""

from __future__ import annotations

import random

import numpy as np
from available import need_training

need_training()

from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Glyphs
from ocrsvc.training.drawing.paper import Paper


def paper(library: Library, seed: int) -> Paper:
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    return Paper(library, rng, noise, Glyphs(library, rng, noise))


def test_ink_and_paper_are_apart(library: Library) -> None:
    pairs = [paper(library, seed).colours() for seed in range(300)]
    luma = np.array([0.114, 0.587, 0.299])
    assert min(abs(float((ink - ground) @ luma)) for ink, ground in pairs) > 20
    assert sum(bool(ink.mean() < ground.mean()) for ink, ground in pairs) > 150


def test_a_texture_is_weaker_than_the_ink(library: Library) -> None:
    ink, base = np.full(3, 90, np.float32), np.full(3, 160, np.float32)
    for seed in range(60):
        ground = paper(library, seed).ground(40, 200, base, ink)
        assert ground.shape == (40, 200, 3)
        assert ground.std() < 0.45 * 70


def test_clutter_stays_off_the_text(library: Library) -> None:
    touched = 0
    for seed in range(200):
        alpha = np.zeros((60, 300), np.float32)
        paper(library, seed).clutter(alpha, 40, 12, 36, 220)
        box = alpha[12:48, 32:268]
        assert box.max() == 0  # an upright rule would be an l beside the text, so it stays farther away
        touched += bool(alpha.max() > 0)
    assert 20 < touched < 120


def test_a_seal_lets_the_print_through(library: Library) -> None:
    picture = np.full((48, 240, 3), 235, np.float32)
    picture[16:32, 40:200] = 20
    red = 0
    for seed in range(30):
        stamped = paper(library, seed).stamp(picture)
        assert stamped.shape == picture.shape
        assert (stamped <= picture + 1e-3).all()  # ink takes light away
        assert stamped[16:32, 40:200].mean() < 21
        assert stamped[:14].mean(axis=2).min() > 40  # and leaves enough to tell it from print
        red += bool((stamped[..., 2] - stamped[..., 1]).max() > 30)
    assert red > 12


def test_a_shadow_darkens_one_side(library: Library) -> None:
    picture = np.full((48, 240, 3), 200, np.float32)
    shaded = [paper(library, seed).shadow(picture) for seed in range(20)]
    assert all(image.max() <= 200.01 and image.min() > 80 for image in shaded)
    assert sum(bool(np.ptp(image) > 10) for image in shaded) > 8
