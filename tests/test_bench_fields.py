"""bench/fields.py: drawn numbers pass the checks of their types, and what is counted."""

from __future__ import annotations

import random

import drawn_fields
import fields
import numpy as np
import pytest
from available import need_training
from drawn_fields import FieldLine

from ocrsvc.fields.types import TYPES
from ocrsvc.recognition.grammar_search import certain
from ocrsvc.results import LineText, TimeSteps

CARD = "4539148803436467"
BLANK = np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize("kind", drawn_fields.KINDS)
def test_a_drawn_number_is_a_value_of_its_type(kind: str) -> None:
    rng = random.Random(1)
    for _ in range(20):
        value = drawn_fields.number(kind, rng)
        assert TYPES[kind].normalised(value) == value
        assert TYPES[kind].grammar.automaton.matches(value)
        assert value in drawn_fields.written(kind, value, rng).replace(" ", "")


@pytest.mark.timeout(180)  # the faces of the machine are looked through
def test_the_same_seed_draws_the_same_lines() -> None:
    need_training()
    first, again = (list(drawn_fields.draw(3, seed=5)) for _ in range(2))
    assert [each.kind for each in first] == list(drawn_fields.KINDS)
    for one, other in zip(first, again, strict=True):
        assert one.value == other.value
        assert np.array_equal(one.picture, other.picture)


def test_right_and_wrong_values_are_counted() -> None:
    doubtful = list(certain(CARD))
    doubtful[10] = (("7", 0.55), (CARD[5], 0.45))
    wrong = LineText(CARD[:5] + "7" + CARD[6:], 0.9, steps=TimeSteps(tuple(doubtful), 8))
    other = LineText("4539148803436475", 0.9)  # another number that passes the check
    lines = [FieldLine("bank_card", CARD, BLANK)] * 3
    results = fields.judged(lines, [LineText(CARD, 0.9), wrong, other])
    document = fields.summary(results)
    counted = document["types"]["bank_card"]
    assert (counted["lines"], counted["plain_right"], counted["value_right"]) == (3, 1, 2)
    assert (counted["recovered"], counted["valid"], counted["wrong_valid"]) == (1, 2, 1)
    assert set(document["types"]) == {"all", "bank_card"}
    rows = {row[0]: row for row in fields.parts(document)[0]}
    assert rows["bank_card"][:3] == ["bank_card", "3", "0.3333"]
