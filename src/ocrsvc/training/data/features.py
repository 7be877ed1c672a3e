"""Shards: lines drawn and varied once, with the features and embeddings that a frozen net computes from them.

A shard is a folder of plain ``.npy`` files that training maps into memory: ``pixels`` uint8 [sum 48 x width x 3],
``features`` float16 [sum T,F] of the donor's convolutions, ``embedding`` float16 [sum T,D] of the donor (the target
of distillation wherever it reads right), ``lengths`` int32 [lines] (T), ``texts.json``. A line is padded to its
bucket, 8 T pixels, so training sees the same tensors as serving.

A shard can be recomputed from the pictures of another one. With the features and embeddings of a weaker net, its
unlabelled lines get the better net's readings as labels (``teacher_labels``). With the features of an INT8 graph, the
neck and the head learn to read rounded features.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from ocrsvc.models import manifest
from ocrsvc.models.buckets import Buckets, fit, stack
from ocrsvc.training.data.samples import Sample, crops, fresh, labelled, vary
from ocrsvc.training.data.shards import teacher_labels
from ocrsvc.training.data.targets import Label
from ocrsvc.training.nets import teacher
from ocrsvc.training.nets.net import HEIGHT, SHAPES, WIDTH_STRIDE, Block, Crnn, normalise
from ocrsvc.training.nets.weights import load_net
from ocrsvc.training.texts import charset

PAD_VALUE = 127
BUCKETS = Buckets((96, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1024, 1280))
_BATCH_COLUMNS = 2048  # pixels of width per batch, all lines together
DEV_EVERY = 12  # one real picture in so many is kept for the dev score and never used for training


@dataclass(frozen=True)
class Order:
    """One shard to make. ``real`` are folders of labelled lines, ``photos`` of crops; without both, lines are drawn.

    ``dev``: take the real pictures of the dev score, unvaried; otherwise all the others, mostly varied. ``shape``: the
    net that computes the features. ``pictures``: a shard whose lines to reuse; ``through``: a model folder whose INT8
    convolutions compute their features. ``hold``: a model folder that computes the embeddings instead of the donor.
    ``shares``: factors on how often kinds of lines are drawn. ``held_out``: the scoring limit (``labelled``).
    """

    folder: Path
    seed: int
    lines: int
    fonts: tuple[Path, ...] = ()
    prose: tuple[Path, ...] = ()
    real: tuple[Path, ...] = ()
    photos: tuple[Path, ...] = ()
    held_out: int = 300
    dev: bool = False
    shape: str = "small"
    pictures: Path | None = None
    through: Path | None = None
    hold: Path | None = None
    shares: Mapping[str, float] | None = None


class Extractor:
    """Features and embeddings of the donor or the model folder ``hold``; ValueError if its shape is not ``shape``."""

    def __init__(self, shape: str = "small", hold: Path | None = None) -> None:
        torch.set_num_threads(1)
        if hold is not None:
            net, _ = load_net(hold)
            if net.shape.name != shape:
                raise ValueError(
                    f"{hold} holds a net of shape {net.shape.name!r}, the recipe wants {shape!r}"
                )
        else:
            net = Crnn(SHAPES[shape], classes=1)
            teacher.load_donor(net)
        # PyTorch's type stubs lack a memory format without a dtype.
        self.net: Crnn = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def __call__(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Return features [N,T,F] and embeddings [N,T,D] of uint8 [N,48,W,3]."""
        features = self.net.backbone(normalise(batch))
        return features.numpy().astype(np.float16), self.net.neck(features).numpy().astype(np.float16)


class Rounded:
    """Features of the INT8 convolutions of a model folder, which must be the donor's.

    Equalisation before INT8 scales each channel; the weights of the last convolution show by how much, and the features
    are divided by it. ValueError if the folder's convolutions were trained.
    """

    def __init__(self, folder: Path) -> None:
        net, _ = load_net(folder)
        donor = Extractor(net.shape.name).net
        own, theirs = (
            next(part for part in reversed(list(each.backbone.high.modules())) if isinstance(part, Block))
            for each in (net, donor)
        )
        weight, before = own.project.weight.detach().flatten(1), theirs.project.weight.detach().flatten(1)
        scale = weight.norm(dim=1) / before.norm(dim=1)
        if not torch.allclose(weight, before * scale[:, None], rtol=1e-3, atol=1e-5):
            raise ValueError(f"the convolutions of {folder} were trained: they are no longer the lent ones")
        self.scale = scale.numpy()
        model = onnx.load_model_from_string(manifest.load(folder).files["int8"].read())
        body = {name for node in model.graph.node if "/neck/" not in node.name for name in node.output}
        # Inputs of the neck from outside: the features, and weights behind their Cast.
        taken = [name for node in model.graph.node if "/neck/" in node.name for name in node.input]
        features = next(name for name in taken if name in body and name.startswith("/backbone/"))
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info(features, onnx.TensorProto.FLOAT, None))
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # else it warns of every unused initialiser of the neck
        self.session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Return features [N,T,F] and empty embeddings [N,T,0] of uint8 [N,48,W,3]."""
        (features,) = self.session.run(None, {"pixels": batch})
        scaled = np.asarray(features / self.scale, np.float16)
        return scaled, scaled[..., :0]


def _again(order: Order, source: Path) -> str:
    """Write the shard with the lines of ``source``, their features computed by another net or in INT8."""
    started = time.monotonic()
    see = Rounded(order.through) if order.through else Extractor(order.shape, order.hold)
    lengths: list[int] = np.load(source / "lengths.npy").tolist()
    pixels, start = np.load(source / "pixels.npy", mmap_mode="r"), 0
    features, embeddings = [], []
    for length, run in itertools.groupby(lengths):
        width, left = length * WIDTH_STRIDE, len(list(run))
        while left:
            rows = min(left, max(1, _BATCH_COLUMNS // width))
            end = start + rows * HEIGHT * width * 3
            f, e = see(np.array(pixels[start:end]).reshape(rows, HEIGHT, width, 3))
            features.append(f.reshape(rows * length, -1))
            embeddings.append(e.reshape(rows * length, -1))
            start, left = end, left - rows
    with _building(order.folder) as building:
        for name in ("pixels.npy", "lengths.npy"):
            _link(source / name, building / name)
        np.save(building / "features.npy", np.concatenate(features))
        if order.through:
            # The target stays the donor's embedding of the picture, not of its rounded features.
            _link(source / "embedding.npy", building / "embedding.npy")
            _link(source / "texts.json", building / "texts.json")
        else:
            np.save(building / "embedding.npy", np.concatenate(embeddings))
            _write_texts(building, teacher_labels(source))
    return _summary(order.folder, len(lengths), started)


def _write_texts(folder: Path, texts: Sequence[Label]) -> None:
    (folder / "texts.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder that is renamed to ``folder`` once everything in it is written."""
    building = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    yield building
    building.rename(folder)


