"""Which characters of a reading are right."""

from __future__ import annotations

import pytest
from available import need_training

need_training()

from ocrsvc.training.packing.readings import matches


@pytest.mark.parametrize(
    ("read", "label", "expected"),
    [
        ("abc", "abc", "111"),
        ("abxc", "abc", "1101"),
        ("axc", "abc", "101"),
        ("", "abc", ""),
        ("ab", "", "00"),
    ],
)
def test_a_character_is_right_where_the_alignment_finds_it(read: str, label: str, expected: str) -> None:
    assert "".join(str(int(mark)) for mark in matches(list(read), label)) == expected
