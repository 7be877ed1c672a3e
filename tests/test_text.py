"""Which script a text is in."""

from __future__ import annotations

import pytest

from ocrsvc.text import script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("发票号码", "han"),
        ("合计 37.20", "han"),
        ("カード 12", "han"),
        ("々〆", "han"),
        ("Total 5", "latin"),
        ("é", "latin"),
        ("合计 Total", "mixed"),
        ("A型", "mixed"),
        ("3 × 4 ÷ 2 = 6", "digits"),
        ("μΩ", "digits"),
        ("。", "digits"),
        ("", "digits"),
    ],
)
def test_script(text: str, script: str) -> None:
    assert script_of(text) == script
