"""Number plates lose their separator, and nothing else does."""

from __future__ import annotations

import pytest
from decoded_runs import NOTHING, runs_of, texts_of

from ocrsvc.recognition.plates import Plates

ALPHABET = "皖京沪张三学警ABCDEFX0123456789·.- "


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("皖A·07F55", "皖A07F55"),
        ("京B-D12345", "京BD12345"),  # a green plate has six
        ("沪C 8A31学", "沪C8A31学"),
        ("皖A07F55", "皖A07F55"),
        ("皖A·07F5", "皖A·07F5"),
        ("沪B-20090059", "沪B-20090059"),  # a licence, not a plate
        ("张三·A1234", "张三·A1234"),
        ("A·12345", "A·12345"),
        ("皖A·07F55 三", "皖A·07F55 三"),
        ("", ""),
    ],
)
def test_only_a_plate_that_is_the_whole_line_loses_its_separator(line: str, text: str) -> None:
    assert texts_of(ALPHABET, Plates(ALPHABET).choose(*NOTHING, runs_of(ALPHABET, line)), 1) == [text]


def test_other_lines_of_the_batch_keep_theirs() -> None:
    chosen = Plates(ALPHABET).choose(*NOTHING, runs_of(ALPHABET, "皖A·07F55", "0·1", "京A-12345"))
    assert texts_of(ALPHABET, chosen, 3) == ["皖A07F55", "0·1", "京A12345"]


def test_a_charset_without_separators_has_none_to_lose() -> None:
    assert Plates(ALPHABET).judges("皖A0·")
    assert not Plates(ALPHABET).judges("0123456789·")
    assert not Plates(ALPHABET).judges("皖A0123")
