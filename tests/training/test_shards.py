"""Cached features: made once, whole or not at all, and read back as training needs them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from available import need_training
from tiny_training import TrainingRun

need_training()

from ocrsvc.training import charset, features, teacher  # noqa: E402
from ocrsvc.training.features import BUCKETS, Order  # noqa: E402
from ocrsvc.training.shards import Shards  # noqa: E402
from ocrsvc.training.truths import Truths, folded  # noqa: E402

pytestmark = pytest.mark.timeout(240)  # the shards are made by a second process that starts from nothing


@pytest.fixture(scope="module")
def truths(teacher_path: Path) -> Truths:
    return Truths(charset.load(), teacher.load_head())


@pytest.fixture(scope="module")
def shards(tiny_run: TrainingRun, truths: Truths) -> Shards:
    return Shards(tiny_run.shards, truths)


def test_a_shard_is_plain_arrays(tiny_run: TrainingRun) -> None:
    assert [folder.name for folder in tiny_run.shards] == ["drawn-000", "drawn-001", "real-000"]
    for folder in tiny_run.shards:
        lengths = np.load(folder / "lengths.npy")
        vectors, embedding = np.load(folder / "features.npy"), np.load(folder / "embedding.npy")
        texts = json.loads((folder / "texts.json").read_text("utf-8"))
        assert len(texts) == len(lengths) > 0
        assert set(lengths * 8) <= set(BUCKETS.widths)
        assert vectors.dtype == embedding.dtype == np.float16
        assert vectors.shape == (lengths.sum(), 384)
        assert embedding.shape == (lengths.sum(), 120)
        assert np.isfinite(vectors.astype(np.float32)).all()


def test_every_line_comes_back_with_its_own_frames(shards: Shards, tiny_run: TrainingRun) -> None:
    assert len(shards.lines) == 12 + 12 + 6
    for line in random.Random(1).sample(shards.lines, 6):
        vectors, batch = shards.batch([line])
        folder = tiny_run.shards[line.shard]
        span = slice(line.start, line.start + line.length)
        assert vectors.shape == (1, line.length, 384)
        assert np.array_equal(vectors[0].numpy(), np.load(folder / "features.npy")[span].astype(np.float32))
        assert np.array_equal(
            batch.embedding[0].numpy(), np.load(folder / "embedding.npy")[span].astype(np.float32)
        )
        assert tuple(batch.targets[0, : batch.target_lengths[0]].tolist()) == line.truth.target


def test_the_teacher_read_most_lines_right(shards: Shards) -> None:
    """So that texts, frames and lengths belong together."""
    drawn = [line for line in shards.lines if line.source == "drawn"]
    assert sum(line.truth.distil > 0 for line in drawn) > len(drawn) / 2


def test_real_lines_are_those_that_are_not_scored(shards: Shards, tiny_run: TrainingRun) -> None:
    rows = [json.loads(r) for r in (tiny_run.real / "manifest.jsonl").read_text("utf-8").splitlines()]
    scored = random.Random(0).sample(rows, 1)[0]["text"]
    texts = json.loads((tiny_run.shards[2] / "texts.json").read_text("utf-8"))
    assert {source for _, source, _ in texts} == {"receipts"}
    assert folded(scored) not in {folded(text) for text, _, _ in texts}


def test_labels_without_case_take_it_from_the_teacher(shards: Shards, tiny_run: TrainingRun) -> None:
    texts = json.loads((tiny_run.shards[2] / "texts.json").read_text("utf-8"))
    real = [line for line in shards.lines if line.shard == 2]
    said = {line.truth.text for line, row in zip(real, texts, strict=True) if row[0] == "收银小票 RECEIPT"}
    assert said - {None} == {"收银小票 Receipt"}


def test_batches_are_of_one_length_and_hold_every_line_once(shards: Shards) -> None:
    chunks = list(Shards.batches(shards.lines, 100, random.Random(1)))
    assert all(len({line.length for line in chunk}) == 1 for chunk in chunks)
    flat = [(line.shard, line.start) for chunk in chunks for line in chunk]
    assert sorted(flat) == sorted((line.shard, line.start) for line in shards.lines)
    again = list(Shards.batches(shards.lines, 100, random.Random(1)))
    assert again == chunks
    assert list(Shards.batches(shards.lines, 100, random.Random(2))) != chunks


def test_the_teachers_readings_are_computed_once(
    shards: Shards, tiny_run: TrainingRun, truths: Truths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Truths, "paths", lambda *_: pytest.fail("computed again"))
    again = Shards(tiny_run.shards, truths)
    assert again.lines == shards.lines


def test_a_shard_that_is_there_is_kept(tiny_run: TrainingRun) -> None:
    assert features.make(Order(tiny_run.shards[0], 3, 12)) == "drawn-000: there already"


def test_a_killed_run_leaves_no_shard_behind(
    teacher_path: Path, font_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it writes; a second run starts over what the first left."""
    order = Order(tmp_path / "drawn-000", 3, 3)
    real = np.save

    def full(file: Path, array: np.ndarray) -> None:
        if file.name == "lengths.npy":
            raise OSError("No space left on device")
        real(file, array)

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space"):
        features.make(order)
    assert not order.folder.exists()
    assert [path.name for path in tmp_path.iterdir()] == [".drawn-000.part"]
    monkeypatch.setattr(np, "save", real)
    assert features.make(order).startswith("drawn-000: 3 lines")
    assert [path.name for path in tmp_path.iterdir()] == ["drawn-000"]


def test_the_same_order_makes_the_same_lines(tiny_run: TrainingRun, tmp_path: Path) -> None:
    """Also of real lines, whose order must not hang on Python's hashes, which differ from process to process."""
    order = Order(tmp_path / "real-000", 8, 6, real=(tiny_run.real,), held_out=1)
    features.make(order)
    for name in ("texts.json", "lengths.npy"):
        assert (order.folder / name).read_bytes() == (tiny_run.shards[2] / name).read_bytes()
