"""What must be told of a reading with a charset: ink that it leaves out, or all that it changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drawings import Picture

from ocrsvc.models.buckets import fit
from ocrsvc.recognition.conflicts import differs, omits
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import Character, LineText


def line(text: str, free: str, confidence: float = 0.9) -> LineText:
    characters = tuple(Character(c, confidence, 0.0, 1.0) for c in free)
    return LineText(text, 0.99, (), LineText(free, confidence, characters))


@pytest.mark.parametrize(
    ("text", "free", "omitted", "different"),
    [
        ("39900", "399.00", True, True),
        ("399.00", "399.00", False, False),
        ("0", "O", False, True),
        ("100", "1OO", False, True),
        ("12", "12 元", True, True),
        ("12", "1 2", False, False),
        ("", "abc", True, True),
        ("20241", "2024-1", True, True),
        ("123", "12", False, True),
        ("１２", "12", False, False),
    ],
)
def test_what_is_told(text: str, free: str, omitted: bool, different: bool) -> None:
    assert omits(line(text, free)) is omitted
    assert differs(line(text, free)) is different


def test_a_character_in_doubt_is_no_ink() -> None:
    assert not omits(line("39900", "399.00", confidence=0.3))


def test_a_line_read_without_a_charset_has_no_conflict() -> None:
    free = LineText("399.00", 0.9)
    assert not omits(free)
    assert not differs(free)


@pytest.mark.parametrize("text", ["399.00", "1,280.50", "2024-06-18", "-15", "12%", "No. 24417"])
@pytest.mark.parametrize("size", [20, 32])
def test_digits_that_swallow_a_sign_are_told(
    real: Recogniser, draw_line: Callable[..., Picture], text: str, size: int
) -> None:
    spec = real.spec
    crop = fit(draw_line(text, size=size, margin=4), spec.input.height)
    width = spec.buckets.of(crop.shape[1])
    (read,) = real.run(width, [crop], real.charset("digits"))
    assert read.text.isdigit()
    assert omits(read)
    digits = "".join(c for c in text if c.isdigit())
    plain = fit(draw_line(digits, size=size, margin=4), spec.input.height)
    (read,) = real.run(spec.buckets.of(plain.shape[1]), [plain], real.charset("digits"))
    assert not omits(read)
