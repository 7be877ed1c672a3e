"""Cached lines: made once, whole or not at all, and read back as training needs them."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from available import need_training
from training.tiny_training import TrainingRun

from ocrsvc.text import fold

need_training()

import torch

from ocrsvc.models.buckets import fit, stack
from ocrsvc.training.data import features
from ocrsvc.training.data.features import BUCKETS, Extractor, Order
from ocrsvc.training.data.samples import drawn
from ocrsvc.training.data.shards import Shards, teacher_labels
from ocrsvc.training.data.targets import Truths
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.synth import Synthesiser
from ocrsvc.training.nets import teacher
from ocrsvc.training.texts import charset
from ocrsvc.training.texts.corpus import Corpus

pytestmark = pytest.mark.timeout(240)  # the shards are made by a second process that starts from nothing


@pytest.fixture(scope="module")
def truths(teacher_path: Path) -> Truths:
    return Truths(charset.load(), teacher.load_head())


@pytest.fixture(scope="module")
def shards(tiny_run: TrainingRun, truths: Truths) -> Shards:
    return Shards(tiny_run.shards, truths)


def test_a_shard_is_plain_arrays(tiny_run: TrainingRun) -> None:
    assert [folder.name for folder in tiny_run.shards] == ["dev-real", "drawn-000", "drawn-001", "real-000"]
    for folder in tiny_run.shards:
        lengths, pixels = np.load(folder / "lengths.npy"), np.load(folder / "pixels.npy")
        vectors, embedding = np.load(folder / "features.npy"), np.load(folder / "embedding.npy")
        texts = json.loads((folder / "texts.json").read_text("utf-8"))
        assert len(texts) == len(lengths) > 0
        assert set(lengths * 8) <= set(BUCKETS.widths)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (48 * 8 * 3 * lengths.sum(),)
        assert vectors.dtype == embedding.dtype == np.float16
        assert vectors.shape == (lengths.sum(), 384)
        assert embedding.shape == (lengths.sum(), 120)
        assert np.isfinite(vectors.astype(np.float32)).all()


def test_every_line_comes_back_with_its_own_frames(shards: Shards, tiny_run: TrainingRun) -> None:
    texts = [json.loads((folder / "texts.json").read_text("utf-8")) for folder in tiny_run.shards]
    assert 28 <= sum(map(len, texts)) <= 1 + 12 + 12 + 6  # drawn lines that are too wide are left out
    assert len(shards.lines) == sum(map(len, texts))
    for line in random.Random(1).sample(shards.lines, 6):
        vectors, batch = shards.cached([line]), shards.batch([line])
        folder = tiny_run.shards[line.shard]
        span = slice(line.start, line.start + line.length)
        assert vectors.shape == (1, line.length, 384)
        assert np.array_equal(vectors[0].numpy(), np.load(folder / "features.npy")[span].astype(np.float32))
        assert np.array_equal(
            batch.embedding[0].numpy(), np.load(folder / "embedding.npy")[span].astype(np.float32)
        )
        assert tuple(batch.targets[0, : batch.target_lengths[0]].tolist()) == line.truth.target


def test_pictures_come_back_as_they_were_drawn(
    shards: Shards, tiny_run: TrainingRun, library: Library
) -> None:
    """Drawn again with the order's seed, put into their bucket as serving does, and found pixel for pixel."""
    corpus = Corpus(charset.load(), 4)
    expected: Counter[tuple[str | None, bytes]] = Counter()
    for sample in drawn(corpus, Synthesiser(library, 4), 12):
        image = fit(sample.image, 48)
        padded = stack([image], height=48, width=BUCKETS.of(image.shape[1]), pad_value=127)
        expected[(sample.text, padded.tobytes())] += 1
    at = tiny_run.shards.index(tiny_run.shard("drawn-000"))
    found: Counter[tuple[str | None, bytes]] = Counter()
    darkest, lightest = 0.0, 0.0
    for line in (line for line in shards.lines if line.shard == at):
        images = shards.images([line])
        assert images.shape == (1, 3, 48, line.length * 8)
        darkest, lightest = min(darkest, float(images.min())), max(lightest, float(images.max()))
        pixels = ((images * 0.5 + 0.5) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        found[(line.truth.text, pixels.contiguous().numpy().tobytes())] += 1
    assert -1 <= darkest < 0 < lightest <= 1  # a single line may be dark all over
    assert sum(found.values()) == 12
    assert found == expected


def test_features_are_those_of_the_pictures(shards: Shards) -> None:
    """What the lent net says of each picture now is what the shard kept of it."""
    extractor = Extractor()
    for line in random.Random(2).sample(shards.lines, 5):
        pixels = ((shards.images([line]) * 0.5 + 0.5) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        features, embedding = extractor(pixels.contiguous().numpy())
        kept = shards.cached([line]).numpy(), shards.batch([line]).embedding.numpy()
        for now, then in zip((features, embedding), kept, strict=True):
            assert np.abs(then).max() > 0.5
            assert np.allclose(now.astype(np.float32), then, atol=0.01 * np.abs(then).max())


def test_the_teacher_read_many_lines_right(shards: Shards) -> None:
    """So that texts, frames and lengths belong together; it reads no line of others."""
    drawn = [line for line in shards.lines if line.source == "drawn"]
    assert sum(line.truth.distil > 0 for line in drawn) > len(drawn) / 5


def test_real_lines_are_those_that_are_not_scored(shards: Shards, tiny_run: TrainingRun) -> None:
    rows = [json.loads(r) for r in (tiny_run.real / "manifest.jsonl").read_text("utf-8").splitlines()]
    scored = random.Random(0).sample(rows, 1)[0]["text"]
    for name in ("real-000", "dev-real"):
        texts = json.loads((tiny_run.shard(name) / "texts.json").read_text("utf-8"))
        assert {source for _, source, _ in texts} == {"receipts"}
        assert fold(scored) not in {fold(text) for text, _, _ in texts}


def test_lines_of_the_dev_score_are_not_varied_into_training(tiny_run: TrainingRun) -> None:
    """One real picture of twelve, as it is; here there are four, and the first is kept."""
    (kept,) = json.loads((tiny_run.shard("dev-real") / "texts.json").read_text("utf-8"))
    trained = json.loads((tiny_run.shard("real-000") / "texts.json").read_text("utf-8"))
    assert kept[0] == "合计 TOTAL 37.20"
    assert len({text for text, _, _ in trained}) == 3
    assert kept[0] not in {text for text, _, _ in trained}
    picture = cv2.imread(str(tiny_run.real / "img" / "0.png"))
    line = fit(np.asarray(picture, np.uint8), 48)
    pixels = np.load(tiny_run.shard("dev-real") / "pixels.npy")
    expected = stack([line], height=48, width=BUCKETS.of(line.shape[1]), pad_value=127)
    assert np.array_equal(pixels, expected.reshape(-1))


def test_without_a_label_there_is_no_dev_shard(teacher_path: Path, tmp_path: Path) -> None:
    """Crops alone teach, but nothing can be scored on them; and no folder is left for a later step to trip over."""
    (tmp_path / "crops").mkdir()
    cv2.imwrite(str(tmp_path / "crops" / "a.png"), np.full((30, 90, 3), 200, np.uint8))
    order = Order(tmp_path / "dev-real", 1, 5, photos=(tmp_path / "crops",), dev=True)
    assert features.make(order) == "dev-real: no lines"
    assert features.make(replace(order, folder=tmp_path / "real-000", dev=False)) == "real-000: no lines"
    assert [path.name for path in tmp_path.iterdir()] == ["crops"]


def test_labels_without_case_take_it_from_the_teacher(shards: Shards, tiny_run: TrainingRun) -> None:
    texts = json.loads((tiny_run.shard("real-000") / "texts.json").read_text("utf-8"))
    at = tiny_run.shards.index(tiny_run.shard("real-000"))
    real = [line for line in shards.lines if line.shard == at]
    pairs = [(line.truth, row) for line, row in zip(real, texts, strict=True) if row[0] == "收银小票 RECEIPT"]
    assert "收银小票 Receipt" in {truth.text for truth, _ in pairs}
    assert {truth.text for truth, _ in pairs if truth.target} <= {"收银小票 Receipt"}


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
    assert features.make(Order(tiny_run.shard("drawn-000"), 4, 12)) == "drawn-000: there already"


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
    for name in ("texts.json", "lengths.npy", "pixels.npy"):
        assert (order.folder / name).read_bytes() == (tiny_run.shard("real-000") / name).read_bytes()


def test_another_net_is_told_what_the_better_one_read(
    tiny_run: TrainingRun, truths: Truths, tmp_path: Path
) -> None:
    """Unlabelled lines that it read for certain have its reading, the others nothing; labels stay."""
    source = tmp_path / "real-000"
    shutil.copytree(tiny_run.shard("drawn-000"), source)
    labels = json.loads((source / "texts.json").read_text("utf-8"))
    drawn_texts = [text for text, _, _ in labels]
    labels = [
        (text, "a", False) if i % 3 == 0 else (None, "b", False) if i % 3 == 1 else (text.lower(), "c", True)
        for i, text in enumerate(drawn_texts)
    ]
    (source / "texts.json").write_text(json.dumps(labels), "utf-8")
    said = teacher_labels(source)
    assert [text for text, name, _ in said if name == "a"] == drawn_texts[::3]
    readings = [line.truth for line in Shards([source], truths).lines]
    for (text, name, case_folded), truth in zip(said, readings, strict=True):
        if name == "b":
            assert (text, case_folded) == ((truth.text, False) if truth.target else ("", False))
        if name == "c" and truth.target:
            assert (text, case_folded) == (truth.text, False)
    assert any(text for text, name, _ in said if name == "b")
    (source / "texts.json").write_text(json.dumps(said), "utf-8")
    taught = Shards([source], truths).lines
    assert not any(line.truth.target for line, (text, _, _) in zip(taught, said, strict=True) if not text)
