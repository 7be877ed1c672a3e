"""Faces draw only what they have glyphs for."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from available import need_training

need_training()

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont
from PIL import Image, ImageDraw

from ocrsvc.training.drawing import families, fonts
from ocrsvc.training.drawing.archives import unpack_npm
from ocrsvc.training.drawing.fonts import Face, Library
from ocrsvc.training.texts import charset

TRICKY = "AOg0|永嚄饕￥℃Ⅷ·"


def picture(face: Face, character: str) -> bytes:
    canvas = Image.new("L", (60, 60), 0)
    ImageDraw.Draw(canvas).text((10, 45), character, 255, font=face.at(32), anchor="ls")
    return canvas.tobytes()


def test_a_face_of_each_script_is_found(library: Library) -> None:
    assert library.cjk
    assert all(face.weight > 0 for kind in (library.cjk, library.latin, library.segment) for face in kind)
    assert any(face.covers("中文 abc 123，￥5") for face in library.cjk)
    assert all(face.covers("A") for face in library.latin)


def test_a_face_that_covers_a_character_draws_no_missing_glyph(library: Library) -> None:
    """What a face draws for a private code point is its missing glyph; no covered character may look like it."""
    for face in library.cjk[:8] + library.latin[:8]:
        missing = picture(face, "\uf8f0") if 0xF8F0 not in face.coverage else None
        for character in TRICKY:
            if face.covers(character):
                drawn = picture(face, character)
                assert drawn != missing, (face.path, character)
                assert any(drawn), (face.path, character)


def test_a_face_does_not_cover_what_it_lacks(library: Library) -> None:
    face = library.cjk[0]
    assert not face.covers("a\uf8f0")
    assert not Face(face.path, face.index, 1.0, frozenset(map(ord, "ab"))).covers("abc")
    assert face.covers("a b")  # a space needs no glyph


def test_the_simplified_face_of_a_collection_is_drawn(font_path: Path, library: Library) -> None:
    """Noto's collection starts with the Japanese face, which draws 直 and 骨 differently."""
    face = next(face for face in library.cjk if face.path.name == font_path.name)
    assert face.at(20).getname()[0] == "Noto Sans CJK SC"
    japanese = Face(face.path, 0, 1.0, face.coverage)
    assert picture(face, "骨") != picture(japanese, "骨")


def test_noto_has_nearly_the_whole_charset(font_path: Path, library: Library) -> None:
    face = next(face for face in library.cjk if face.path.name == font_path.name)
    others = set(charset.EUROPEAN)  # and some signs, which other faces have
    assert sum(not face.covers(c) for c in charset.load() if c not in others) < 30


def test_traditional_and_kana_have_faces_of_their_own(font_path: Path, library: Library) -> None:
    """Of a collection the member of the region: 骨 and 直 look different in each."""
    names = {
        kind: next(face for face in faces if face.path.name == font_path.name).at(20).getname()[0]
        for kind, faces in (("cjk", library.cjk), ("hant", library.hant), ("kana", library.kana))
    }
    assert names == {"cjk": "Noto Sans CJK SC", "hant": "Noto Sans CJK TC", "kana": "Noto Sans CJK JP"}


def test_faces_of_npm_archives_are_unpacked_once(
    font_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TTCollection(font_path, lazy=True) as collection:
        content = woff2(collection.fonts[2], "永字八法")
    archive = tmp_path / "zcool-xiaowei.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in (
            ("package/files/zcool-xiaowei-chinese-simplified-400-normal.woff2", content),
            ("package/files/zcool-xiaowei-latin-400-normal.woff2", b"not unpacked"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    folder = unpack_npm([archive], tmp_path / "faces")
    (unpacked,) = folder.iterdir()
    assert unpacked.name == "zcool-xiaowei-chinese-simplified-400-normal.ttf"
    before = unpacked.stat().st_mtime_ns
    unpack_npm([archive], folder)
    assert unpacked.stat().st_mtime_ns == before
    monkeypatch.setattr(fonts, "_ROOTS", ())
    (face,) = fonts.discover([folder]).cjk
    assert face.covers("永字八法")
    assert not face.covers("饕")
    assert np.frombuffer(picture(face, "永"), np.uint8).max() > 200


def woff2(font: TTFont, text: str) -> bytes:
    """A small WOFF2 with the glyphs of ``text``."""
    small = subset.Subsetter(subset.Options(flavor="woff2", layout_features=[]))
    small.populate(text=text)
    small.subset(font)
    font.flavor = "woff2"
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def test_without_a_chinese_face_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_ROOTS", (tmp_path,))
    with pytest.raises(FileNotFoundError, match="fonts-noto-cjk"):
        fonts.discover()


def test_packages_give_more_than_twenty_five_families() -> None:
    """Families by their names in the tables, of Debian packages that are asked for and npm packages together."""
    wanted = [*families.DEBIAN_PACKAGES, *families.NPM_PACKAGES]
    assert len(set(wanted)) == len(wanted) >= 25
    for kind in ("arphic", "wqy", "noto-cjk", "dseg", "unifont", "ocr-b", "liberation", "ma-shan-zheng"):
        assert any(kind in name for name in wanted), kind


def test_upright_regular_faces_are_drawn_most(library: Library) -> None:
    weights = {face.path.stem: face.weight for face in library.latin}
    family = {name: weight for name, weight in weights.items() if name.startswith("LiberationSerif-")}
    if not family:
        pytest.skip("fonts-liberation is not installed")
    assert max(family, key=lambda name: family[name]) == "LiberationSerif-Regular"
    assert sum(family.values()) == pytest.approx(4.0)


def test_every_face_that_is_found_can_be_loaded_at_any_size(library: Library) -> None:
    """Files that hold only bitmaps of one size are no faces for us."""
    for face in {*library.cjk, *library.latin, *library.segment, *library.card}:
        for size in (26, 41, 58):
            assert face.at(size).size == size
