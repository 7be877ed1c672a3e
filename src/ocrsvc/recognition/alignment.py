"""Where the characters of a given text lie on a line: the most probable CTC path that reads it (forced alignment)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.ctc import BLANK

# Probability of a class that is not among the best of a step, as a share of what the blank leaves: such a character is
# best placed where CTC reads another one.
_UNSEEN = 1e-3
_LEAST = 1e-9  # probability of what should never be; keeps the logarithm finite


def align(
    indices: NDArray[np.int32], probabilities: NDArray[np.float32], classes: Sequence[int]
) -> NDArray[np.intp]:
    """Return the time steps ``[L,2]`` of each of the ``classes``: its first one, and the one after its last.

    ``indices`` and ``probabilities`` ``[T,K]`` are the best classes of each step. A text that needs more steps than
    there are is spread evenly over them.
    """
    length, steps = len(classes), len(indices)
    if not length:
        return np.zeros((0, 2), dtype=np.intp)
    if length + sum(a == b for a, b in pairwise(classes)) > steps:
        edges = np.arange(length + 1) * steps // length
        return np.stack([edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)], axis=1)
    seen = np.log(_emissions(indices, probabilities, np.asarray(classes)))
    # States: a blank, the first character, a blank ... A path may skip a blank between different characters.
    states = 2 * length + 1
    skips = np.zeros(states, dtype=bool)
    skips[3::2] = np.asarray(classes[1:]) != np.asarray(classes[:-1])
    best = np.full(states, -np.inf)
    best[:2] = seen[0, :2]
    before = np.zeros((steps, states), dtype=np.int8)  # by how many states the path came up
    for step in range(1, steps):
        ways = np.full((3, states), -np.inf)
        ways[0] = best
        ways[1, 1:] = best[:-1]
        ways[2, 2:] = np.where(skips[2:], best[:-2], -np.inf)
        before[step] = ways.argmax(axis=0)
        best = ways.max(axis=0) + seen[step]
    state = states - 1 if best[-1] >= best[-2] else states - 2
    found = np.zeros((length, 2), dtype=np.intp)
    for step in range(steps - 1, -1, -1):
        if state % 2:
            found[state // 2, 0] = step
            found[state // 2, 1] = max(found[state // 2, 1], step + 1)
        state -= int(before[step, state])
    return found


def _emissions(
    indices: NDArray[np.int32], probabilities: NDArray[np.float32], classes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the probability ``[T,2L+1]`` of each state in each step."""
    own = np.zeros((len(indices), 2 * len(classes) + 1))
    blank = np.where(indices == BLANK, probabilities, 0).sum(axis=1, dtype=np.float64)
    own[:, ::2] = blank[:, None]
    own[:, 1::2] = np.where(indices[:, None, :] == classes[None, :, None], probabilities[:, None, :], 0).sum(
        axis=2
    )
    own[:, 1::2] = np.where(own[:, 1::2] > 0, own[:, 1::2], _UNSEEN * (1 - blank[:, None]))
    return np.maximum(own, _LEAST)
