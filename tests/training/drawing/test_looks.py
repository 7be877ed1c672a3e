"""Looks other than print: reproducible, legible, each with what makes it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from available import need_training

need_training()

from ocrsvc.training.drawing import textures
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.synth import LOOKS, Synthesiser
from ocrsvc.training.drawing.textures import Textures

TEXTS = ("获得龙鳞戒指×3", "Settings", "第3章 總則", "-", "12:45", "カタカナ")


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_is_drawn_and_a_seed_says_everything(library: Library, look: str) -> None:
    whole = _whole(library)

    def lines(seed: int) -> list[bytes]:
        synthesiser = Synthesiser(whole, seed)
        images = [synthesiser.draw(text, look) for text in ("中國文字", *TEXTS)]
        assert images[0] is not None
        for image in images:
            assert image is None or (
                image.dtype == np.uint8 and image.ndim == 3 and min(image.shape[:2]) >= 4
            )
        return [image.tobytes() for image in images if image is not None]

    assert lines(1) == lines(1)
    assert lines(1) != lines(2)


def _whole(library: Library) -> Library:
    """Handwriting needs faces that no usual package has."""
    return replace(library, handwriting=library.handwriting or library.cjk[:1])


@pytest.mark.parametrize("look", LOOKS)
def test_letters_stand_out(library: Library, look: str) -> None:
    contrast = []
    synthesiser = Synthesiser(_whole(library), 3)
    for _ in range(40):
        image = synthesiser.draw("国家发展", look)
        assert image is not None
        contrast.append(float(image.std()))
    assert sorted(contrast)[4] > 4
    assert sorted(contrast)[20] > 20


def test_looks_may_be_drawn_more_or_less_often(library: Library) -> None:
    only = dict.fromkeys(LOOKS, 0.0) | {"interface": 1.0}
    heights = [
        image.shape[0] for i in range(30) if (image := Synthesiser(library, i, only).draw("设置")) is not None
    ]
    assert len(heights) == 30
    assert max(heights) <= 48
    with pytest.raises(ValueError, match=r"no look oil; there are print, screen"):
        Synthesiser(library, 1, {"oil": 1.0})


def test_a_text_that_does_not_suit_a_look_is_printed(library: Library) -> None:
    columns = dict.fromkeys(LOOKS, 0.0) | {"column": 1.0}
    synthesiser = Synthesiser(library, 1, columns)
    assert synthesiser.draw("(a) b", "column") is None
    assert synthesiser.draw("(a) b") is not None


def test_a_column_is_turned(library: Library) -> None:
    """一 of a column is upright once the crop is turned."""
    synthesiser = Synthesiser(library, 5)
    upright = 0
    for _ in range(20):
        image = synthesiser.draw("一一一一一一", "column")
        assert image is not None
        gray = image.mean(axis=2)
        inner = gray[gray.shape[0] // 4 : -gray.shape[0] // 4]
        upright += np.abs(np.diff(inner, axis=1)).sum() > 2 * np.abs(np.diff(inner, axis=0)).sum()
    assert upright > 14


def test_small_text_is_as_small_as_on_screens(library: Library) -> None:
    synthesiser = Synthesiser(library, 6)
    heights = [
        image.shape[0]
        for _ in range(60)
        if (image := synthesiser.draw("新建文件夹", "interface")) is not None
    ]
    assert len(heights) == 60
    assert sorted(heights)[30] <= 20
    assert min(heights) >= 8


def test_subpixels_leave_colour_at_edges(library: Library) -> None:
    synthesiser = Synthesiser(library, 7)
    coloured = 0
    for _ in range(60):
        coverage = synthesiser.interface._coverage("文件", 12)
        assert coverage is not None
        assert 0 <= coverage.min() <= coverage.max() <= 1.001
        coloured += float(np.ptp(coverage, axis=2).max()) > 0.1
    assert 8 < coloured < 40


def test_menus_underline_the_letters_of_keys(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def ink(share: float) -> float:
        monkeypatch.setattr("ocrsvc.training.drawing.glyphs._UNDERLINED_SHARE", share)
        coverage = [Synthesiser(library, i).interface._coverage("檔案(F)", 14) for i in range(12)]
        return sum(float(each.sum()) for each in coverage if each is not None)

    assert ink(1.0) > ink(0.0) * 1.02


def test_codes_hang_upside_down_at_times(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocrsvc.training.drawing.synth._TURNED_SHARE", 1.0)
    turned = Synthesiser(library, 8).draw("L27")
    monkeypatch.setattr("ocrsvc.training.drawing.synth._TURNED_SHARE", 0.0)
    upright = Synthesiser(library, 8).draw("L27")
    assert turned is not None
    assert upright is not None
    assert np.array_equal(turned, upright[::-1, ::-1])


@pytest.mark.parametrize("held_out", [False, True])
def test_every_texture_fills_its_picture(held_out: bool) -> None:
    maker = Textures(random.Random(1), np.random.default_rng(1), held_out=held_out)
    assert (set(maker.kinds) == set(textures.HELD_OUT)) == held_out
    assert set(maker.kinds) & set(textures.HELD_OUT) == (set(textures.HELD_OUT) if held_out else set())
    for name, kind in maker.kinds.items():
        for height, width in ((30, 200), (60, 61), (9, 12)):
            picture = kind(height, width)
            assert picture.shape == (height, width, 3), name
            assert picture.dtype == np.float32, name
            assert np.isfinite(picture).all(), name
