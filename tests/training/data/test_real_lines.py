"""Real crops in memory: never a scored one, chosen by the shares of their folders, only where their text fits."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from available import need_training

need_training()

import torch

from ocrsvc.training.data.real_lines import PHOTOS, Mix, RealLines, frames, gathered
from ocrsvc.training.data.samples import Sample

BUCKETS = (96, 128, 160)
CHARSET = "0123456789abc"
CPU = torch.device("cpu")


def folder(path: Path, count: int) -> Path:
    """A labelled folder; the text of a picture is its number, and so is its colour."""
    (path / "img").mkdir(parents=True)
    rows = []
    for i in range(count):
        cv2.imwrite(str(path / "img" / f"{i}.png"), np.full((24, 40 + i % 20, 3), i, np.uint8))
        rows.append({"file": f"img/{i}.png", "text": str(i), "case_insensitive": i % 2 == 0})
    (path / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def lines(samples: Iterator[Sample], mix: Mix) -> RealLines:
    return RealLines(samples, mix, BUCKETS, 48, 8, CPU, 1)


def test_a_scored_row_is_never_trained_on(tmp_path: Path) -> None:
    source = folder(tmp_path / "cards", 40)
    rows = [json.loads(row) for row in (source / "manifest.jsonl").read_text("utf-8").splitlines()]
    scored = {row["text"] for row in random.Random(0).sample(rows, 30)}
    real = lines(gathered([source], [], CHARSET, 30), Mix({}))
    texts = [text for text, _, _ in real.labels]
    assert len(texts) == 10
    assert not scored & set(texts)
    assert all(folded == (int(text or "") % 2 == 0) for text, _, folded in real.labels)
    assert (
        len(lines(gathered([source], [], CHARSET, 40), Mix({}))) == 0
    )  # as many rows as scoring draws: none is left
    left_out = {(source / "img" / f"{texts[0]}.png").resolve()}
    assert len(lines(gathered([source], [], CHARSET, 30, left_out), Mix({}))) == 9


def test_photos_have_labels_or_none(tmp_path: Path) -> None:
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((48, 60, 3), i, np.uint8))
    texts = {"0.png": "ab", "1.png": None, "2.png": "a?"}  # the third cannot be written in the charset
    rows = [{"file": file, "text": text} for file, text in texts.items()]
    (tmp_path / "manifest.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    real = lines(gathered([], [tmp_path], CHARSET, 300), Mix({}))
    assert real.labels == [("ab", PHOTOS, False), *3 * [(None, PHOTOS, False)]]


def test_a_picked_crop_has_its_own_pixels_and_a_width_of_the_bucket(tmp_path: Path) -> None:
    real = lines(gathered([folder(tmp_path / "a", 60)], [], CHARSET, 10), Mix({}))
    rng = np.random.default_rng(1)
    for at, bucket in enumerate(BUCKETS):
        picked = real.pick(at, 30, rng)
        assert len(picked.labels) == (30 if real.by_bucket[at] else 0)
        for offset, source, width, (text, name, _) in zip(
            picked.offset, picked.source, picked.width, picked.labels, strict=True
        ):
            assert name == "a"
            assert (BUCKETS[at - 1] if at else 0) < width <= bucket
            assert torch.all(real.columns[offset : offset + source] == int(text or ""))
    assert float(real.by_bucket.sum()) == pytest.approx(1)


def test_folders_have_their_shares(tmp_path: Path) -> None:
    sources = [folder(tmp_path / name, count) for name, count in (("a", 70), ("b", 30), ("c", 20))]
    mix = Mix({"a": 0.2, "b": 0.6}, other=0.2, stretches=(1.0,))
    real = lines(gathered(sources, [], CHARSET, 10), mix)
    rng = np.random.default_rng(1)
    found: Counter[str] = Counter()
    for at in rng.choice(len(BUCKETS), 300, p=real.by_bucket):
        found.update(source for _, source, _ in real.pick(int(at), 10, rng).labels)
    shares = {name: count / found.total() for name, count in found.items()}
    assert shares == pytest.approx({"a": 0.2, "b": 0.6, "c": 0.2}, abs=0.05)


def test_a_crop_without_a_label_counts_half() -> None:
    samples = [Sample(np.zeros((48, 60, 3), np.uint8), text, "a") for text in ("x", None)]
    real = lines(iter(samples), Mix({}, stretches=(1.0,)))
    found = Counter(text for text, _, _ in real.pick(0, 3000, np.random.default_rng(1)).labels)
    assert found["x"] / found[None] == pytest.approx(2, rel=0.15)


def test_a_text_that_does_not_fit_the_frames_is_left_out_of_that_bucket() -> None:
    """14 equal characters need 27 frames: the widest bucket has 20, one of 160 pixels."""
    assert (frames("aab"), frames(""), frames("1" * 14)) == (4, 0, 27)
    image = np.zeros((48, 90, 3), np.uint8)
    for text, wanted in (("1" * 14, [0, 0, 0]), ("123456789abcdef", [0, 1, 0]), ("12", [1, 1, 0])):
        real = lines(iter([Sample(image, text, "a")]), Mix({}, stretches=(1.0, 1.3)))
        assert [len(variants) for variants in real.variants] == wanted


def test_no_crops_are_no_lines() -> None:
    empty = lines(iter(()), Mix({}))
    assert len(empty) == 0
    assert empty.pick(0, 5, np.random.default_rng(1)).labels == ()
