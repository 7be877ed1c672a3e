"""Print may be worn, but it stays readable."""

from __future__ import annotations

import random

import numpy as np
import pytest
from available import need_training

need_training()

from ocrsvc.training.drawing.wear import Wear


@pytest.mark.parametrize("han", [True, False])
def test_spoilt_print_keeps_its_size_and_most_of_its_ink(han: bool) -> None:
    for seed in range(80):
        ink = np.zeros((40, 90), np.float32)
        ink[5:35, 10:40] = ink[5:35, 50:80] = 1
        spoilt = Wear(random.Random(seed), np.random.default_rng(seed)).worn(ink.copy(), han=han)
        assert spoilt.shape == ink.shape
        assert spoilt.min() >= 0
        assert spoilt.max() <= 1.001
        assert spoilt[5:35, 10:40].mean() > 0.3
        assert spoilt[:, 43:47].max() < 0.3  # what is apart stays apart
