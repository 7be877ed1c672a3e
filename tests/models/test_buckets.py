"""Widths, scaling and padding of line images."""

from __future__ import annotations

import numpy as np
import pytest

from ocrsvc.models.buckets import Buckets, fit, fitted_width, stack

WIDTHS = (64, 96, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024, 1280)


def test_a_line_goes_to_the_narrowest_bucket_that_holds_it() -> None:
    buckets = Buckets(WIDTHS)
    for width in range(1, 1281):
        assert buckets.of(width) == min(w for w in WIDTHS if w >= width)
    assert buckets.widest == 1280


@pytest.mark.parametrize("width", [0, -1, 1281])
def test_a_line_that_fits_no_bucket_is_an_error(width: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Buckets(WIDTHS).of(width)


@pytest.mark.parametrize("widths", [(), (0, 8), (16, 8), (8, 8)])
def test_buckets_must_ascend(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        Buckets(widths)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(48, 100, 100), (24, 100, 200), (96, 101, 50), (1000, 1, 1), (1, 10**6, 65_536)],
)
def test_fit_keeps_the_aspect_within_reason(height: int, width: int, expected: int) -> None:
    assert fitted_width(height, width, 48) == expected
    if width < 10**6:
        assert fit(np.zeros((height, width, 3), np.uint8), 48).shape == (48, expected, 3)


def test_fit_returns_an_image_of_the_right_height_untouched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 77, 3), dtype=np.uint8)
    assert fit(image, 48) is image


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 0, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_fit_refuses_what_is_no_line_image(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a line must be"):
        fit(image, 48)


def test_stack_puts_lines_left_and_pads_the_rest() -> None:
    crops = [np.full((48, w, 3), w, np.uint8) for w in (1, 50, 64)]
    batch = stack(crops, height=48, width=64, pad_value=127)
    assert batch.shape == (3, 48, 64, 3)
    assert batch.flags.c_contiguous
    for row, crop in zip(batch, crops, strict=True):
        assert (row[:, : crop.shape[1]] == crop).all()
        assert (row[:, crop.shape[1] :] == 127).all()


@pytest.mark.parametrize("shape", [(48, 65, 3), (47, 10, 3), (48, 0, 3)])
def test_stack_refuses_a_crop_that_does_not_fit(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        stack([np.zeros(shape, np.uint8)], height=48, width=64, pad_value=127)