def _summary(folder: Path, lines: int, started: float) -> str:
    return f"{folder.name}: {lines} lines, {lines / (time.monotonic() - started):.0f} lines/s"


def _link(source: Path, target: Path) -> None:
    """Hard-link a file that is never written again, or copy it to another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _samples(order: Order) -> Iterable[Sample]:
    rng = random.Random(order.seed)
    if not order.real and not order.photos:
        yield from fresh(
            charset.load(),
            order.lines,
            seed=order.seed,
            fonts=order.fonts,
            prose=order.prose,
            shares=order.shares,
        )
        return
    pool = [sample for folder in order.real for sample in labelled(folder, order.held_out)]
    pool += [sample for folder in order.photos for sample in crops(folder)]
    kept = [sample for i, sample in enumerate(pool) if (i % DEV_EVERY == 0) == order.dev]
    if order.dev:
        yield from (sample for sample in kept if sample.text is not None)
        return
    if not kept:
        return
    random.Random(order.seed).shuffle(kept)
    for i in range(order.lines):
        sample = kept[i] if i < len(kept) and order.seed % 8 == 0 else rng.choice(kept)
        yield sample if rng.random() < 0.2 else vary(sample, rng)


def make(order: Order) -> str:
    """Write one shard atomically, unless it exists or has no lines; return a line for the log."""
    if order.folder.exists():
        return f"{order.folder.name}: there already"
    if order.pictures:
        return _again(order, order.pictures)
    started = time.monotonic()
    extractor = Extractor(order.shape, order.hold)
    waiting: dict[int, list[tuple[NDArray[np.uint8], Sample]]] = {}
    pixels, features, embeddings = [], [], []
    lengths: list[int] = []
    texts: list[Label] = []

    def flush(bucket: int) -> None:
        group = waiting.pop(bucket)
        batch = stack([line for line, _ in group], height=HEIGHT, width=bucket, pad_value=PAD_VALUE)
        f, e = extractor(batch)
        pixels.append(batch.reshape(-1))
        features.append(f.reshape(-1, f.shape[-1]))
        embeddings.append(e.reshape(-1, e.shape[-1]))
        lengths.extend([bucket // WIDTH_STRIDE] * len(group))
        texts.extend((sample.text, sample.source, sample.case_folded) for _, sample in group)

    for sample in _samples(order):
        line = fit(sample.image, HEIGHT)
        if line.shape[1] > BUCKETS.widest:
            continue
        bucket = BUCKETS.of(line.shape[1])
        group = waiting.setdefault(bucket, [])
        group.append((line, sample))
        if len(group) * bucket >= _BATCH_COLUMNS:
            flush(bucket)
    for bucket in list(waiting):
        flush(bucket)
    if not lengths:
        return f"{order.folder.name}: no lines"

    with _building(order.folder) as building:
        np.save(building / "pixels.npy", np.concatenate(pixels))
        np.save(building / "features.npy", np.concatenate(features))
        np.save(building / "embedding.npy", np.concatenate(embeddings))
        np.save(building / "lengths.npy", np.array(lengths, np.int32))
        _write_texts(building, texts)
    return _summary(order.folder, len(lengths), started)


def run(orders: list[Order], processes: int) -> None:
    """Make all shards in ``processes`` processes and print each when it is done; existing shards are kept."""
    orders = [order for order in orders if not order.folder.exists()]
    # Processes are renewed: the allocator does not give back the memory of differently shaped batches.
    with get_context("spawn").Pool(processes, maxtasksperchild=2) as pool:
        for line in pool.imap_unordered(make, orders):
            print(line, flush=True)
