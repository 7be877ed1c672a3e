"""OpenCV's two ways of decoding give one picture, and none where the file is damaged."""

from __future__ import annotations

import io
import random
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from ocrsvc.pages import opencv

SIZE = (640, 480)


def drawn(mode: str) -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    image = Image.fromarray(np.asarray(cv2.resize(noise, SIZE), dtype=np.uint8))
    if mode == "RGBA":
        image.putalpha(image.convert("L"))
        return image
    return image.convert(mode)


def encoded(mode: str, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    drawn(mode).save(buffer, kind, **options)
    return buffer.getvalue()


FILES = {
    "jpeg": (encoded("RGB", "JPEG"), False),
    "progressive": (encoded("RGB", "JPEG", progressive=True), False),
    "gray": (encoded("L", "JPEG"), False),
    "png": (encoded("RGB", "PNG"), False),
    "webp": (encoded("RGB", "WEBP"), False),
    "alpha": (encoded("RGBA", "PNG"), True),
    "webp alpha": (encoded("RGBA", "WEBP"), True),
}


@pytest.mark.parametrize("name", FILES)
def test_with_and_without_a_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, alpha = FILES[name]
    assert SIZE[0] * SIZE[1] > opencv._FILE_PIXELS
    fast = opencv.decode(data, SIZE, alpha=alpha)
    monkeypatch.setattr(opencv, "_from_file", lambda *_: None)
    slow = opencv.decode(data, SIZE, alpha=alpha)
    assert fast is not None
    assert slow is not None
    assert np.array_equal(fast, slow)
    assert opencv.decode(data, (SIZE[0] + 1, SIZE[1]), alpha=alpha) is None


@pytest.mark.parametrize("name", ["jpeg", "progressive", "gray", "webp"])
def test_damage_is_noticed_in_both_ways(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data, alpha = FILES[name]
    chance = random.Random(name)
    damaged = []
    for _ in range(60):
        bent = bytearray(data[: chance.randrange(100, len(data))] if chance.random() < 0.3 else data)
        for _ in range(chance.choice((1, 1, 3, 20))):
            bent[chance.randrange(2, len(bent))] = chance.randrange(256)
        damaged.append(bytes(bent))
    fast = [opencv.decode(each, SIZE, alpha=alpha) for each in damaged]
    monkeypatch.setattr(opencv, "_from_file", lambda *_: None)
    slow = [opencv.decode(each, SIZE, alpha=alpha) for each in damaged]
    assert any(each is None for each in fast)
    for one, other in zip(fast, slow, strict=True):
        assert (one is None) == (other is None)
        assert one is None or other is None or np.array_equal(one, other)
    capfd.readouterr()
