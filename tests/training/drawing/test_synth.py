"""Drawn lines: reproducible, legible, of the styles that their texts ask for."""

from __future__ import annotations

import random
from dataclasses import replace

import cv2
import numpy as np
import pytest
from available import need_training

need_training()

from ocrsvc.training.drawing.camera import Camera, Picture
from ocrsvc.training.drawing.cards import Cards
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Gray
from ocrsvc.training.drawing.plates import Plates
from ocrsvc.training.drawing.synth import Synthesiser, sheet

TEXTS = (
    "合计 TOTAL 37.20",
    "中",
    "i",
    "—",
    "THANK YOU FOR SHOPPING!",
    "京A12345",
    "6222 0212 3456 7890",
    "3.14",
)


def test_a_seed_says_everything(library: Library) -> None:
    def lines(seed: int) -> list[bytes]:
        synthesiser = Synthesiser(library, seed)
        return [image.tobytes() for text in TEXTS if (image := synthesiser.draw(text)) is not None]

    assert lines(1) == lines(1)
    assert lines(1) != lines(2)


@pytest.mark.parametrize("text", TEXTS)
def test_a_line_is_a_picture_with_ink_in_it(library: Library, text: str) -> None:
    contrast = []
    for seed in range(30):
        image = Synthesiser(library, seed).draw(text)
        assert image is not None
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert image.shape[0] >= 8
        assert image.shape[1] >= 4
        contrast.append(float(image.std()))
    assert min(contrast) > 1
    assert sorted(contrast)[15] > 12


def test_a_longer_text_is_a_wider_picture(library: Library) -> None:
    def aspect(text: str) -> float:
        shapes = [image.shape for i in range(15) if (image := Synthesiser(library, i).draw(text)) is not None]
        return float(np.median([width / height for height, width, _ in shapes]))

    assert aspect("中文") < aspect("中文中文") < aspect("中文中文中文中文中文")


def test_no_face_no_line(library: Library) -> None:
    assert Synthesiser(library, 1).draw("\uf8f0") is None
    assert Synthesiser(Library((), (), ()), 1).draw("abc") is None


def test_chinese_faces_stand_in_where_there_is_no_latin_one(library: Library) -> None:
    synthesiser = Synthesiser(Library(library.cjk, (), ()), 1)
    assert all(synthesiser.draw(text) is not None for text in ("Hello", "合计 Total", "12.50") * 10)


def test_a_plate_has_the_official_colours_and_shape(library: Library) -> None:
    grounds = set()
    for seed in range(40):
        plate = Plates(library, random.Random(seed), np.random.default_rng(1)).draw("沪B7K8M2")
        assert plate is not None
        assert plate.ink.dtype == np.float32
        assert 0 <= plate.ink.min() < 0.1
        assert 0.9 < plate.ink.max() <= 1.001
        assert 2.9 < plate.ink.shape[1] / plate.ink.shape[0] < 4.7
        grounds.add(tuple(plate.ground.tolist()))
        assert np.abs(plate.colour - plate.ground).max() > 80
    assert len(grounds) == 4  # blue, green, yellow, white


def test_a_plate_shows_its_stud_in_nine_of_ten(library: Library) -> None:
    """The stud stands between the second and the third glyph, so that one more column of ink is found."""

    def columns(seed: int) -> int:
        plate = Plates(library, random.Random(seed), np.random.default_rng(1)).draw("沪B77777")
        assert plate is not None
        inked = (plate.ink.max(axis=0) > 0.2).astype(int)
        return int((np.diff(inked, prepend=0) == 1).sum())

    counts = [columns(seed) for seed in range(60)]
    assert 40 < sum(count == 8 for count in counts) < 60


def test_plates_are_drawn_only_with_faces_that_have_their_glyphs(library: Library) -> None:
    poor = tuple(replace(face, coverage=frozenset(map(ord, "ABC123"))) for face in library.cjk)
    assert Plates(Library(poor, (), ()), random.Random(1), np.random.default_rng(1)).draw("粤B12345") is None
    one = Library((*poor, library.cjk[0]), (), ())
    assert all(
        Plates(one, random.Random(seed), np.random.default_rng(1)).draw("粤B12345") is not None
        for seed in range(10)
    )


def test_plates_look_different_from_print(library: Library) -> None:
    """Most are white on blue."""
    blues = 0
    for seed in range(40):
        image = Synthesiser(library, seed).draw("粤B7K8M2")
        assert image is not None
        blue, _, red = image.reshape(-1, 3).mean(axis=0)
        blues += blue > red + 15
    assert blues > 12


def test_cards_are_embossed_mostly(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[str] = []
    real = Cards.shade

    def shade(self: Cards, mask: Gray, ground: Picture) -> Picture:
        raised.append("raised")
        return real(self, mask, ground)

    monkeypatch.setattr(Cards, "shade", shade)
    for seed in range(40):
        image = Synthesiser(library, seed).draw("6222 0212 3456 7890")
        assert image is not None
        assert image.std() > 3
    assert 18 < len(raised) < 38
    raised.clear()
    for seed in range(10):
        Synthesiser(library, seed).draw("合计 37.20")
    assert not raised


def test_the_camera_keeps_letters_apart_from_paper() -> None:
    """Black on white stays darker than its surroundings whatever happens to it, except for rare binarisation."""
    picture = np.full((60, 240, 3), 230, np.float32)
    picture[20:40, 40:200] = 20
    darker = 0
    for seed in range(60):
        camera = Camera(random.Random(seed), np.random.default_rng(seed))
        image = camera.shoot(camera.warp(picture))
        assert image.dtype == np.uint8
        assert 8 <= image.shape[0] <= 64
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(float)
        height, width = gray.shape
        inside = gray[int(height * 0.45) : int(height * 0.55) + 1, int(width * 0.4) : int(width * 0.6)].mean()
        darker += inside + 30 < np.percentile(gray, 90)
    assert darker >= 58


def test_a_contact_sheet_shows_every_image(library: Library) -> None:
    images = [np.full((30, 100, 3), 255, np.uint8) for _ in range(5)]
    page = sheet(images, columns=4)
    assert page.shape == (2 * 52, 4 * 420, 3)
    assert all((page[i // 4 * 52, i % 4 * 420] == 255).all() for i in range(5))
    assert (page[52 + 5, 3 * 420] == 96).all()
