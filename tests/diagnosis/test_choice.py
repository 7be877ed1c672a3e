"""Choosing from measurements, without a clock: by hand, and for any measurements at all."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrsvc.diagnosis.choice import MIN_ROUNDS, Decision, decide

LEAST = 0.03


def choose(*rates: Sequence[float], least: float = LEAST) -> int:
    return decide(rates, [least] * len(rates)).chosen


def test_a_clear_winner_is_taken() -> None:
    assert choose([100, 101, 99, 100], [110, 112, 109, 111]) == 1
    assert choose([100, 101, 99, 100], [90, 91, 89, 90]) == 0


def test_what_is_as_good_or_hardly_better_leaves_the_default() -> None:
    default = [100, 101, 99, 100]
    assert choose(default, default) == 0
    assert choose(default, [102, 103, 101, 102]) == 0  # 2 % everywhere: less than the least gain
    assert choose(default, [102, 103, 101, 102], least=0.01) == 1


def test_a_gain_within_the_noise_is_none() -> None:
    default = [100.0] * 5
    assert choose(default, [98, 102, 106, 110, 114]) == 0  # 6 % better, but it scatters by 12 %
    assert choose(default, [105, 105.5, 106, 106.5, 107]) == 1


def test_a_gain_must_show_in_four_of_five_rounds() -> None:
    default = [100.0] * 10
    assert choose(default, [*[106] * 7, 99, 99, 99]) == 0
    assert choose(default, [*[106] * 8, 99, 99]) == 1


def test_too_few_rounds_decide_nothing() -> None:
    assert choose([100] * 3, [200] * 3) == 0
    assert choose([100] * 4, [200] * 4) == 1
    assert choose([], []) == 0
    assert decide([[], []], [0.0, LEAST]).figures[1].rounds == 0


def test_of_two_good_ones_the_first_stays_unless_the_second_beats_it_too() -> None:
    default = [100.0, 102.0, 98.0, 100.0]
    assert choose(default, [110, 112, 108, 110], [111, 113, 109, 111]) == 1
    assert choose(default, [110, 112, 108, 110], [120, 123, 118, 121]) == 2
    assert choose(default, [120, 123, 118, 121], [110, 112, 108, 110]) == 1


def test_figures_say_what_was_seen() -> None:
    decision = decide([[100.0, 200.0, 100.0], [110.0, 220.0, 110.0]], [0.0, LEAST])
    default, other = decision.figures
    assert (default.lines_per_second, default.gain, default.noise, default.rounds) == (100, 0, 0, 3)
    assert other.lines_per_second == 110
    assert other.gain == pytest.approx(0.1)
    assert other.noise == pytest.approx(0, abs=1e-9)  # a round that was fast was fast for both


@pytest.mark.parametrize(
    ("rates", "gains"),
    [([], []), ([[1.0], [1.0, 2.0]], [0, 0]), ([[1.0]], [0, 0]), ([[0.0]], [0]), ([[float("nan")]], [0])],
)
def test_what_is_no_measurement_is_refused(rates: list[list[float]], gains: list[float]) -> None:
    with pytest.raises(ValueError, match=r"must be positive|every candidate"):
        decide(rates, gains)


# --- for any measurements ---

RATE = st.floats(1.0, 1000.0)
quickly = settings(deadline=None, max_examples=60)  # no deadline: a busy machine is no failure


@st.composite
def measurements(draw: st.DrawFn, near: bool = False) -> list[list[float]]:
    """Rates of one to four candidates in up to nine rounds; ``near``: all within a tenth."""
    candidates, rounds = draw(st.integers(1, 4)), draw(st.integers(0, 9))
    rate = st.floats(95.0, 105.0) if near else RATE
    return draw(
        st.lists(st.lists(rate, min_size=rounds, max_size=rounds), min_size=candidates, max_size=candidates)
    )


def decided(rates: list[list[float]]) -> Decision:
    return decide(rates, [LEAST] * len(rates))


@quickly
@given(measurements(near=True) | measurements())
def test_only_what_beats_the_default_by_more_than_noise_and_least_gain_replaces_it(
    rates: list[list[float]],
) -> None:
    decision = decided(rates)
    figure = decision.figures[decision.chosen]
    if decision.chosen:
        assert figure.gain > max(figure.noise, LEAST)
        assert figure.rounds >= MIN_ROUNDS
        won = sum(own > default for own, default in zip(rates[decision.chosen], rates[0], strict=True))
        assert 5 * won >= 4 * figure.rounds
    else:
        assert (figure.gain, figure.noise) == (0, 0)


@quickly
@given(measurements(near=True) | measurements(), st.randoms(use_true_random=False))
def test_the_order_of_the_rounds_does_not_matter(rates: list[list[float]], rng: random.Random) -> None:
    order = list(range(len(rates[0])))
    rng.shuffle(order)
    assert decided([[each[i] for i in order] for each in rates]) == decided(rates)


@quickly
@given(measurements(near=True) | measurements(), st.data())
def test_a_round_that_is_slow_for_all_changes_nothing(rates: list[list[float]], data: st.DataObject) -> None:
    rounds = len(rates[0])
    # Powers of two: the ratios stay the same to the last bit.
    slowdowns = data.draw(st.lists(st.sampled_from([1.0, 0.5, 0.25, 2.0]), min_size=rounds, max_size=rounds))
    slowed = [[rate * factor for rate, factor in zip(each, slowdowns, strict=True)] for each in rates]
    assert decided(slowed).chosen == decided(rates).chosen


@quickly
@given(measurements(), st.floats(1.001, 10.0))
def test_a_better_default_is_never_replaced_where_the_worse_one_was_not(
    rates: list[list[float]], factor: float
) -> None:
    better = [[rate * factor for rate in rates[0]], *rates[1:]]
    if decided(rates).chosen == 0:
        assert decided(better).chosen == 0


@quickly
@given(st.lists(RATE, min_size=MIN_ROUNDS, max_size=9), st.floats(1.04, 3.0))
def test_the_same_but_faster_in_every_round_is_taken(rates: list[float], factor: float) -> None:
    assert decided([rates, [rate * factor for rate in rates]]).chosen == 1


@pytest.mark.parametrize(("rounds", "at_most"), [(4, 60), (7, 30)])
def test_noise_alone_rarely_wins(rounds: int, at_most: int) -> None:
    """Of a thousand comparisons of equals that scatter by a tenth, few go wrong."""
    rng = random.Random(rounds)
    wrong = 0
    for _ in range(1000):
        rates = [[100 * max(0.5, rng.gauss(1, 0.1)) for _ in range(rounds)] for _ in range(2)]
        wrong += decided(rates).chosen
    assert wrong <= at_most
