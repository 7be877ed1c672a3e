"""The gate: what is kept, what is refused, and that both are said with figures."""

from __future__ import annotations

import pytest
from available import need_training

need_training()

from ocrsvc.training.packing.regression_gate import OWN, Score, Scores, judge


def scores(own: float, drawn: float, *, strict: float | None = None, int8: float | None = None) -> Scores:
    """Shares of 100 held-out and 1000 drawn lines; ``strict`` of the first, ``int8`` of the second if they differ."""
    spelt = own if strict is None else strict
    small = drawn if int8 is None else int8
    return {
        "fp32": {OWN: Score(100, own, spelt), "drawn": Score(1000, drawn, drawn)},
        "int8": {OWN: Score(100, own, spelt), "drawn": Score(1000, small, small)},
    }


def test_better_on_the_users_lines_and_as_good_elsewhere_is_kept() -> None:
    verdict = judge(scores(0.7, 0.9), scores(0.8, 0.896), most_lost=0.005)
    assert verdict.kept
    assert verdict.reasons == ()


@pytest.mark.parametrize("after", [0.7, 0.69])
def test_no_gain_on_the_users_lines_is_refused(after: float) -> None:
    verdict = judge(scores(0.7, 0.9), scores(after, 0.95), most_lost=0.005)
    assert not verdict.kept
    assert any("strict on your 100 held-out lines, no gain" in reason for reason in verdict.reasons)


def test_spaces_and_case_alone_are_a_gain() -> None:
    assert judge(scores(0.7, 0.9, strict=0.5), scores(0.7, 0.9, strict=0.6), most_lost=0.005).kept


def test_a_gain_in_spaces_does_not_pay_for_lost_characters() -> None:
    verdict = judge(scores(0.7, 0.9, strict=0.5), scores(0.69, 0.9, strict=0.6), most_lost=0.005)
    assert verdict.reasons == (
        "fp32: -0.010 exact on 100 lines (held out), nothing may be lost",
        "int8: -0.010 exact on 100 lines (held out), nothing may be lost",
    )


def test_a_loss_elsewhere_is_refused_with_its_size() -> None:
    verdict = judge(scores(0.7, 0.9), scores(0.9, 0.894), most_lost=0.005)
    assert "fp32: -0.006 exact on 1000 lines (drawn), 0.005 may be lost" in verdict.reasons
    assert judge(scores(0.7, 0.9), scores(0.9, 0.894), most_lost=0.01).kept


def test_one_precision_that_got_worse_is_enough() -> None:
    verdict = judge(scores(0.7, 0.9), scores(0.9, 0.9, int8=0.85), most_lost=0.005)
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["int8", "int8"]


def test_a_precision_that_was_not_there_is_compared_with_the_other() -> None:
    before = {"fp32": scores(0.7, 0.9)["fp32"]}
    assert judge(before, scores(0.8, 0.9), most_lost=0.005).kept
    assert not judge(before, scores(0.8, 0.9, int8=0.8), most_lost=0.005).kept


def test_the_table_shows_before_and_after() -> None:
    verdict = judge(scores(0.7, 0.9), scores(0.8, 0.91), most_lost=0.005)
    rows = verdict.table().splitlines()
    assert len(rows) == 5
    assert rows[1].split() == ["held", "out", "fp32", "100", "0.700", "->", "0.800", "0.700", "->", "0.800"]
    record = verdict.record()
    assert record["before"]["int8"]["drawn"] == {"lines": 1000, "exact": 0.9, "strict": 0.9}
    assert record["after"]["fp32"][OWN]["exact"] == 0.8
