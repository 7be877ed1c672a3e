"""Values decoded from time steps: what plain reading gives stays, and doubt takes the validity away."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrsvc.fields.decoding import LEAST_MARGIN_CHANGED, NOTHING, decode, decode_lines
from ocrsvc.fields.field_type import LEAST_MARGIN
from ocrsvc.fields.types import TYPES
from ocrsvc.results import LineText, TimeStep, TimeSteps

CARD = "4539148803436467"
ID = "110101199003077934"
OTHER_ID = "110101199003077950"


def line(text: str, doubts: Mapping[int, Mapping[str, float]] | None = None) -> LineText:
    """A line in which some characters, by their index, may be others, each with its probability."""
    steps: list[TimeStep] = []
    best = list(text)
    for index, character in enumerate(text):
        others = (doubts or {}).get(index, {})
        seen = sorted({character: 1 - sum(others.values()), **others}.items(), key=lambda each: -each[1])
        best[index] = seen[0][0]
        steps += [tuple(seen), (("", 1.0),)]
    return LineText("".join(best), 0.9, steps=TimeSteps(tuple(steps), 8))


def test_a_clear_number_is_valid_and_unchanged() -> None:
    found = decode(line(CARD), TYPES["bank_card"])
    assert (found.value, found.valid, found.changed) == (CARD, True, False)
    assert found.margin >= LEAST_MARGIN


def test_the_check_digit_corrects_what_plain_reading_gets_wrong() -> None:
    seen = line(CARD, {5: {"7": 0.55}})
    assert seen.text != CARD
    found = decode(seen, TYPES["bank_card"])
    assert (found.value, found.changed) == (CARD, True)
    assert found.margin == pytest.approx(9.2 + math.log(0.45))


def test_a_correction_needs_a_larger_margin_than_what_was_read() -> None:
    """A character that was misread for certain makes any doubtful one look like the error."""
    doubts = {16: {ID[16]: 0.3}}
    changed = decode(line(ID[:16] + "7" + ID[17:], doubts), TYPES["id_card"])
    unchanged = decode(line(ID, {16: {"7": 0.3}}), TYPES["id_card"])
    assert LEAST_MARGIN < changed.margin < LEAST_MARGIN_CHANGED
    assert (changed.value, changed.valid) == (ID, False)
    assert (unchanged.value, unchanged.valid) == (ID, True)


def test_a_bank_card_needs_more_because_its_check_digit_does_not_see_look_alikes_exchanged() -> None:
    read, printed = "6225704671824894350", "6225704871824694350"
    assert TYPES["bank_card"].normalised(read)
    assert TYPES["bank_card"].normalised(printed)
    doubtful = decode(line(read, {7: {"8": 0.3}}), TYPES["bank_card"])
    assert (doubtful.value, doubtful.valid, doubtful.changed) == (read, False, False)
    assert LEAST_MARGIN_CHANGED < doubtful.margin < 9


def test_two_numbers_that_pass_the_check_are_not_told_apart() -> None:
    # One more in the last place and one less two places before it have the same check sum.
    found = decode(line(CARD, {13: {"3": 0.45}, 15: {"8": 0.45}}), TYPES["bank_card"])
    assert (found.value, found.valid, found.changed) == (CARD, False, False)
    assert found.margin == pytest.approx(2 * math.log(0.55 / 0.45))


def test_a_number_that_only_unlikely_characters_give_is_not_valid() -> None:
    wrong = CARD[:5] + "7" + CARD[6:]
    seen = line(wrong, {5: {CARD[5]: 0.0005}})
    found = decode(seen, TYPES["bank_card"])
    assert (found.value, found.valid, found.changed) == (CARD, False, True)


def test_what_plain_reading_gives_is_not_replaced() -> None:
    contradicted = LineText(ID, 0.9, steps=line(OTHER_ID).steps)
    found = decode(contradicted, TYPES["id_card"])
    assert (found.value, found.valid) == (ID, False)
    assert decode(line(OTHER_ID), TYPES["id_card"]).value == OTHER_ID


def test_a_text_without_steps_is_taken_for_certain() -> None:
    found = decode(LineText(f"身份证号 {ID}", 1.0), TYPES["id_card"])
    assert (found.value, found.valid, found.changed) == (ID, True, False)


def test_there_may_be_no_value() -> None:
    assert decode(line("abc"), TYPES["date"]) == NOTHING
    assert decode_lines([], TYPES["date"]) == NOTHING


def test_a_value_may_run_over_two_lines() -> None:
    found = decode_lines([line("4539 1488"), line("0343 6467")], TYPES["bank_card"])
    assert (found.value, found.valid) == (CARD, True)


def test_two_values_in_a_region_are_not_valid() -> None:
    found = decode_lines([line("2024-01-31"), line("2024-02-01")], TYPES["date"])
    assert (found.value, found.valid, found.margin) == ("2024-01-31", False, 0.0)
    again = decode_lines([line("2024-01-31"), line("2024年1月31日")], TYPES["date"])
    assert (again.value, again.valid) == ("2024-01-31", True)
    beside = decode(line("2024-01-31 2024-02-01"), TYPES["date"])
    assert (beside.valid, beside.margin) == (False, 0.0)


@pytest.mark.parametrize("name", ["bank_card", "id_card"])
@settings(deadline=None)
@given(data=st.data())
def test_a_value_always_passes_the_checks_of_its_type(name: str, data: st.DataObject) -> None:
    text = CARD if name == "bank_card" else ID
    places = data.draw(
        st.dictionaries(st.integers(0, len(text) - 1), st.sampled_from("0123456789"), max_size=5)
    )
    doubts = {place: {digit: 0.45} for place, digit in places.items() if text[place] != digit}
    found = decode(line(text, doubts), TYPES[name])
    field_type = TYPES[name]
    assert found.value is not None
    assert field_type.normalised(found.value) == found.value
    assert field_type.grammar.automaton.matches(found.value)
