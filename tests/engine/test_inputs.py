"""Whatever a program hands in becomes a file with the same pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ocrsvc.engine.inputs import load
from ocrsvc.errors import InvalidParameter
from ocrsvc.pages.decoding import decode
from ocrsvc.pages.source import Limits


def decoded(data: bytes) -> NDArray[np.uint8]:
    (page,) = decode(data, Limits())
    return page.pixels


@pytest.fixture
def bgr() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (20, 31, 3), np.uint8)


def test_a_path_gives_the_bytes_of_its_file_and_its_name(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"any bytes")
    assert load(file) == load(str(file))
    assert (load(file).data, load(file).name) == (b"any bytes", str(file))
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "b.png")


def test_bytes_stay_as_they_are() -> None:
    assert load(b"abc").data == load(bytearray(b"abc")).data == load(memoryview(b"abc")).data == b"abc"
    assert load(b"abc").name is None


def test_arrays_keep_every_pixel(bgr: NDArray[np.uint8]) -> None:
    assert np.array_equal(decoded(load(bgr).data), bgr)
    assert np.array_equal(decoded(load(bgr[:, :, ::-1], "RGB").data), bgr)
    gray = bgr[:, :, 0]
    for array in (gray, gray[:, :, None]):
        assert np.array_equal(decoded(load(array).data)[:, :, 1], gray)
    assert np.array_equal(decoded(load(gray > 127).data)[:, :, 0], np.where(gray > 127, 255, 0))
    view = bgr[::2, ::3]  # not contiguous
    assert np.array_equal(decoded(load(view).data), view)


def test_an_opaque_alpha_channel_changes_nothing(bgr: NDArray[np.uint8]) -> None:
    alpha = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
    assert np.array_equal(decoded(load(alpha).data), bgr)
    assert np.array_equal(decoded(load(alpha[:, :, [2, 1, 0, 3]], "RGB").data), bgr)


def test_images_of_pillow_keep_every_pixel(bgr: NDArray[np.uint8]) -> None:
    image = Image.fromarray(bgr[:, :, ::-1])
    assert np.array_equal(decoded(load(image).data), bgr)
    assert np.array_equal(decoded(load(image.convert("RGBA")).data), bgr)
    gray = np.asarray(image.convert("L"))
    for mode in ("L", "LA", "I;16", "CMYK", "P", "1"):
        assert decoded(load(image.convert("L").convert(mode)).data).shape == bgr.shape
    assert np.array_equal(decoded(load(image.convert("L")).data)[:, :, 0], gray)


def test_an_image_is_turned_as_its_exif_says(bgr: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    file = io.BytesIO()
    Image.fromarray(bgr[:, :, ::-1]).save(file, "PNG", exif=exif)
    with Image.open(file) as image:
        assert np.array_equal(decoded(load(image).data), np.rot90(bgr, -1))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (7, "A int cannot be read"),
        (None, "A NoneType cannot be read"),
        (np.zeros((4, 4, 2), np.uint8), r"An array of uint8 \[4, 4, 2\]"),
        (np.zeros((4, 4, 3), np.float32), r"An array of float32"),
        (np.zeros(4, np.uint8), r"An array of uint8 \[4\]"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(source: object, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason):
        load(source)  # type: ignore[arg-type]
