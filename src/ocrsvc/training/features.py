"""Runs backbone and teacher once over every line and keeps what training needs (a lossless teacher cache).

A shard is a folder of plain ``.npy`` files that training maps into memory:
``features`` float16 [sum T,384], ``embedding`` float16 [sum T,120] (the teacher's, computed with its preferred
padding), ``lengths`` int32 [lines], ``texts.json``. A line's T is its bucket / 8, so training sees the very tensors
that serving makes, padding included.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from ocrsvc.buckets import Buckets, fit, stack
from ocrsvc.training import charset, teacher
from ocrsvc.training.corpus import Corpus
from ocrsvc.training.fonts import discover
from ocrsvc.training.net import WIDTH_STRIDE, Backbone
from ocrsvc.training.samples import Sample, crops, drawn, labelled, vary
from ocrsvc.training.synth import Synthesiser

HEIGHT = 48
PAD_VALUE = 127
BUCKETS = Buckets((200, 256, 320, 400, 512, 640, 800, 1024, 1280))


@dataclass(frozen=True)
class Order:
    """One shard to make. ``real`` are label folders, ``photos`` crop folders; neither means drawn lines."""

    folder: Path
    seed: int
    lines: int
    fonts: tuple[Path, ...] = ()
    prose: tuple[Path, ...] = ()
    real: tuple[Path, ...] = ()
    photos: tuple[Path, ...] = ()
    held_out: int = 300


def normalise(batch: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 [N,48,W,3] -> float32 [N,3,48,W] in -1..1, channels last in memory."""
    return ((torch.from_numpy(batch).float() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)


class Extractor:
    """Backbone features and teacher embeddings of batches of one bucket."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.backbone: Backbone = teacher.load_backbone().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.neck: ort.InferenceSession = teacher.open_neck()

    @torch.no_grad()
    def _features(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.autocast("cpu", torch.bfloat16):
            return self.backbone(normalise(batch)).float().numpy()

    def __call__(
        self, lines: list[NDArray[np.uint8]], bucket: int
    ) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Features [N,T,384] at the bucket, embeddings [N,T,120] at the teacher's own padding."""
        features = self._features(stack(lines, height=HEIGHT, width=bucket, pad_value=PAD_VALUE))
        padded = features
        if bucket < teacher.MIN_WIDTH_PIXELS:
            padded = self._features(
                stack(lines, height=HEIGHT, width=teacher.MIN_WIDTH_PIXELS, pad_value=PAD_VALUE)
            )
        maps = np.ascontiguousarray(padded.transpose(0, 2, 1)[:, :, None])
        embedding = self.neck.run(None, {teacher.FEATURES_TENSOR: maps})[0][:, : bucket // WIDTH_STRIDE]
        return features.astype(np.float16), embedding.astype(np.float16)


def _samples(order: Order) -> Iterable[Sample]:
    rng = random.Random(order.seed)
    if not order.real and not order.photos:
        corpus = Corpus(charset.load(), order.seed, order.prose)
        yield from drawn(corpus, Synthesiser(discover(order.fonts), order.seed), order.lines)
        return
    pool = [sample for folder in order.real for sample in labelled(folder, order.held_out)]
    pool += [sample for folder in order.photos for sample in crops(folder)]
    random.Random(order.seed).shuffle(pool)
    for i in range(order.lines):
        sample = pool[i] if i < len(pool) and order.seed % 8 == 0 else rng.choice(pool)
        yield sample if rng.random() < 0.2 else vary(sample, rng)


def make(order: Order) -> str:
    """Writes one shard (atomically: a killed run leaves none behind); returns a line for the log."""
    if order.folder.exists():
        return f"{order.folder.name}: there already"
    started = time.monotonic()
    extractor = Extractor()
    waiting: dict[int, list[tuple[NDArray[np.uint8], Sample]]] = {}
    features, embeddings, lengths, texts = [], [], [], []

    def flush(bucket: int) -> None:
        group = waiting.pop(bucket)
        f, e = extractor([line for line, _ in group], bucket)
        for row, (_, sample) in enumerate(group):
            features.append(f[row])
            embeddings.append(e[row])
            lengths.append(bucket // WIDTH_STRIDE)
            texts.append((sample.text, sample.source, sample.case_folded))

    for sample in _samples(order):
        line = fit(sample.image, HEIGHT)
        if line.shape[1] > BUCKETS.widest:
            continue
        bucket = BUCKETS.of(line.shape[1])
        group = waiting.setdefault(bucket, [])
        group.append((line, sample))
        if len(group) * bucket >= 4096:
            flush(bucket)
    for bucket in list(waiting):
        flush(bucket)

    building = order.folder.with_name(f".{order.folder.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    np.save(building / "features.npy", np.concatenate(features))
    np.save(building / "embedding.npy", np.concatenate(embeddings))
    np.save(building / "lengths.npy", np.array(lengths, np.int32))
    (building / "texts.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
    building.rename(order.folder)
    return f"{order.folder.name}: {len(lengths)} lines, {len(lengths) / (time.monotonic() - started):.0f} lines/s"


def run(orders: list[Order], processes: int) -> None:
    """Makes all shards in ``processes`` processes, printing as they finish; shards that exist are kept."""
    orders = [order for order in orders if not order.folder.exists()]
    # Fresh processes now and then: the allocator keeps what differently shaped batches leave behind.
    with get_context("spawn").Pool(processes, maxtasksperchild=2) as pool:
        for i, message in enumerate(pool.imap(make, orders), 1):
            print(f"[{i}/{len(orders)}] {message}", flush=True)
