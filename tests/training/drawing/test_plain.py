"""Plain strings: drawn alike for a seed, readable, different from each other."""

from __future__ import annotations

import numpy as np
import pytest
from available import need_training

need_training()

from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.plain import Plain


def test_a_seed_draws_the_same_again(library: Library) -> None:
    first, second, other = (Plain(library, "0123456789", seed) for seed in (4, 4, 5))
    texts = [[plain.line(1, 12) for _ in range(20)] for plain in (first, second, other)]
    assert texts[0] == texts[1] != texts[2]
    for text in texts[0]:
        a, b = first.draw(text), second.draw(text)
        assert a is not None
        assert b is not None
        assert np.array_equal(a, b)


def test_lengths_and_characters_are_even(library: Library) -> None:
    plain = Plain(library, "0123456789", 1)
    texts = [plain.line(1, 12) for _ in range(3000)]
    lengths = np.bincount([len(text) for text in texts])
    assert len(lengths) == 13
    assert lengths[0] == 0
    assert lengths[1:].min() > 150
    characters = np.bincount([int(c) for text in texts for c in text])
    assert characters.min() > 0.9 * characters.mean()


def test_the_ink_stands_out_and_grows_with_the_text(library: Library) -> None:
    plain = Plain(library, "0123456789", 2)
    widths = {1: 0.0, 12: 0.0}
    for i in range(60):
        image = plain.draw("8" * (12 if i % 2 else 1))
        assert image is not None
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert 12 <= image.shape[0] <= 80
        gray = image.astype(float).mean(-1)
        assert np.quantile(gray, 0.98) - np.quantile(gray, 0.02) > 20
        widths[12 if i % 2 else 1] += image.shape[1] / image.shape[0]
    assert widths[12] > 4 * widths[1]


def test_characters_that_no_face_has_are_refused(library: Library) -> None:
    with pytest.raises(ValueError, match="no typeface has all of"):
        Plain(library, "0\U0010fffd", 1)
