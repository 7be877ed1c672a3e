"""Bitmap faces: ink or ground, whole glyphs only, nothing where no face has a character."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from available import missing, need_training

need_training()

from ocrsvc.training.drawing.bitmaps import FOLDER, Bitmaps, opened

CHINESE = FOLDER / "wenquanyi_9pt.pcf"


@pytest.fixture
def bitmaps() -> Bitmaps:
    if not CHINESE.exists():
        missing("bitmap faces are not tested, for want of the Debian package xfonts-wqy")
    return Bitmaps(random.Random(1))


def test_every_pixel_is_ink_or_ground(bitmaps: Bitmaps) -> None:
    for text in ("中央氣象局", "工具 (T)", "Total 37.20", "—"):
        ink = bitmaps.coverage(text)
        assert ink is not None
        assert set(np.unique(ink)) == {0.0, 1.0}
        assert 8 <= ink.shape[0] <= 32
        assert ink[:, 0].any()
        assert ink[:, -1].any()


def test_menus_underline_the_letters_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(share: float) -> np.ndarray | None:
        monkeypatch.setattr("ocrsvc.training.drawing.glyphs._UNDERLINED_SHARE", share)
        return Bitmaps(random.Random(5)).coverage("工具(T)")

    if not CHINESE.exists():
        missing("bitmap faces are not tested, for want of the Debian package xfonts-wqy")
    plain, underlined = drawn(0.0), drawn(1.0)
    assert plain is not None
    assert underlined is not None
    assert underlined.sum() > plain.sum()


def test_the_seed_decides(bitmaps: Bitmaps) -> None:
    first, second = (Bitmaps(random.Random(5)).coverage("發票 2026") for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first, second)


def test_a_face_without_a_character_draws_nothing(bitmaps: Bitmaps) -> None:
    assert not opened(CHINESE, 12).covers("中\ue123")
    assert opened(CHINESE, 12).covers("中 A")
    assert all(bitmaps.coverage("中\ue123") is None for _ in range(20))


def test_without_faces_nothing_is_drawn(tmp_path: Path) -> None:
    assert Bitmaps(random.Random(1), tmp_path).coverage("中A") is None
    assert Bitmaps(random.Random(1), tmp_path).coverage("Total") is None
