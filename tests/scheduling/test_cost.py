"""The learned cost of a batch."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrsvc.scheduling.cost import CostModel
from ocrsvc.scheduling.lanes import Lane

LANE = Lane("m", 320)


def test_it_learns_a_line_from_noisy_runs() -> None:
    cost, dice = CostModel(), random.Random(1)
    for _ in range(200):
        rows = dice.randint(1, 16)
        cost.learn(LANE, rows, (0.004 + 0.003 * rows) * dice.uniform(0.9, 1.1))
    fixed, per_row = cost.terms(LANE)
    assert fixed == pytest.approx(0.004, rel=0.5)
    assert per_row == pytest.approx(0.003, rel=0.1)
    assert cost.seconds(LANE, 8) == pytest.approx(0.028, rel=0.1)


def test_it_follows_a_machine_that_becomes_slower() -> None:
    cost = CostModel()
    for seconds in (0.010, 0.020):
        for _ in range(300):
            cost.learn(LANE, 1, seconds)
    assert cost.seconds(LANE, 1) == pytest.approx(0.020, rel=0.05)


def test_one_hiccup_changes_little() -> None:
    cost = CostModel()
    for _ in range(50):
        cost.learn(LANE, 1, 0.010)
    cost.learn(LANE, 1, 10.0)
    assert cost.seconds(LANE, 1) < 0.012


def test_a_lane_that_never_ran_is_guessed_from_its_nearest_relative() -> None:
    cost = CostModel()
    cost.learn(Lane("m", 320), 1, 0.032)
    cost.learn(Lane("m", 1280), 1, 0.200)
    cost.learn(Lane("other", 640), 1, 9.0)
    assert cost.seconds(Lane("m", 400), 1) == pytest.approx(0.040)
    assert cost.seconds(Lane("m", 320, "digits"), 2) == pytest.approx(0.064)


def test_before_anything_ran_wider_lines_cost_more() -> None:
    cost = CostModel()
    assert 0 < cost.seconds(Lane("m", 64), 1) < cost.seconds(Lane("m", 640), 1) < 0.1


def test_memory_does_not_grow_with_the_charsets_of_callers() -> None:
    cost = CostModel()
    for number in range(1000):
        cost.learn(Lane("m", 320, f"chars:{number}"), 1, 0.01)
    assert len(cost._sums) == 1


@given(
    st.lists(st.tuples(st.integers(1, 64), st.floats(0, 10)), min_size=1, max_size=60),
    st.integers(1, 63),
)
def test_estimates_are_positive_and_grow_with_rows(runs: list[tuple[int, float]], rows: int) -> None:
    cost = CostModel()
    for count, seconds in runs:
        cost.learn(LANE, count, seconds)
    assert 0 < cost.seconds(LANE, rows) < cost.seconds(LANE, rows + 1)
