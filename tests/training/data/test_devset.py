"""Dev sets: strata of labelled lines that ``ocrsvc evaluate`` reads, the same for a seed, unlike training's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from available import need_training

need_training()

from ocrsvc.diagnosis import evaluation
from ocrsvc.training.commands import cli
from ocrsvc.training.data import devset
from ocrsvc.training.data.strata import STRATA, Stratum, seed_of
from ocrsvc.training.drawing import families, fonts
from ocrsvc.training.drawing.fonts import Face, Library
from ocrsvc.training.texts import charset


@pytest.fixture(scope="module")
def unseen(library: Library) -> Library:
    """Stand-ins for the held-out faces, which no usual package has."""
    return replace(library, handwriting=library.cjk[:2], hant=library.cjk[:2], cjk=library.cjk[:2])


@pytest.mark.parametrize("name", STRATA)
def test_a_stratum_is_what_it_is_named_for(library: Library, unseen: Library, name: str) -> None:
    stratum = Stratum(name, charset.load(), library, unseen, (), 1)
    lines = [line for _ in range(50) if (line := stratum.line()) is not None]
    assert len(lines) > 10
    texts = [text for _, text in lines]
    heights = [image.shape[0] for image, _ in lines]
    contrasts = sorted(float(image.std()) for image, _ in lines)
    assert all(set(text) <= set(charset.load()) for text in texts)
    match name:
        case "traditional-print" | "traditional-unseen-faces":
            assert all(not stratum.traditional.isdisjoint(text) for text in texts)
        case "simplified-print" | "simplified-unseen-faces":
            assert all(stratum.traditional.isdisjoint(text) for text in texts)
        case "kana":
            assert all(not stratum.kana.isdisjoint(text) for text in texts)
        case "signs":
            assert all(not stratum.signs.isdisjoint(text) for text in texts)
        case "lowres":
            assert max(heights) <= 16
        case "long":
            assert min(len(text) for text in texts) >= 38  # merged spaces make some a little shorter
        case "short":
            assert max(len(text) for text in texts) <= 2
        case "digits":
            assert all(any(c.isdigit() for c in text) for text in texts)
        case "latin-street":
            assert all(text.isascii() or set(text) & set("“”™®") for text in texts)
        case "lowcontrast":
            assert contrasts[len(contrasts) // 2] < 16


def test_rare_characters_of_a_stratum_are_all_different(library: Library, unseen: Library) -> None:
    stratum = Stratum("rare", charset.load(), library, unseen, (), 1)
    texts = [text for _ in range(200) if (text := stratum.rare())]
    seen = set("".join(texts))
    assert len(seen) > 0.8 * sum(len(text) for text in texts if len(text) < 4)


def test_a_dev_set_is_written_as_evaluation_reads_it(tmp_path: Path) -> None:
    names = ["rare", "ui-small", "digits"]
    manifests = list(devset.write(tmp_path / "a", 5, 3, strata=names))
    assert [manifest.parent.name for manifest in manifests] == names
    rows = [json.loads(row) for row in manifests[0].read_text("utf-8").splitlines()]
    assert [set(row) for row in rows] == [{"file", "text"}] * 5
    assert all(cv2.imread(str(manifests[0].parent / row["file"])) is not None for row in rows)
    assert len(evaluation.samples(tmp_path / "a")) == 15
    assert evaluation.kind_of(evaluation.samples(tmp_path / "a")) == "lines"
    (again,) = devset.write(tmp_path / "b", 5, 3, strata=["digits"])
    assert again.read_bytes() == manifests[2].read_bytes()  # whatever other strata there are
    (other,) = devset.write(tmp_path / "c", 5, 4, strata=["digits"])
    assert other.read_bytes() != again.read_bytes()


def test_seeds_of_dev_sets_are_none_of_training() -> None:
    seeds = {seed_of(seed, name) for seed in range(20) for name in STRATA}
    assert len(seeds) == 20 * len(STRATA)
    assert min(seeds) >= 1 << 63


def test_mistakes_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no stratum braille; there are rare, traditional-print"):
        next(devset.write(tmp_path, 1, 1, strata=["braille"]))
    monkeypatch.setattr(fonts, "held_out", lambda folders=(): Library((), (), ()))
    with pytest.raises(SystemExit, match="handwriting needs held-out faces: name their folder with --fonts"):
        cli.main(["devset", str(tmp_path / "dev"), "--lines", "1", "--strata", "handwriting"])


def test_training_refuses_held_out_faces(tmp_path: Path, font_path: Path) -> None:
    """Of two equal files, that with a held-out name is only found for dev sets."""
    for name in ("iansui-400-normal.otf", "yomogi-400-normal.otf"):
        (tmp_path / name).symlink_to(_single(tmp_path))
    found: dict[str, set[str]] = {}
    for kind, library in (("training", fonts.discover([tmp_path])), ("dev", fonts.held_out([tmp_path]))):
        faces: list[Face] = [face for use in families.USES for face in getattr(library, use)]
        found[kind] = {face.path.stem for face in faces}
    assert "yomogi-400-normal" in found["training"]
    assert "iansui-400-normal" in found["dev"]
    assert not any(held in stem for held in families.HELD_OUT for stem in found["training"])
    assert all(any(held in stem for held in families.HELD_OUT) for stem in found["dev"])


def _single(folder: Path) -> Path:
    """A face of one file: the first of this machine."""
    return next(path for path in sorted(Path("/usr/share/fonts").rglob("*.ttf")) if folder)
