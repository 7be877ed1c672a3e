"""What is drawn says what the label says: spaces are gaps, gaps are spaces, signs have the width of their script."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from available import need_training

need_training()

from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Glyphs, Gray, Style, keys, wide
from ocrsvc.training.drawing.wear import Wear


def glyphs(library: Library, seed: int) -> Glyphs:
    return Glyphs(library, random.Random(seed), np.random.default_rng(seed))


def gaps(ink: Gray) -> list[float]:
    """Widths of the empty stretches between ink, in heights of the line, the widest first."""
    columns = np.flatnonzero(ink.max(axis=0) > 0.2)
    return sorted(((np.diff(columns) - 1) / ink.shape[0]).tolist(), reverse=True)


def test_signs_that_both_scripts_have_go_with_their_neighbours() -> None:
    assert wide("“中文”") == [True] * 4
    assert wide("“no”") == [False] * 4
    assert wide("it’s") == [False] * 4
    assert wide("中it’s文") == [True, False, False, False, False, True]
    assert wide("…") == [False]
    assert wide("中 “a”。") == [True, False, True, False, True, True]


def test_keys_are_the_letters_of_menus_in_parentheses() -> None:
    assert keys("檔案(F) 編輯 (E)...") == [3, 10]
    assert keys("f(X) (A) 圖(12) 表(a)") == []


def test_a_text_is_drawn_in_the_faces_of_its_script(library: Library) -> None:
    maker = glyphs(library, 2)
    for text, own in (("圖書館", library.hant), ("カタカナ", library.kana)):
        drawn = [maker.chinese(text) for _ in range(100)]
        assert 60 < sum(faces is own for faces in drawn) < 95, text
    assert all(maker.chinese("图书馆") is library.cjk for _ in range(20))


def test_signs_that_the_chinese_face_lacks_are_drawn_by_another(library: Library) -> None:
    whole = library.cjk[:1]
    bare = replace(
        library,
        cjk=tuple(replace(face, coverage=frozenset(map(ord, "同意"))) for face in whole),
        latin=whole,
        signs=(),
    )
    maker = glyphs(bare, 3)
    chinese = [True, True, True]
    faces = maker.faces("①同意", chinese)
    assert faces is not None
    assert faces[1].covers("①")
    assert chinese == [False, True, True]
    assert maker.ink("① 同意 20") is not None
    assert glyphs(replace(bare, latin=()), 3).ink("① 同意") is None


def _unspoilt(self: Wear, ink: Gray, *, han: bool) -> Gray:
    """Worn print has holes of its own."""
    return ink


@pytest.mark.parametrize("text", ["mm nn", "HH EE", "88 66", "中国 国中"])
def test_a_space_is_the_widest_gap(library: Library, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In letters of even spacing nothing inside a word is as far apart as the words are."""
    upright = replace(library, segment=())
    checked = 0
    monkeypatch.setattr(Wear, "worn", _unspoilt)
    for seed in range(40):
        maker = glyphs(upright, seed)
        ink = maker.ink(text)
        assert ink is not None
        found = [*gaps(ink), 0.0, 0.0]
        assert found[0] > 0.08
        checked += found[0] > 1.3 * found[1]
    assert checked >= 38


def test_gaps_vary_from_narrow_to_wide(library: Library) -> None:
    widths = []
    for seed in range(120):
        ink = glyphs(library, seed).ink("HH HH")
        assert ink is not None
        widths.append(gaps(ink)[0])
    assert np.percentile(widths, 10) < 0.4
    assert np.percentile(widths, 90) > 0.75


def test_letter_spacing_stays_below_the_gap(library: Library) -> None:
    maker = glyphs(library, 3)
    for han in (False, True):
        styles = [maker._style(han) for _ in range(500)]
        assert all(style.gap >= 2 * style.spacing + 0.14 - 1e-9 for style in styles)
        assert all(style.gap >= 0.28 for style in styles if han)
        assert min(style.gap for style in styles) < 0.3
        assert max(style.gap for style in styles) > 0.8


def test_full_width_signs_are_followed_by_wider_spaces(library: Library) -> None:
    maker, font = glyphs(library, 1), library.cjk[0].at(40)
    style = Style(size_pixels=40, spacing=0, gap=0.2, jitter=0, stretch=1, squeezed=False)
    assert min(maker._gap(style, font, "，") for _ in range(20)) >= 20


def test_typewriters_keep_their_cells(library: Library) -> None:
    mono = next((face for face in library.latin if face.path.stem == "LiberationMono-Regular"), None)
    if mono is None:
        pytest.skip("fonts-liberation is not installed")
    maker, font = glyphs(library, 1), mono.at(40)
    style = Style(size_pixels=40, spacing=0, gap=0.14, jitter=0, stretch=1, squeezed=False)
    assert min(maker._gap(style, font, "a") for _ in range(20)) >= font.getlength(" ")


def test_an_apostrophe_does_not_look_like_a_space(library: Library) -> None:
    if not any(face.covers("it’s") for face in library.latin):
        pytest.skip("no Latin face")
    for seed in range(40):
        maker = glyphs(library, seed)
        faces = maker.faces("it’s", wide("it’s"))
        assert faces is not None
        assert faces[1] in library.latin


def test_letters_are_condensed_and_expanded(library: Library) -> None:
    maker = glyphs(library, 4)
    latin = [maker._style(False).stretch for _ in range(600)]
    assert min(latin) < 0.6
    assert max(latin) > 1.5
    assert min(maker._style(True).stretch for _ in range(600)) >= 0.75


def test_small_figures_are_drawn_as_characters_or_raised(library: Library) -> None:
    """A raised 2 of x² leaves the lower right empty, as the character does; that of x₂ the upper right."""
    plain = replace(library, segment=())
    for text, empty in (("x²", np.s_[-8:, -4:]), ("x₂", np.s_[:4, -4:])):
        drawn = [ink for seed in range(30) if (ink := glyphs(plain, seed).ink(text)) is not None]
        assert len(drawn) == 30
        assert sum(float(ink[empty].max()) < 0.5 for ink in drawn) > 20, text


def test_a_leader_is_longer_than_its_label(library: Library) -> None:
    def widest(text: str) -> float:
        inks = [ink for seed in range(40) if (ink := glyphs(library, seed).ink(text)) is not None]
        return max(ink.shape[1] / ink.shape[0] for ink in inks)

    assert widest("目录……12") > 1.5 * widest("目录……")
    assert widest("合计——12") > 1.5 * widest("合计12——")


def test_chinese_headings_are_spaced_out(library: Library) -> None:
    spaced = 0
    for seed in range(100):
        ink = glyphs(library, seed).ink("合同条款")
        assert ink is not None
        spaced += ink.shape[1] > 5.3 * ink.shape[0]
    assert 1 <= spaced < 20
