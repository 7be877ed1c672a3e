"""The schedule of learning rates that the trainings share."""

from __future__ import annotations

import math


def cosine(done: float) -> float:
    """Return a factor that falls from 1 to 1 % as a run goes from 0 to 1 (SGDR, Loshchilov and Hutter 2017)."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
