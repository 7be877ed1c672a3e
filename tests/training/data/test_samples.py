"""Lines to learn from: what is taken, what is held out, and how crops are varied."""

from __future__ import annotations

import json
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from available import need_training
from drawings import line_image

need_training()

from ocrsvc.training.data import samples
from ocrsvc.training.data.samples import Sample, vary
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.synth import Synthesiser
from ocrsvc.training.texts import charset
from ocrsvc.training.texts.corpus import Corpus


def test_as_many_lines_are_drawn_as_were_ordered(library: Library) -> None:
    lines = list(samples.drawn(Corpus(charset.load(), 4), Synthesiser(library, 4), 25))
    assert len(lines) == 25
    assert all(line.text and line.source == "drawn" and not line.case_folded for line in lines)
    assert len({line.text for line in lines}) > 15


def test_lines_that_scoring_samples_are_held_out(labelled_folder: Path) -> None:
    """The same draw as scoring makes (random.Random(0).sample over the manifest's rows)."""
    rows = [json.loads(row) for row in (labelled_folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    scored = {row["text"] for row in random.Random(0).sample(rows, 2)}
    taken = samples.labelled(labelled_folder, 2)
    assert {sample.text for sample in taken} == {
        charset.canonical(row["text"]) for row in rows if row["text"] not in scored
    }
    assert samples.labelled(labelled_folder, len(rows)) == []  # a source that is scored whole teaches nothing
    assert {sample.source for sample in taken} == {"receipts"}


def test_labels_know_whether_they_know_case(labelled_folder: Path) -> None:
    rows = [json.loads(row) for row in (labelled_folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    folded = {charset.canonical(row["text"]): row["case_insensitive"] for row in rows}
    taken = samples.labelled(labelled_folder, 1)
    assert len(taken) == len(rows) - 1
    assert all(sample.case_folded == folded[str(sample.text)] for sample in taken)


def test_crops_have_no_text_and_damaged_files_are_left_out(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((20, 60, 3), np.uint8))
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "c.jpg").write_bytes(b"not looked at")
    (crop,) = samples.crops(tmp_path)
    assert crop.text is None
    assert crop.image.shape == (20, 60, 3)
    assert crop.source == tmp_path.name


def test_crops_have_the_text_on_which_two_recognisers_agreed(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((20, 60, 3), np.uint8))
    rows = [{"file": "a.png", "text": "合计"}, {"file": "b.png", "text": None}]
    (tmp_path / "manifest.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    taken = samples.crops(tmp_path)
    assert [sample.text for sample in taken] == ["合计", None, None]
    assert not any(sample.case_folded for sample in taken)


@pytest.mark.parametrize("size", [(9, 9), (9, 400), (48, 30), (48, 900), (100, 60)])
def test_varied_crops_are_pictures_of_about_the_same_shape(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    sample = Sample(image.copy(), "文 a", "here", True)
    for seed in range(120):
        varied = vary(sample, random.Random(seed))
        assert varied.image.dtype == np.uint8
        assert varied.image.ndim == 3
        assert varied.image.shape[2] == 3
        assert varied.image.shape[0] >= 8
        assert (varied.text, varied.source, varied.case_folded) == ("文 a", "here", True)
        ratio = (varied.image.shape[1] / varied.image.shape[0]) / (size[1] / size[0])
        assert 0.5 < ratio < 2
    assert np.array_equal(sample.image, image)  # the pool's own picture is not touched


def test_variations_differ_but_a_seed_says_everything(font_path: Path) -> None:
    sample = Sample(line_image("合计 TOTAL 37.20", font_path), None, "x")
    first = [vary(sample, random.Random(seed)).image.tobytes() for seed in range(20)]
    assert first == [vary(sample, random.Random(seed)).image.tobytes() for seed in range(20)]
    assert len(set(first)) > 15


def test_varied_text_stays_readable(font_path: Path) -> None:
    """Ink against paper: the spread of grey values never collapses."""
    sample = Sample(line_image("合计 TOTAL 37.20", font_path), None, "x")
    spread = [float(vary(sample, random.Random(seed)).image.std()) for seed in range(100)]
    assert min(spread) > 0.25 * float(sample.image.std())
