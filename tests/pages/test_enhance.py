"""Steps that change a line before it is read."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from drawings import Picture

from ocrsvc.errors import InvalidParameter
from ocrsvc.pages import enhance


@pytest.mark.parametrize("name", list(enhance.STEPS))
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (48, 320), (7, 900)])
def test_every_step_keeps_shape_and_type_and_its_input(name: str, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    before = image.copy()
    after = enhance.apply(image, [name])
    assert after.shape == image.shape
    assert after.dtype == np.uint8
    assert np.array_equal(image, before)


def test_gray_has_no_colour() -> None:
    after = enhance.gray(np.full((4, 4, 3), (255, 0, 0), np.uint8))
    assert after[0, 0].tolist() == [29, 29, 29]


def test_stretch_reaches_both_ends(draw_line: Callable[..., Picture]) -> None:
    dull = draw_line("对比度 contrast", ink=(120, 120, 120), paper=(150, 150, 150))
    after = enhance.stretch(dull)
    assert after.min() == 0
    assert after.max() == 255
    flat = np.full((9, 9, 3), 77, np.uint8)
    assert np.array_equal(enhance.stretch(flat), flat)


def test_clahe_raises_local_contrast_and_keeps_colour(draw_line: Callable[..., Picture]) -> None:
    dull = draw_line("对比度 contrast", ink=(110, 110, 140), paper=(130, 130, 160))
    after = enhance.clahe(dull)
    assert after[:, :, 1].std() > 1.5 * dull[:, :, 1].std()
    blueness = after[:, :, 0].astype(int) - after[:, :, 2]
    assert np.median(blueness) > 10


def test_adaptive_finds_ink_under_uneven_light(draw_line: Callable[..., Picture]) -> None:
    clean = draw_line("光照 uneven light", size=30)
    ink = clean.mean(axis=2) < 100
    shade = np.linspace(1.0, 0.25, clean.shape[1])[None, :, None]
    after = enhance.adaptive((clean * shade).astype(np.uint8))
    assert set(np.unique(after)) == {0, 255}
    assert (after[:, :, 0][ink] == 0).mean() > 0.7
    assert (after[:, :, 0][~ink] == 255).mean() > 0.85


def test_denoise_removes_specks() -> None:
    image = np.full((20, 20, 3), 255, np.uint8)
    image[10, 10] = 0
    assert enhance.denoise(image).min() == 255


def test_sharpen_raises_edges(draw_line: Callable[..., Picture]) -> None:
    soft = np.asarray(cv2.GaussianBlur(draw_line("锐化 sharp"), (0, 0), 2), np.uint8)
    steps = np.abs(np.diff(soft.astype(int), axis=1)).max()
    assert np.abs(np.diff(enhance.sharpen(soft).astype(int), axis=1)).max() > steps


def test_light_turns_dark_mode_round(draw_line: Callable[..., Picture]) -> None:
    ordinary = draw_line("白底 light")
    assert np.array_equal(enhance.light(ordinary), ordinary)
    dark = (255 - ordinary).astype(np.uint8)
    assert np.array_equal(enhance.light(dark), ordinary)


def test_steps_are_done_in_order(draw_line: Callable[..., Picture]) -> None:
    image = draw_line("顺序 order", ink=(200, 30, 30), paper=(180, 220, 180))
    once = enhance.apply(image, enhance.parse(" gray , stretch,"))
    assert np.array_equal(once, enhance.stretch(enhance.gray(image)))
    assert enhance.apply(image, ()) is image


def test_names_are_checked() -> None:
    assert enhance.parse("") == ()
    with pytest.raises(InvalidParameter) as caught:
        enhance.parse("clahe,blur")
    assert caught.value.extra["known"] == list(enhance.STEPS)
